import { Random, type StreamKey, streamKey } from '../random.js'
import {
  type ForeignKey,
  joinRules,
  noRules,
  type PartitionRules,
  type SampleColumn,
  type SampleTable,
} from './model.js'
import { type Draw, type Flavour, sampleValue } from './values.js'

/** Values of a row by column; a column that is missing is left to the server. */
export type Row = ReadonlyMap<string, string | null>

/** What a row may refer to. */
export interface Surroundings {
  readonly seed: number
  /** The keys that exist (or are promised) for a foreign key, as texts. */
  readonly parents: ReadonlyMap<ForeignKey, readonly (readonly string[])[]>
  /** Values that the row of this number has to have, because somebody refers to them already. */
  readonly promised: readonly Row[]
  /** Columns whose value the server counts, to be given all the same. */
  readonly counted: ReadonlySet<string>
}

/** Why no row could be made. */
export interface NoRow {
  readonly reason: string
}

/** How often a row is made anew. */
export const attempts = 20

/**
 * Makes row number `ordinal` of a table; pure, and the same for the same seed.
 *
 * The first rows are ordinary, all null, and at the edge of their types; later ones are
 * mixed, and of five that follow each other one is all null. `attempt` counts how often the server refused the row before: each attempt is
 * another one, and plainer than the last.
 */
export function sampleRow(
  table: SampleTable,
  ordinal: number,
  attempt: number,
  surroundings: Surroundings,
): Row | NoRow {
  const key = streamKey('sample', surroundings.seed, table.path)
  const random = new Random()
  const row = new Map<string, string | null>(surroundings.promised[ordinal] ?? [])
  const seated = (column: number) => random.seat(key, ordinal, attempt, column)
  for (const [i, foreignKey] of ordered(table.foreignKeys).entries()) {
    const missing = refer(table, foreignKey, row, seated(100_000 + i), surroundings, attempt)
    if (missing) return missing
  }
  const partition = choosePartition(table, seated(200_000))
  for (const column of table.columns) {
    if (row.has(column.name)) continue
    if (column.source !== 'given' && !surroundings.counted.has(column.name)) continue
    const value = columnValue(table, column, partition, ordinal, attempt, seated(column.number))
    if (value === undefined) return { reason: `no value is known for the type of ${column.name}` }
    row.set(column.name, value)
  }
  copySame(table, row)
  putInOrder(table, row)
  referToSelf(table, row, surroundings)
  return row
}

export function isNoRow(row: Row | NoRow): row is NoRow {
  return 'reason' in row
}

/** Those of most columns first, because they leave the least choice to the others. */
function ordered(keys: readonly ForeignKey[]): readonly ForeignKey[] {
  return [...keys].sort((a, b) => b.columns.length - a.columns.length || Number(a.future) - Number(b.future))
}

/** Points a row at a parent that agrees with the columns that are settled already. */
function refer(
  table: SampleTable,
  key: ForeignKey,
  row: Map<string, string | null>,
  random: Random,
  { parents }: Surroundings,
  attempt: number,
): NoRow | undefined {
  if (key.columns.some((column) => row.get(column) === null)) return undefined
  const nullable = key.columns.filter((name) => !row.has(name) && !isRequired(table, name))
  const known = parents.get(key) ?? []
  const fitting = known.filter((tuple) => key.columns.every((name, i) => (row.get(name) ?? tuple[i]) === tuple[i]))
  const leaveOut = nullable.length > 0 && (fitting.length === 0 || random.chance(attempt === 0 ? 0.2 : 0.4))
  if (leaveOut) {
    for (const name of nullable) row.set(name, null)
    return undefined
  }
  const chosen = fitting[random.integer(fitting.length)]
  if (chosen) for (const [i, name] of key.columns.entries()) row.set(name, chosen[i] ?? null)
  if (chosen || key.future || key.parent === table.path) return undefined
  return {
    reason:
      known.length === 0
        ? `${key.parent}, which it refers to, has no rows`
        : `no row of ${key.parent} fits its other keys`,
  }
}

function isRequired(table: SampleTable, name: string): boolean {
  return table.columns.some((column) => column.name === name && column.notNull)
}

/** Rows go to the partitions in turn, by chance. */
function choosePartition({ partitions }: SampleTable, random: Random): PartitionRules {
  const bounded = partitions?.filter((rules) => Object.keys(rules).length > 0) ?? []
  const pool = bounded.length > 0 ? bounded : (partitions ?? [])
  return pool[random.integer(Math.max(1, pool.length))] ?? {}
}

