import type { Session, Sql } from './connect.js'
import { quoteIdentifier, quoteQualified } from './quote.js'
import { queryWithSettings } from './with-settings.js'

/** Which rows and columns of which table to fingerprint. */
export interface FingerprintRequest {
  readonly schema: string
  readonly table: string
  /** The columns to hash; all of them by default. */
  readonly columns?: readonly string[]
  /** The columns that tell one row from another; the primary key by default. */
  readonly identity?: readonly string[]
  /** A condition on the rows: trusted SQL, never something a person typed. */
  readonly where?: string
  /** A column whose greatest value is wanted as well. */
  readonly highWater?: string
}

/** What a table holds, in a form that is compared by equality. */
export interface Fingerprint {
  readonly rows: number
  /** Column name to hash, a decimal number as text. */
  readonly columns: Readonly<Record<string, string>>
  /**
   * Hash over whole rows, for a table without identity columns, else null: there the
   * column hashes alone would not notice values that changed places between rows.
   */
  readonly wholeRows: string | null
  /** The columns that stood for the row's identity. */
  readonly identity: readonly string[]
  /** Greatest value of the `highWater` column, as text; null when there are no rows or none was asked for. */
  readonly highWater: string | null
}

/**
 * Fingerprints a table in one scan: the number of rows and a hash per column.
 *
 * A row adds hash(identity, value as text) to each column's sum, so the order of the
 * rows does not matter, duplicates do not cancel, NULL differs from '', and values
 * that change places between two rows are noticed. Two fingerprints are comparable
 * when they were taken with the same identity columns. Text forms do not depend on
 * the session's settings, and changing a column's type keeps its hash when it keeps
 * the text of every value (`integer` to `bigint`, `varchar` to `text`).
 *
 * Works on partitioned tables and hypertables as a whole, on a pool, and inside an
 * open transaction.
 */
export async function fingerprintTable(sql: Sql | Session, request: FingerprintRequest): Promise<Fingerprint> {
  const columns = request.columns ?? (await columnsOf(sql, request))
  const identity = request.identity ?? (await primaryKeyOf(sql, request))
  const [row] = await queryWithSettings<ResultRow>(sql, canonicalText, scan({ ...request, columns, identity }))
  if (!row) throw new Error(`no fingerprint of ${request.schema}.${request.table}`)
  return {
    rows: Number(row.obs_rows),
    columns: Object.fromEntries(columns.map((column, i) => [column, row.obs_hashes[i] ?? '0'])),
    wholeRows: row.obs_whole,
    identity,
    highWater: row.obs_high_water,
  }
}

interface ResultRow {
  readonly obs_rows: string
  readonly obs_hashes: readonly string[]
  readonly obs_whole: string | null
  readonly obs_high_water: string | null
}

/** The settings that decide how values are written as text. */
const canonicalText = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
}

type Scan = FingerprintRequest & Required<Pick<FingerprintRequest, 'columns' | 'identity'>>

/**
 * The scan as SQL.
 *
 * The row's identity is hashed once and becomes the seed of the hash of every value.
 * `offset 0` keeps the planner from copying that expression into each column's.
 */
function scan({ schema, table, columns, identity, where, highWater }: Scan): string {
  const values = columns.map((column, i) => `${asText(column)} as c${i}`)
  const whole =
    identity.length === 0 && columns.length > 0
      ? `hashtextextended(array[${columns.map((_, i) => `c${i}`).join(', ')}]::text, 0)`
      : 'null'
  const keys = highWater === undefined ? [] : [`${quoteIdentifier(highWater)} as high_water`]
  const seed = identity.length === 0 ? '0::bigint' : hashTogether(identity.map(asText))
  const sums = columns.map((_, i) => `coalesce(sum(${hash(`c${i}`, 'seed')}), 0)::text`)
  return `
    select count(*)::text as obs_rows,
           array[${sums.join(', ')}]::text[] as obs_hashes,
           ${whole === 'null' ? 'null::text' : `coalesce(sum(${whole}), 0)::text`} as obs_whole,
           ${highWater === undefined ? 'null::text' : 'max(high_water)::text'} as obs_high_water
    from (
      select ${[...values, ...keys, `${seed} as seed`].join(', ')}
      from ${quoteQualified(schema, table)}
      ${where === undefined ? '' : `where ${where}`}
      offset 0
    ) as obs_row`
}

/** Each column's hash is the seed of the next, so that ('ab', 'c') differs from ('a', 'bc'). */
function hashTogether(texts: readonly string[]): string {
  return texts.reduce((seed, text) => `hashtextextended(coalesce(${text}, ''), ${seed})`, '0::bigint')
}

/** NULL has no hash of its own; it stands for a number that no text is likely to hash to. */
function hash(text: string, seed: string): string {
  return `coalesce(hashtextextended(${text}, ${seed}), hashint8extended(1, ${seed}))`
}

/** The bytes decide, not the rules of a language. */
function asText(column: string): string {
  return `${quoteIdentifier(column)}::text collate "C"`
}

async function columnsOf(sql: Sql | Session, { schema, table }: FingerprintRequest): Promise<readonly string[]> {
  const rows = await sql<{ name: string }[]>`
    select attname as name from pg_attribute
    where attrelid = ${regclass(schema, table)}::regclass and attnum > 0 and not attisdropped
    order by attnum`
  return rows.map((row) => row.name)
}

async function primaryKeyOf(sql: Sql | Session, { schema, table }: FingerprintRequest): Promise<readonly string[]> {
  const rows = await sql<{ name: string }[]>`
    select a.attname as name
    from pg_constraint c
    cross join lateral unnest(c.conkey) with ordinality as key (attnum, position)
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = key.attnum
    where c.conrelid = ${regclass(schema, table)}::regclass and c.contype = 'p'
    order by key.position`
  return rows.map((row) => row.name)
}

function regclass(schema: string, table: string): string {
  return quoteQualified(schema, table)
}
