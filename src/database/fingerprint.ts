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
  /**
   * Column to type name (as `format_type` without a modifier gives it): columns of the common types are hashed as
   * the values they are, twice as fast as their text. Two fingerprints compare only when both were
   * taken this way, or both were not.
   */
  readonly types?: Readonly<Record<string, string>>
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
 * the text of every value (`integer` to `bigint`, `varchar` to `text`). With `types`
 * two values are the same when PostgreSQL's `=` says so; text is compared by its bytes all the same.
 *
 * Works on partitioned tables and hypertables as a whole, on a pool, and inside an
 * open transaction.
 */
export async function fingerprintTable(sql: Sql | Session, request: FingerprintRequest): Promise<Fingerprint> {
  const columns = request.columns ?? (await columnsOf(sql, request))
  const identity = request.identity ?? (await primaryKeyOf(sql, request))
  const [row] = await queryWithSettings<ResultRow>(
    sql,
    canonicalText,
    fingerprintQuery({ ...request, columns, identity }),
  )
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
 * `offset 0` keeps the planner from copying that expression into each column's; it
 * also keeps it from reading in parallel, so a single key column does without.
 */
export function fingerprintQuery({ schema, table, columns, identity, where, highWater, types = {} }: Scan): string {
  const values = columns.map((column, i) => `${hashable(column, types)} as c${i}`)
  const hasWhole = identity.length === 0 && columns.length > 0
  const whole = hasWhole
    ? [`hashtextextended(array[${columns.map((column) => asText(column)).join(', ')}]::text, 0) as whole`]
    : []
  const keys = highWater === undefined ? [] : [`${quoteIdentifier(highWater)} as high_water`]
  const seed = identity.length === 0 ? '0::bigint' : hashTogether(identity, types)
  const sums = columns.map((column, i) => `coalesce(sum(${hash(`c${i}`, types[column])}), 0)::text`)
  return `
    select count(*)::text as obs_rows,
           array[${sums.join(', ')}]::text[] as obs_hashes,
           ${hasWhole ? 'coalesce(sum(whole), 0)::text' : 'null::text'} as obs_whole,
           ${highWater === undefined ? 'null::text' : 'max(high_water)::text'} as obs_high_water
    from (
      select ${[...values, ...keys, `${seed} as seed`, ...whole].join(', ')}
      from ${quoteQualified(schema, table)}
      ${where === undefined ? '' : `where ${where}`}
      ${identity.length > 1 ? 'offset 0' : ''}
    ) as obs_row`
}

/**
 * The types whose own hash says all that their text does.
 *
 * Left out are types with values that are equal and yet differ (citext, floating point with its two zeros)
 * or that have no hash. The hashes of the three integer types agree, and so do those of text and varchar:
 * https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/access/hash/hashfunc.c
 */
const hashFunctions: Readonly<Record<string, string>> = {
  smallint: 'hashint2extended',
  integer: 'hashint4extended',
  bigint: 'hashint8extended',
  numeric: 'hash_numeric_extended',
  uuid: 'uuid_hash_extended',
  'timestamp with time zone': 'timestamp_hash_extended',
  'timestamp without time zone': 'timestamp_hash_extended',
  jsonb: 'jsonb_hash_extended',
}

/** Each column's hash is the seed of the next, so that ('ab', 'c') differs from ('a', 'bc'). */
function hashTogether(columns: readonly string[], types: Readonly<Record<string, string>>): string {
  return columns.reduce((seed, column) => {
    const [own, value] = [hashFunctions[types[column] ?? ''], hashable(column, types)]
    return own ? `coalesce(${own}(${value}, ${seed}), 1)` : `hashtextextended(coalesce(${value}, ''), ${seed})`
  }, '0::bigint')
}

/** NULL has no hash of its own; it stands for a number that no value is likely to hash to. */
function hash(value: string, type: string | undefined): string {
  return `coalesce(${hashFunctions[type ?? ''] ?? 'hashtextextended'}(${value}, seed), hashint8extended(1, seed))`
}

/**
 * The value itself where its type has a hash of its own, else its text. Before version 18 only
 * times without a zone have a function of their name.
 */
function hashable(column: string, types: Readonly<Record<string, string>>): string {
  const type = types[column] ?? ''
  if (!hashFunctions[type]) return asText(column)
  return type === 'timestamp with time zone' ? `${quoteIdentifier(column)} at time zone 'UTC'` : quoteIdentifier(column)
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
