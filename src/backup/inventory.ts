import type { Session } from '../database/connect.js'
import { findHistories } from '../database/history-table.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'
import type { ManifestDatabase, ManifestSequence } from './manifest.js'

/** A table whose own rows a backup holds: ordinary tables and the leaves of partitioned ones. */
export interface SourceTable {
  readonly schema: string
  readonly name: string
  /** Columns that COPY writes, in the table's order: generated ones are left out. */
  readonly columns: readonly string[]
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
    tables: tables.map(({ schema, name, columns }) => ({ schema, name, columns })),
    tableBytes: tables.reduce((total, { bytes }) => total + bytes, 0),
    migrations: await readMigrations(session),
  }
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

function readTables(session: Session): Promise<(SourceTable & { bytes: number })[]> {
  return session.unsafe<(SourceTable & { bytes: number })[]>(`
    select n.nspname as schema, c.relname as name, pg_table_size(c.oid) as bytes,
           array(select a.attname::text from pg_attribute a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                 order by a.attnum) as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and ${userSchema} and ${notOfAnExtension('pg_class', 'c.oid')}
    order by 1, 2`)
}

/**
 * Reads where every sequence stands.
 *
 * Sequences stand outside of transactions: read after the snapshot was taken, they are
 * never behind the rows in it.
 */
export async function readSequences(session: Session): Promise<ManifestSequence[]> {
  const names = await session.unsafe<{ schema: string; name: string }[]>(`
    select n.nspname as schema, c.relname as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'S' and ${userSchema} and ${notOfAnExtension('pg_class', 'c.oid')}
    order by 1, 2`)
  const sequences: ManifestSequence[] = []
  for (const { schema, name } of names) {
    const [row] = await session.unsafe<{ last_value: string; is_called: boolean }[]>(
      `select last_value::text as last_value, is_called from ${quoteQualified(schema, name)}`,
    )
    if (row) sequences.push({ schema, name, last_value: row.last_value, is_called: row.is_called })
  }
  return sequences
}

/** What the built-in engine would lose without a word, named for people; empty when it loses nothing. */
export async function whatBuiltInCannotCopy(session: Session): Promise<string[]> {
  const [row] = await session<{ large: number }[]>`select count(*) as large from pg_largeobject_metadata`
  const large = row && row.large > 0 ? [`${row.large} large objects`] : []
  return [...large, ...(await foreignTables(session)), ...(await extensionRows(session))]
}

async function foreignTables(session: Session): Promise<string[]> {
  const rows = await session.unsafe<{ schema: string; name: string }[]>(`
    select n.nspname as schema, c.relname as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'f' and ${userSchema} and ${notOfAnExtension('pg_class', 'c.oid')}
    order by 1, 2`)
  return rows.map(({ schema, name }) => `the foreign table ${schema}.${name}`)
}

/** Tables of extensions that hold rows of the user's own, as the extension itself declares. */
async function extensionRows(session: Session): Promise<string[]> {
  const tables = await session<{ extension: string; schema: string; name: string; condition: string }[]>`
    select e.extname as extension, n.nspname as schema, c.relname as name, config.condition
    from pg_extension e
    cross join lateral unnest(e.extconfig, e.extcondition) as config (oid, condition)
    join pg_class c on c.oid = config.oid and c.relkind = 'r'
    join pg_namespace n on n.oid = c.relnamespace
    order by 1, 2, 3`
  const found: string[] = []
  for (const { extension, schema, name, condition } of tables) {
    // The extension wrote the condition, with its WHERE, for exactly this use.
    const rows = await session.unsafe(`select from ${quoteQualified(schema, name)} ${condition} limit 1`)
    if (rows.length > 0) found.push(`rows in ${schema}.${name} of the extension ${extension}`)
  }
  return found
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
