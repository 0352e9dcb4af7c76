import { quoteIdentifier, quoteLiteral } from '../../database/quote.js'
import type { Server } from '../library/server.js'
import type { SampleTable } from '../samples/model.js'
import { isNoRow, sampleRow } from '../samples/rows.js'
import type { Choice } from './choose.js'

const candidates = 400
const most = 40

/**
 * Values for columns that a condition ties to each other: combinations are made up, the
 * server is asked which of them it admits, and those become lists that go together.
 *
 * Undefined when none is found.
 */
export async function chooseJointly(
  sql: Server,
  table: SampleTable,
  names: readonly string[],
  seed: number,
): Promise<ReadonlyMap<string, Choice> | undefined> {
  const columns = names.flatMap((name) => table.columns.find((column) => column.name === name) ?? [])
  if (columns.length < names.length) return undefined
  const alone: SampleTable = { ...table, columns, foreignKeys: [], uniques: [], partitions: [] }
  const surroundings = { seed, parents: new Map(), promised: [], counted: new Set(names) }
  const rows = Array.from({ length: candidates }, (_, i) => sampleRow(alone, i, i % 7, surroundings))
  const tuples = rows.flatMap((row) => (isNoRow(row) ? [] : [names.map((name) => row.get(name) ?? null)]))
  const conditions = table.checks
    .filter(({ columns: on }) => on.every((name) => names.includes(name)))
    .map(({ condition }) => `(${condition}) is not false`)
  const filled = columns.filter(({ notNull }) => notNull).map(({ name }) => `${quoteIdentifier(name)} is not null`)
  const kept: (readonly (string | null)[])[] = []
  for (const tuple of tuples) {
    if (kept.length >= most) break
    const values = columns.map(({ typeName }, i) => `${literal(tuple[i] ?? null)}::${typeName}`)
    const query = `
      select 1 from (select ${values.join(', ')}) r (${names.map(quoteIdentifier).join(', ')})
      where ${['true', ...conditions, ...filled].join(' and ')}`
    const found = await sql.unsafe(query).catch(() => [])
    if (found.length > 0) kept.push(tuple)
  }
  if (kept.length === 0) return undefined
  const reason = `combinations that the checks on ${names.join(', ')} admit`
  const together = names.join('_')
  return new Map(
    names.map((name, i) => [
      name,
      { spec: { generator: 'choice', values: kept.map((tuple) => tuple[i] ?? null), together }, reason },
    ]),
  )
}

function literal(value: string | null): string {
  return value === null ? 'null' : quoteLiteral(value)
}
