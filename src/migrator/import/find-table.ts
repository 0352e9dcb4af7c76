import type { Session, Sql } from '../../database/connect.js'
import { codeOf, UsageError } from '../../errors.js'
import type { ForeignTable, Tool, ToolName } from './foreign-history.js'
import { tools } from './tools.js'

/** What the person said about where the history is. */
export interface TableWish {
  readonly tool?: ToolName
  /** As SQL writes it: `schema_migrations`, `app."Migrations"`. */
  readonly table?: string
}

/** A tool and the table that holds its history. */
export interface Found {
  readonly tool: Tool
  readonly table: ForeignTable
}

/**
 * Finds the one table that holds another tool's history.
 *
 * Tools are told apart by their columns, because golang-migrate and dbmate call their
 * tables the same.
 *
 * @throws UsageError when there is none, or several could be meant.
 */
export async function findForeignTable(sql: Sql, wish: TableWish): Promise<Found> {
  const candidates = wish.table === undefined ? await tablesCalledLikeATools(sql) : await tablesNamed(sql, wish.table)
  const wanted = tools.filter((tool) => wish.tool === undefined || tool.name === wish.tool)
  const found = candidates.flatMap((table) => tablesOf(wanted, table, wish.table !== undefined))
  const [first] = found
  if (!first) throw nothingFound(wish, candidates, wanted)
  if (found.length > 1) throw severalFound(found)
  return first
}

/** The histories of other tools that are called as usual, in any schema. */
export async function findHistories(sql: Sql | Session): Promise<readonly Found[]> {
  const candidates = await tablesCalledLikeATools(sql)
  return candidates.flatMap((table) => tablesOf(tools, table, false))
}

/** Every table that some tool made for itself, by its name and its columns. */
export async function findAllForeignTables(
  sql: Sql | Session,
): Promise<readonly Pick<ForeignTable, 'schema' | 'name'>[]> {
  const found = await findHistories(sql)
  return found.flatMap(({ tool, table: { schema, name } }) =>
    [name, ...(tool.besides ?? [])].map((each) => ({ schema, name: each })),
  )
}

function tablesOf(wanted: readonly Tool[], table: ForeignTable, anyName: boolean): readonly Found[] {
  return wanted
    .filter((tool) => (anyName || tool.tables.includes(table.name)) && missingColumns(tool, table).length === 0)
    .map((tool) => ({ tool, table }))
}

function missingColumns(tool: Tool, table: ForeignTable): readonly string[] {
  return Object.entries(tool.columns)
    .filter(([column, types]) => !types.includes(table.columns[column] ?? ''))
    .map(([column]) => column)
}

function tablesCalledLikeATools(sql: Sql | Session): Promise<readonly ForeignTable[]> {
  const names = tools.flatMap((tool) => tool.tables)
  return tablesWhere(sql, sql`c.relname = any(${names})`)
}

async function tablesNamed(sql: Sql, text: string): Promise<readonly ForeignTable[]> {
  const [name, schema, more] = [...(await partsOf(sql, text))].reverse()
  if (name === undefined || more !== undefined) throw notAName(text)
  const inSchema = schema === undefined ? sql`true` : sql`n.nspname = ${schema}`
  return tablesWhere(sql, sql`c.relname = ${name} and ${inSchema}`)
}

/** PostgreSQL's own reading of a name, quotes and folding included. */
async function partsOf(sql: Sql, text: string): Promise<readonly string[]> {
  try {
    const [row] = await sql<{ parts: string[] }[]>`select parse_ident(${text}) as parts`
    return row?.parts ?? []
  } catch (error) {
    if (codeOf(error) === '22023') throw notAName(text)
    throw error
  }
}

function tablesWhere(sql: Sql | Session, condition: ReturnType<Sql>): Promise<readonly ForeignTable[]> {
  return sql<ForeignTable[]>`
    select n.nspname as schema, c.relname as name, jsonb_object_agg(a.attname, t.typname) as columns
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and ${condition}
    group by 1, 2
    order by 1, 2`
}

function nothingFound({ tool, table }: TableWish, candidates: readonly ForeignTable[], wanted: readonly Tool[]) {
  const names = wanted.map((one) => `${one.name}: ${one.tables.join(' or ')}`).join(', ')
  const hint = `Name the table with --table (${names}), or adopt a database without a history with obs migrate baseline; nothing was changed.`
  const facts = { code: 'no_foreign_history', details: { tool, table } }
  if (table !== undefined && candidates.length === 0)
    return new UsageError(`there is no table ${table}`, { ...facts, hint })
  const [first] = candidates
  if (first === undefined)
    return new UsageError(`there is no history of ${tool ?? 'another tool'} here`, { ...facts, hint })
  return new UsageError(
    `${nameOf(first)} is no history of ${tool ?? 'a tool that obs knows'}${lacking(wanted, first)}`,
    {
      ...facts,
      hint,
    },
  )
}

function lacking(wanted: readonly Tool[], table: ForeignTable): string {
  const [tool] = wanted
  if (!tool || wanted.length > 1) return ''
  const expected = missingColumns(tool, table).map((column) => `${column} ${tool.columns[column]?.join(' or ')}`)
  return `: it lacks ${expected.join(', ')}`
}

function severalFound(found: readonly Found[]): UsageError {
  const described = found.map(({ tool, table }) => `${nameOf(table)} of ${tool.name}`)
  return new UsageError(`there are ${found.length} histories here: ${described.join(', ')}`, {
    code: 'foreign_history_ambiguous',
    hint: 'Name the one that counts with --table, or its tool with --from; nothing was changed.',
    details: { histories: found.map(({ tool, table }) => ({ tool: tool.name, table: nameOf(table) })) },
  })
}

function notAName(text: string): UsageError {
  return new UsageError(`--table ${JSON.stringify(text)} is no name of a table`, {
    code: 'invalid_table',
    hint: 'Write it as SQL does: schema_migrations, or app."Migrations".',
    details: { table: text },
  })
}

/** For people. */
export function nameOf({ schema, name }: Pick<ForeignTable, 'schema' | 'name'>): string {
  return `${schema}.${name}`
}
