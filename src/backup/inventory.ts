import type { Session } from '../database/connect.js'
import { findHistories } from '../database/history-table.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'
import type { ManifestDatabase, ManifestSequence } from './manifest.js'

/** A table, view or sequence: what it is called now, and what it is. */
export interface RelationKey {
  readonly oid: number
  readonly schema: string
  readonly name: string
}

/** A table whose own rows a backup holds: ordinary tables and the leaves of partitioned ones. */
export interface SourceTable extends RelationKey {
  /** Columns that COPY writes, in the table's order: generated ones are left out. */
  readonly columns: readonly string[]
  /** Of a table that belongs to an extension: which rows are the user's own, as the extension declares with a WHERE. */
  readonly where: string | null
  /** Size on disk without its indexes, and of its heap alone in pages; pages are null for what is not a heap. */
  readonly bytes: number
  readonly pages: number | null
}

/** What is in a database, as far as a backup of it must know. */
export interface Inventory {
  readonly database: ManifestDatabase
  readonly schemas: readonly string[]
  readonly tables: readonly SourceTable[]
  /** Bytes of the tables without their indexes. */
  readonly tableBytes: number
  readonly migrations: Readonly<Record<string, string>>
}

/** Reads the inventory in the session's transaction, so that it describes the session's snapshot. */
export async function readInventory(session: Session): Promise<Inventory> {
  const tables = await readTables(session)
  return {
    database: await readDatabase(session),
    schemas: await readSchemas(session),
    tables,
    tableBytes: tables.reduce((total, { bytes }) => total + bytes, 0),
    migrations: await readMigrations(session),
  }
}

/** Every table that pg_dump will want to hold. */
export function listLockable(session: Session): Promise<RelationKey[]> {
  return session.unsafe<RelationKey[]>(`
    select c.oid::bigint as oid, n.nspname as schema, c.relname as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and ${userSchema} and ${notOfAnExtension('pg_class', 'c.oid')}
    order by 1`)
}

/** What every object of an extension has: a dependency on it that `create extension` brings back. */
const notOfAnExtension = (catalog: string, oid: string) => `
  not exists (select from pg_depend d
              where d.classid = '${catalog}'::regclass and d.objid = ${oid} and d.deptype = 'e')`

const userSchema = `n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

async function readDatabase(session: Session): Promise<ManifestDatabase> {
  // The names of the locale columns changed in PostgreSQL 15 and 17.
  const [row] = await session<ManifestDatabase[]>`
    select datname as name, pg_encoding_to_char(encoding) as encoding, datcollate as collate, datctype as ctype,
           coalesce(j->>'datlocprovider', 'c') as locale_provider,
           coalesce(j->>'datlocale', j->>'daticulocale') as locale,
           pg_database_size(oid) as size_bytes
    from (select *, to_jsonb(d) as j from pg_database d where datname = current_database()) as described`
  if (!row) throw new Error('the database does not know itself')
  return { ...row }
}

async function readSchemas(session: Session): Promise<string[]> {
  const rows = await session.unsafe<{ name: string }[]>(`
    select n.nspname as name from pg_namespace n
    where ${userSchema} and ${notOfAnExtension('pg_namespace', 'n.oid')}
    order by 1`)
  return rows.map(({ name }) => name)
}

/** Tables of extensions count where the extension itself declares that they hold rows of the user's own. */
function readTables(session: Session): Promise<SourceTable[]> {
  return session.unsafe<SourceTable[]>(`
    with config as (
      select c.oid, c.condition from pg_extension cross join lateral unnest(extconfig, extcondition) as c (oid, condition)
    )
    select c.oid::bigint as oid, n.nspname as schema, c.relname as name, pg_table_size(c.oid) as bytes, config.condition as where,
           case when m.amname = 'heap' then pg_relation_size(c.oid) / current_setting('block_size')::int end as pages,
           array(select a.attname::text from pg_attribute a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                 order by a.attnum) as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_am m on m.oid = c.relam
    left join config on config.oid = c.oid
    where c.relkind = 'r'
      and (config.oid is not null or ${userSchema} and ${notOfAnExtension('pg_class', 'c.oid')})
    order by 2, 3`)
}

/**
 * Reads where every sequence stands.
 *
 * Sequences stand outside of transactions: read after the snapshot was taken, they are
 * never behind the rows in it.
 *
 * @param chosen OIDs; every sequence when undefined.
 */
export async function readSequences(session: Session, chosen?: ReadonlySet<number>): Promise<ManifestSequence[]> {
  const all = await session.unsafe<RelationKey[]>(`
    select c.oid::bigint as oid, n.nspname as schema, c.relname as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'S' and ${userSchema}
      and (${notOfAnExtension('pg_class', 'c.oid')} or c.oid in (select unnest(extconfig) from pg_extension))
    order by 2, 3`)
  const wanted = all.filter(({ oid }) => chosen === undefined || chosen.has(oid))
  const sequences: ManifestSequence[] = []
  for (let from = 0; from < wanted.length; from += sequencesAtATime) {
    const some = wanted.slice(from, from + sequencesAtATime)
    const query = some.map(
      ({ schema, name }, n) =>
        `select ${n} as n, last_value::text as last_value, is_called from ${quoteQualified(schema, name)}`,
    )
    const rows = await session.unsafe<{ n: number; last_value: string; is_called: boolean }[]>(
      query.join(' union all '),
    )
    for (const { n, last_value, is_called } of rows) {
      const { schema, name } = some[n] as RelationKey
      sequences.push({ schema, name, last_value, is_called })
    }
  }
  return sequences
}

const sequencesAtATime = 100

/**
 * What the built-in engine would lose without a word, named for people; empty when it loses nothing.
 *
 * pg_dump leaves subscriptions out when the role is no superuser, because their connection may
 * hold a password.
 */
export async function whatBuiltInCannotCopy(session: Session): Promise<string[]> {
  const rows = await session<{ name: string }[]>`
    select subname as name from pg_subscription
    where subdbid = (select oid from pg_database where datname = current_database())
      and not (select rolsuper from pg_roles where rolname = current_user)
    order by 1`
  return rows.map(({ name }) => `the subscription ${name}, which only a superuser may read`)
}

/** The current version of every pack in the history of obs; empty where there is none. */
async function readMigrations(session: Session): Promise<Record<string, string>> {
  const versions: [string, string][] = []
  for (const history of await findHistories(session)) {
    const rows = await session.unsafe<{ pack: string; version: string }[]>(`
      select pack, (array_agg(version::text order by version desc))[1] as version
      from (
        select distinct on (pack, version) pack, version, direction
        from ${history} where state = 'applied'
        order by pack, version, id desc
      ) as latest
      where direction = 'up'
      group by pack`)
    for (const { pack, version } of rows) versions.push([pack, version])
  }
  return Object.fromEntries(versions)
}

/** The columns of a table as COPY takes them: `("id", "name")`, or nothing for a table without any. */
export function columnList(columns: readonly string[]): string {
  return columns.length === 0 ? '' : `(${columns.map(quoteIdentifier).join(', ')})`
}
