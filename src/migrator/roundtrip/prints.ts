import type { Session } from '../../database/connect.js'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../database/quote.js'
import { queryWithSettings } from '../../database/with-settings.js'

/** A table of the scratch database; partitions count with their parent. */
export interface ScratchTable {
  readonly schema: string
  readonly name: string
  /** `schema.name`, quoted where SQL needs it. */
  readonly path: string
  readonly columns: readonly string[]
  /** Columns of the primary key; empty without one. */
  readonly key: readonly string[]
  /** Another one once columns or constraints are others, or the table was made anew. */
  readonly form: string
  readonly foreign: boolean
}

/** What a table holds, row by row: one hash a column, `null` for NULL. */
export interface TablePrint {
  readonly table: ScratchTable
  readonly rows: readonly (readonly string[])[]
}

/** Tables by path. */
export type Prints = ReadonlyMap<string, TablePrint>

/** Where each sequence stands: the last value it gave, null when it gave none. */
export type SequencePrints = ReadonlyMap<string, bigint | null>

/** Those of the relations that are tables of other schemas than the server's own, without the history, by OID. */
export async function describeTables(
  session: Session,
  history: { readonly schema: string; readonly table: string },
  relations: readonly string[],
): Promise<ReadonlyMap<string, ScratchTable>> {
  if (relations.length === 0) return new Map()
  const rows = await session<(ScratchTable & { readonly oid: string })[]>`
    select c.oid::bigint::text as oid, n.nspname::text as schema, c.relname::text as name, format('%I.%I', n.nspname, c.relname) as path,
      c.relkind = 'f' as foreign,
      coalesce(a.columns, '[]') as columns,
      (select coalesce(jsonb_agg(k.attname order by p.place), '[]')
       from pg_constraint x cross join lateral unnest(x.conkey) with ordinality p (number, place)
       join pg_attribute k on k.attrelid = x.conrelid and k.attnum = p.number
       where x.conrelid = c.oid and x.contype = 'p') as key,
      md5(concat_ws('/', c.oid, a.form,
        (select string_agg(concat_ws(',', x.conname, x.contype, x.conkey::text), ';' order by x.conname, x.oid)
         from pg_constraint x where x.conrelid = c.oid))) as form
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    left join lateral (
      select jsonb_agg(a.attname order by a.attnum) as columns,
        string_agg(concat_ws(',', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attgenerated), ';' order by a.attnum) as form
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ) a on true
    where c.oid = any(${relations.map(Number)}::oid[]) and c.relkind in ('r', 'p', 'f') and not c.relispartition and c.relpersistence <> 't'
      and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
      and not (n.nspname = ${history.schema} and c.relname = ${history.table})
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
      and not exists (
        select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')
`
  return new Map(rows.map(({ oid, ...table }) => [oid, table]))
}

/** So many tables are read with one query. */
const together = 40

/**
 * Reads every row of the tables as hashes.
 *
 * Sample tables are small, and with single rows at hand the comparison can name what is
 * lost; a scratch database filled with millions of rows is not what this is for.
 */
export async function readPrints(session: Session, tables: readonly ScratchTable[]): Promise<Prints> {
  const readable = tables.filter((table) => !table.foreign)
  const prints = new Map<string, { table: ScratchTable; rows: (readonly string[])[] }>()
  for (const table of readable) prints.set(table.path, { table, rows: [] })
  for (let i = 0; i < readable.length; i += together) {
    const chunk = readable.slice(i, i + together)
    const rows = await queryWithSettings<{ table: string; row: readonly string[] }>(session, canonical, query(chunk))
    for (const { table, row } of rows) prints.get(table)?.rows.push(row)
  }
  return prints
}

/** Values are written the same way whatever the migration has set, and wherever names are looked up. */
const canonical = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
  search_path: 'pg_catalog',
}

function query(tables: readonly ScratchTable[]): string {
  return tables
    .map(({ schema, name, path, columns }) => {
      const hashes = columns.map(
        (column) => `coalesce(hashtextextended(${quoteIdentifier(column)}::text collate "C", 0)::text, 'null')`,
      )
      return `select ${quoteLiteral(path)} as "table", array[${hashes.join(', ')}]::text[] as "row" from ${quoteQualified(schema, name)}`
    })
    .join('\nunion all\n')
}

export async function readSequences(session: Session): Promise<SequencePrints> {
  const rows = await session<{ path: string; last: string | null }[]>`
    select format('%I.%I', schemaname, sequencename) as path, last_value::text as last from pg_sequences`
  return new Map(rows.map(({ path, last }) => [path, last === null ? null : BigInt(last)]))
}
