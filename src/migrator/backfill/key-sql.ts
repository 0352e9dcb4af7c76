import type { Session } from '../../database/connect.js'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../database/quote.js'
import { queryWithSettings } from '../../database/with-settings.js'
import type { WalkedTable } from './walked-table.js'

/** The rows of one batch: those above `after`, or from it on when it is the first row of all, up to and with `upTo`. */
export interface Range {
  readonly after: readonly string[]
  readonly fromFirst: boolean
  readonly upTo: readonly string[]
}

/**
 * Settings under which a key is written as text, so that the text means the same
 * whatever a session is set to; `timestamptz` keeps its microseconds.
 */
const keyText = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
}

/** `"id"`, or `("timestamp", "trace_id")`. */
export function keyColumns({ key }: WalkedTable): string {
  return row(key.map((column) => quoteIdentifier(column.name)))
}

/** `'5'::bigint`, or the same as a row. */
export function keyValues({ key }: WalkedTable, values: readonly string[]): string {
  return row(key.map((column, i) => `${quoteLiteral(values[i] ?? '')}::${column.type}`))
}

function row(items: readonly string[]): string {
  return items.length === 1 ? items.join('') : `(${items.join(', ')})`
}

/** The rows of a range as a condition. */
export function rangeCondition(table: WalkedTable, { after, fromFirst, upTo }: Range): string {
  const columns = keyColumns(table)
  const operator = fromFirst ? '>=' : '>'
  return `${columns} ${operator} ${keyValues(table, after)} and ${columns} <= ${keyValues(table, upTo)}`
}

/** The least or the greatest key, undefined when there is no row; with `above` only of the keys above that one. */
export async function extremeKey(
  session: Session,
  table: WalkedTable,
  direction: 'asc' | 'desc',
  above?: readonly string[],
): Promise<readonly string[] | undefined> {
  const where = above ? `where ${keyColumns(table)} > ${keyValues(table, above)}` : ''
  const [found] = await queryWithSettings<{ key: readonly string[] }>(
    session,
    keyText,
    `select ${asText(table)} as key from ${from(table)} ${where} order by ${ordered(table, direction)} limit 1`,
  )
  return found?.key
}

/**
 * The last key of the next batch and the number of rows up to it; undefined when there are none.
 *
 * One scan of the index from the last key on, as far as the batch goes: the same work in
 * the middle of the table as at its beginning.
 */
export async function nextKey(
  session: Session,
  table: WalkedTable,
  after: { readonly key: readonly string[]; readonly fromFirst: boolean; readonly end: readonly string[] },
  batch: number,
): Promise<{ readonly key: readonly string[]; readonly rows: number } | undefined> {
  const where = rangeCondition(table, { after: after.key, fromFirst: after.fromFirst, upTo: after.end })
  const order = ordered(table, 'asc')
  const [found] = await queryWithSettings<{ key: readonly string[]; visited: string }>(
    session,
    keyText,
    `select key, rows::text as visited from (
       select ${asText(table)} as key, row_number() over (order by ${order}) as rows
       from ${from(table)} where ${where} order by ${order} limit ${batch}
     ) batch order by rows desc limit 1`,
  )
  return found && { key: found.key, rows: Number(found.visited) }
}

function from({ schema, name }: WalkedTable): string {
  return quoteQualified(schema, name)
}

function asText({ key }: WalkedTable): string {
  return `array[${key.map((column) => `${quoteIdentifier(column.name)}::text`).join(', ')}]`
}

function ordered({ key }: WalkedTable, direction: 'asc' | 'desc'): string {
  return key.map((column) => `${quoteIdentifier(column.name)} ${direction}`).join(', ')
}