function columnValue(
  table: SampleTable,
  column: SampleColumn,
  partition: PartitionRules,
  ordinal: number,
  attempt: number,
  random: Random,
): string | null | undefined {
  const rules = joinRules(column.rules, partition[column.name] ?? noRules)
  const required = column.notNull || rules.notNull === true || (isTelling(table, column.name) && ordinal !== 1)
  if (!required && random.chance(nullChance(ordinal, attempt))) return null
  const draw: Draw = { random, flavour: flavourOf(ordinal, attempt, random) }
  const edge = isTelling(table, column.name) && ordinal > 2 ? { ...draw, flavour: 'ordinary' as Flavour } : draw
  return sampleValue(column.type, rules, edge)
}

/** Part of a key: a rim value there would soon be a duplicate. */
function isTelling(table: SampleTable, name: string): boolean {
  return table.uniques.some((columns) => columns.includes(name))
}

function nullChance(ordinal: number, attempt: number): number {
  if (attempt === 0) return ordinal % 5 === 1 ? 1 : ordinal === 0 ? 0 : 0.15
  // Conditions such as "one of the two" want some attempts with nulls and some without.
  return [0.5, 0.15, 0, 0.8][(attempt - 1) % 4] ?? 0
}

function flavourOf(ordinal: number, attempt: number, random: Random): Flavour {
  if (attempt >= 5) return 'plain'
  if (attempt >= 2 || ordinal === 0) return 'ordinary'
  return ordinal === 2 || random.chance(0.15) ? 'edge' : 'ordinary'
}

/** `check (workspace_id = id)`: the one that is settled decides. */
function copySame(table: SampleTable, row: Map<string, string | null>): void {
  for (const { name, rules } of table.columns) {
    const other = rules.sameAs
    if (other === undefined || !row.has(name) || row.get(other) == null) continue
    row.set(name, row.get(other) ?? null)
  }
}

/** `check (until > since)`: two values in the wrong order change places. */
function putInOrder(table: SampleTable, row: Map<string, string | null>): void {
  for (const { name, rules } of table.columns) {
    const [high, low] = [row.get(name), row.get(rules.above ?? '')]
    if (rules.above === undefined || high == null || low == null || isGreater(high, low)) continue
    row.set(name, low).set(rules.above, high)
  }
}

function isGreater(a: string, b: string): boolean {
  const [x, y] = [Number(a), Number(b)]
  return Number.isNaN(x) || Number.isNaN(y) ? a > b : x > y
}

/** The first row of a table whose rows have to refer to one another refers to itself. */
function referToSelf(table: SampleTable, row: Map<string, string | null>, { parents }: Surroundings): void {
  for (const key of table.foreignKeys) {
    if (key.parent !== table.path || (parents.get(key) ?? []).length > 0) continue
    for (const [i, name] of key.columns.entries()) {
      const own = row.get(key.parentColumns[i] ?? '')
      if (isRequired(table, name) && own !== undefined) row.set(name, own)
    }
  }
}

/** Rows of which no two agree in a key; a row for which there is no such chance left is not made. */
export function sampleRows(
  table: SampleTable,
  ordinals: readonly number[],
  firstAttempt: number,
  surroundings: Surroundings,
): { readonly rows: readonly { readonly ordinal: number; readonly row: Row }[]; readonly reason: string | undefined } {
  const seen = table.uniques.map(() => new Set<string>())
  const rows: { ordinal: number; row: Row }[] = []
  let reason: string | undefined
  for (const ordinal of ordinals) {
    for (let attempt = firstAttempt; attempt < firstAttempt + attempts; attempt++) {
      const row = sampleRow(table, ordinal, attempt, surroundings)
      if (isNoRow(row)) {
        reason = row.reason
        continue
      }
      const keys = table.uniques.map((columns) => keyOf(row, columns))
      if (keys.some((one, i) => one !== undefined && seen[i]?.has(one))) {
        reason = 'no further combination of its keys is left'
        continue
      }
      for (const [i, one] of keys.entries()) if (one !== undefined) seen[i]?.add(one)
      rows.push({ ordinal, row })
      break
    }
  }
  return { rows, reason }
}

/** Undefined when the server counts a part of it. Nulls count as values: `nulls not distinct` may be said. */
function keyOf(row: Row, columns: readonly string[]): string | undefined {
  return columns.every((name) => row.has(name)) ? JSON.stringify(columns.map((name) => row.get(name))) : undefined
}

/** The stream that a promised key of a parent is drawn from. */
export function promisedValue(
  table: SampleTable,
  column: SampleColumn,
  number: number,
  seed: number,
): string | undefined {
  const key: StreamKey = streamKey('promise', seed, table.path)
  const random = new Random().seat(key, number, column.number)
  return sampleValue(column.type, column.rules, { random, flavour: 'ordinary' })
}
