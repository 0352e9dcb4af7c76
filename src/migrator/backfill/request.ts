import type { TableName } from '../preservation/touched-tables.js'

/** What a backfill walks over, and how fast. */
export interface BackfillRequest {
  readonly table: TableName
  /** The columns of the key, in the order of its index. */
  readonly key: readonly string[]
  /** Rows of the walked table in one batch. */
  readonly batch: number
  /** Milliseconds to wait between two batches. */
  readonly pauseMs: number
}

/** Rows a batch has unless the directive says otherwise. */
export const defaultBatch = 5000

/** Above this a batch is no batch any more. */
const largestBatch = 1_000_000

/** A day; whoever waits longer between two batches has mistaken the unit. */
const longestPause = 86_400_000

const form = 'a backfill is written: -- obs: backfill <table> by <column>[, <column>] [batch <rows>] [pause <time>]'

/**
 * Reads what stands after the word `backfill` in a directive:
 * `traces by timestamp, trace_id batch 5000 pause 50ms`.
 *
 * @returns the request, or in words what is wrong with it.
 */
export function parseRequest(text: string): BackfillRequest | string {
  const name = '("(?:[^"]|"")+"|[^\\s",.]+)'
  const names = new RegExp(`^${name}(?:\\.${name})?\\s+by\\s+(${name}(?:\\s*,\\s*${name})*)(?:\\s+(.*))?$`, 'is')
  const [, first, second, keys, ...rest] = names.exec(text.trim()) ?? []
  if (first === undefined || keys === undefined) return form
  const options = parseOptions(rest.at(-1) ?? '')
  if (typeof options === 'string') return options
  const key = [...keys.matchAll(new RegExp(name, 'gi'))].map((match) => unquote(match[0]))
  const twice = key.find((column, i) => key.indexOf(column) < i)
  if (twice !== undefined) return `the key names ${JSON.stringify(twice)} twice`
  const table =
    second === undefined
      ? { schema: undefined, table: unquote(first) }
      : { schema: unquote(first), table: unquote(second) }
  return { table, key, ...options }
}

/** `traces`, `public.traces` or `"Odd Name"`; or in words what is wrong with it. */
export function parseTable(text: string): TableName | string {
  const name = '("(?:[^"]|"")+"|[^\\s",.]+)'
  const [, first, second] = new RegExp(`^${name}(?:\\.${name})?$`).exec(text) ?? []
  if (first === undefined) return `table takes the name of a table, not ${JSON.stringify(text)}`
  return second === undefined
    ? { schema: undefined, table: unquote(first) }
    : { schema: unquote(first), table: unquote(second) }
}

function parseOptions(text: string): Pick<BackfillRequest, 'batch' | 'pauseMs'> | string {
  const words = text.split(/\s+/).filter((word) => word !== '')
  let batch = defaultBatch
  let pauseMs = 0
  for (let i = 0; i < words.length; i += 2) {
    const [word = '', value = ''] = words.slice(i, i + 2)
    if (word.toLowerCase() === 'batch') {
      const rows = parseBatch(value)
      if (typeof rows === 'string') return rows
      batch = rows
    } else if (word.toLowerCase() === 'pause') {
      const pause = parsePause(value)
      if (typeof pause === 'string') return pause
      pauseMs = pause
    } else return `${JSON.stringify(word)} is no part of a backfill; ${form}`
  }
  return { batch, pauseMs }
}

/** The number of rows in a batch, or in words what is wrong with it. */
export function parseBatch(value: string | number): number | string {
  const rows = /^[0-9_,]+$/.test(String(value)) ? Number(String(value).replaceAll(/[_,]/g, '')) : Number.NaN
  if (Number.isSafeInteger(rows) && rows >= 1 && rows <= largestBatch) return rows
  return `batch takes a whole number of rows from 1 to ${largestBatch}, not ${JSON.stringify(value)}`
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000 }

/** A time such as `50ms`, `2s` or `1min`, or a number of milliseconds, in milliseconds; or in words what is wrong with it. */
export function parsePause(value: string | number): number | string {
  const text = typeof value === 'number' ? `${value}ms` : value
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|min)$/i.exec(text) ?? []
  const pause = amount === '' ? Number.NaN : Number(amount) * (units[unit.toLowerCase()] ?? Number.NaN)
  if (pause >= 0 && pause <= longestPause) return Math.round(pause)
  return `pause takes a time such as 50ms, 2s or 1min, not ${JSON.stringify(value)}`
}

function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase()
}
