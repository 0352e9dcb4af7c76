import { createHash } from 'node:crypto'
import { type CatalogRow, catalogQuery, timescaleParts, tolerantParts } from './catalog-queries.js'
import type { Session, Sql } from './connect.js'
import { printedAlike } from './printed-alike.js'
import { queryWithSettings } from './with-settings.js'

/** The kinds of objects a catalog tells apart. */
export type ObjectKind =
  | 'extension'
  | 'schema'
  | 'type'
  | 'table'
  | 'column'
  | 'sequence'
  | 'constraint'
  | 'index'
  | 'statistics'
  | 'function'
  | 'view'
  | 'materialized view'
  | 'trigger'
  | 'rule'
  | 'policy'
  | 'comment'
  | 'hypertable'
  | 'continuous aggregate'

/** One object of a database, as its catalog describes it. */
export interface CatalogObject {
  readonly kind: ObjectKind
  /** Names it within its kind, quoted as SQL wants it: `public.pet.name`, `public.bark(integer)`. */
  readonly identity: string
  /** The schema it is in, unquoted; of an extension, the one its objects are in. */
  readonly schema: string
  /** The `keyOf` the object that it hangs on and goes away with: the table of a column, say. */
  readonly owner: string | null
  /**
   * What there is to say within the kind: `p`, `u`, `c`, `x`, `f`, `n` for a constraint
   * (`pg_constraint.contype`), `f`, `p`, `a`, `w` for a function (`pg_proc.prokind`), `e`, `d`,
   * `c`, `r` for a type (`pg_type.typtype`), `unique` for an index that is.
   */
  readonly detail: string | null
  /** It was not declared itself: it comes with the same object of a partitioned table. */
  readonly inherited: boolean
  /** Its definition, part by part, in the order in which its line has them. */
  readonly facts: Readonly<Record<string, string>>
}

/**
 * Describes what the schemas contain, one sorted line per object: tables with their
 * columns, constraints, indexes, sequences, functions, triggers, views, types,
 * policies and comments.
 *
 * Two databases have the same schema when their lines are equal. Nothing physical is
 * in them: no OIDs, no sizes, no order of columns, no owners. Objects of extensions
 * are left out, and so are NOT NULL constraints by name, because the column's line
 * says as much. Works on a pool and inside an open transaction.
 *
 * Backups keep these lines and a hash of them, so what a line says never changes, but for what
 * `printedAlike` evens out; what is known beyond them is a fact that only `readObjects` gives.
 */
export async function readCatalog(sql: Sql | Session, schemas: readonly string[]): Promise<readonly string[]> {
  const rows = await queryWithSettings<CatalogRow>(sql, canonicalText, catalogQuery(schemas))
  return rows.map(lineOf).sort()
}

/** A line of a catalog, and the relation that it is about or belongs to. */
export interface CatalogLine {
  readonly line: string
  /** `pg_class.oid` as text; null for functions, types and statistics. */
  readonly relation: string | null
}

/** The same lines in no order, those that belong to relations only for the relations whose OIDs are given. */
export async function readCatalogLines(
  sql: Sql | Session,
  schemas: readonly string[],
  relations: readonly string[],
): Promise<readonly CatalogLine[]> {
  const query = catalogQuery(schemas, [], relations)
  const rows = await queryWithSettings<CatalogRow>(sql, canonicalText, query)
  return rows.map((row) => ({ line: lineOf(row), relation: row.relation }))
}

/** SHA-256 of a catalog, in hexadecimal. */
export function catalogHash(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}

/** Whatever a session, a role or a database is set to, constants are written the same way. */
const canonicalText = {
  search_path: 'pg_catalog',
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
  quote_all_identifiers: 'off',
}

/**
 * Reads what the schemas contain, one object each, from the same queries as `readCatalog`.
 *
 * Beyond its lines there are the schemas themselves, the extensions of the database,
 * comments on whatever can have one, and on TimescaleDB hypertables and continuous
 * aggregates. Objects hanging on a table of an extension are left out as the table is.
 */
export async function readObjects(sql: Sql | Session, schemas: readonly string[]): Promise<readonly CatalogObject[]> {
  const [server] = await sql<{ timescale: boolean }[]>`
    select exists (select from pg_extension where extname = 'timescaledb') as timescale`
  const more = server?.timescale ? [...tolerantParts, ...timescaleParts] : tolerantParts
  const rows = await queryWithSettings<CatalogRow>(sql, canonicalText, catalogQuery(schemas, more))
  const objects = rows.map(objectOf)
  const keys = new Set(objects.map(keyOf))
  return objects.filter(({ owner }) => owner === null || keys.has(owner))
}

/** Relations share one name space; everything else is told apart by its kind. */
export function keyOf({ kind, identity }: Pick<CatalogObject, 'kind' | 'identity'>): string {
  return `${relations.has(kind) ? 'relation' : kind} ${identity}`
}

const relations: ReadonlySet<ObjectKind> = new Set(['table', 'sequence', 'index', 'view', 'materialized view'])

function lineOf({ kind, named, facts }: CatalogRow): string {
  return printedAlike([kind, named, ...Object.values(facts)].filter((part) => part !== null).join(' '))
}

function objectOf({ kind, identity, space, owner, detail, inherited, facts, more }: CatalogRow): CatalogObject {
  const known = Object.entries({ ...facts, ...more }).filter((fact): fact is [string, string] => fact[1] !== null)
  return { kind, identity, schema: space, owner, detail, inherited, facts: Object.fromEntries(known) }
}
