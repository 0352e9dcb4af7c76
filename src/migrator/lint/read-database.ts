import { type Database, type Session, withSession } from '../../database/connect.js'
import { quoteIdentifier } from '../../database/quote.js'
import { estimateTables, type TableRows } from '../../database/table-rows.js'
import type { TableName } from '../preservation/touched-tables.js'
import { loadParser } from '../statements/parser.js'
import type { Node } from '../statements/statements.js'
import { sameTable } from '../statements/tree.js'
import type { DatabaseFacts } from './lint-migrations.js'
import { createModel, type ModelTable } from './schema-model.js'

/**
 * What a database says about its tables: columns, constraints, indexes and how many rows.
 *
 * Rows are the planner's figures; only of a table that is said to have none it is asked
 * whether it has one, because lint keeps silent about empty tables.
 */
export async function readDatabaseFacts({ sql }: Database, schema: string): Promise<DatabaseFacts> {
  return withSession(sql, async (session) => {
    await session`select set_config('search_path', quote_ident(${schema}) || ', public', false)`
    await session`select set_config('lock_timeout', '500ms', false)`
    const tables = await readTables(session)
    const sizes = await estimateTables(session)
    const empty = await findEmpty(session, sizes)
    const [setting] = await session<{ utc: boolean }[]>`select extract(timezone from now()) = 0 as utc`
    return { tables, utc: setting?.utc ?? false, rows: (table) => rowsOf(table, { sizes, empty, schema }) }
  })
}

function rowsOf(
  table: TableName,
  { sizes, empty, schema }: { sizes: readonly TableRows[]; empty: ReadonlySet<TableRows>; schema: string },
): number | undefined {
  const named = { ...table, schema: table.schema ?? schema }
  const size =
    sizes.find((one) => one.schema === named.schema && one.name === named.table) ??
    sizes.find((one) => sameTable({ schema: one.schema, table: one.name }, table))
  if (!size) return undefined
  return empty.has(size) ? 0 : (size.rows ?? 0) || undefined
}

/** The tables without a row; one that somebody has locked is not waited for, and counts as filled. */
async function findEmpty(session: Session, sizes: readonly TableRows[]): Promise<ReadonlySet<TableRows>> {
  const empty = new Set<TableRows>()
  for (const size of sizes.filter((one) => !one.rows)) {
    const table = `${quoteIdentifier(size.schema)}.${quoteIdentifier(size.name)}`
    const [row] = await session.unsafe(`select exists (select from ${table}) as filled`).catch(() => [{ filled: true }])
    if (!row?.['filled']) empty.add(size)
  }
  return empty
}

/** The tables of a database as lint knows those of files: from the statements that would make them. */
export async function readTables(session: Session): Promise<readonly ModelTable[]> {
  const { parseSync } = await loadParser()
  const rows = await session.unsafe<{ statement: string }[]>(statementsQuery)
  const model = createModel()
  for (const { statement } of rows) {
    for (const { stmt } of (parseSync(statement).stmts ?? []) as readonly { readonly stmt?: Node }[]) {
      model.learn({ sql: statement, index: 0, tree: stmt }, undefined)
    }
  }
  return model.tables
}

/**
 * Statements that make a table's columns, its constraints, its indexes, in this order; just
 * enough of each for lint, and never run. Names and types are written by the server itself.
 */
const statementsQuery = `
  with own as (
    select c.oid, format('%I.%I', n.nspname, c.relname) as name, c.relkind, c.relispartition
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'm', 'f') and c.relpersistence <> 't'
  )
  select format('create table %s (%s)%s', own.name,
                string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                                  case when a.attnotnull then ' not null' else '' end), ', ' order by a.attnum),
                case when own.relkind = 'p' then ' partition by range (x)' else '' end) as statement,
         1 as place
  from own left join pg_attribute a on a.attrelid = own.oid and a.attnum > 0 and not a.attisdropped
  where a.attname is not null
  group by own.oid, own.name, own.relkind
  union all
  select format('alter table %s add constraint %I %s', own.name, c.conname, pg_get_constraintdef(c.oid)), 2
  from own join pg_constraint c on c.conrelid = own.oid
  where c.contype in ('c', 'f', 'p', 'u', 'x')
  union all
  select pg_get_indexdef(i.indexrelid), 3
  from own join pg_index i on i.indrelid = own.oid
  where not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.conrelid = own.oid)
  order by place`
