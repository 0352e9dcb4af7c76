import type { CatalogObject } from '../database/catalog.js'
import type { SchemaSnapshot } from './snapshot.js'

/** From PostgreSQL 16 on, a view on a single table is written without the table's name before its columns. */
const shorterViews = 160_000

/**
 * Takes what two versions of PostgreSQL write differently about the same thing out of the
 * second snapshot, so that only differences of the schemas themselves remain.
 *
 * The definition of a view is replaced by that of the first snapshot when both mean the
 * same to PostgreSQL's own parser. Everything else that is compared is written in the same
 * way by every version from 15 on.
 * https://www.postgresql.org/docs/current/functions-info.html (pg_get_viewdef)
 */
export async function alignVersions(reference: SchemaSnapshot, actual: SchemaSnapshot): Promise<SchemaSnapshot> {
  if (reference.serverVersion < shorterViews === actual.serverVersion < shorterViews) return actual
  const views = new Map(reference.objects.filter(isView).map((view) => [view.identity, view]))
  const { loadModule, parseSync } = await import('libpg-query')
  await loadModule()
  const meaning = (sql: string) => meaningOf(sql, parseSync)
  const objects = actual.objects.map((object) => {
    const twin = isView(object) ? views.get(object.identity) : undefined
    const [wanted, found] = [twin?.facts['definition'], object.facts['definition']]
    if (wanted === undefined || found === undefined || wanted === found) return object
    if (meaning(wanted) !== meaning(found)) return object
    return { ...object, facts: { ...object.facts, definition: wanted } }
  })
  return { ...actual, objects }
}

function isView({ kind }: CatalogObject): boolean {
  return kind === 'view' || kind === 'materialized view' || kind === 'continuous aggregate'
}

type Tree = Readonly<Record<string, unknown>>

/** The parse tree as text; a definition that cannot be parsed means itself. */
function meaningOf(sql: string, parse: (sql: string) => { readonly stmts?: readonly unknown[] }): string {
  try {
    const [statement] = (parse(sql).stmts ?? []) as readonly { readonly stmt?: Tree }[]
    const select = statement?.stmt?.['SelectStmt'] as Tree | undefined
    if (!select) return sql
    return JSON.stringify(plain(select, readsOneTable(select)))
  } catch {
    return sql
  }
}

function readsOneTable(select: Tree): boolean {
  const from = (select['fromClause'] ?? []) as readonly Tree[]
  return from.length === 1 && from[0]?.['RangeVar'] !== undefined
}

/** The tree without positions and, on the outermost level, without the table before a column. */
function plain(node: unknown, unqualified: boolean): unknown {
  if (Array.isArray(node)) return node.map((child) => plain(child, unqualified))
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node)
      .filter(([name]) => !name.endsWith('location') && name !== 'stmt_len')
      .map(([name, child]) => {
        if (name === 'ColumnRef') return [name, plain(unqualified ? withoutTable(child) : child, false)]
        return [name, plain(child, unqualified && name !== 'SelectStmt')]
      }),
  )
}

/** `pet.name` as `name`; a whole row, `pet.*`, keeps its table. */
function withoutTable(reference: Tree): Tree {
  const fields = (reference['fields'] ?? []) as readonly Tree[]
  const last = fields.at(-1)
  return last?.['A_Star'] === undefined ? { ...reference, fields: [last] } : reference
}
