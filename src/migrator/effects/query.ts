import type { TableName } from '../preservation/touched-tables.js'
import type { Node } from '../statements/statements.js'
import {
  isNode,
  listAt,
  namesAt,
  nodeAt,
  nodesAt,
  someNode,
  tableAt,
  tableIn,
  tableText,
  textAt,
  unwrap,
} from '../statements/tree.js'
import { effect } from './effect.js'
import type { LockMode, StatementEffect, TableLock } from './effects.js'
import { touchesNoTable } from './functions.js'

/** `select`, `insert`, `update`, `delete`, `merge`, `values` and what they hold. */
export function describeQuery(query: Node): StatementEffect {
  const { kind, content } = unwrap(query)
  const into = content['intoClause'] !== undefined
  return effect(into ? 'select into' : (words[kind] ?? 'query'), {
    locks: queryLocks(query),
    scans: wholeTable(kind, content),
    destroys: overwritten(query),
    opaque: callsUnknown(query),
  })
}

const words: Readonly<Record<string, string>> = {
  SelectStmt: 'select',
  InsertStmt: 'insert',
  UpdateStmt: 'update',
  DeleteStmt: 'delete',
  MergeStmt: 'merge',
}

/** The locks that planning and running a query takes: what it reads, what it writes, what it selects for update. */
export function queryLocks(query: unknown): readonly TableLock[] {
  return visit(query, new Set())
}

/** Whether a query calls a function of which it is not known that it touches no table. */
export function callsUnknown(query: unknown): boolean {
  return someNode(query, (kind, content) => kind === 'FuncCall' && !touchesNoTable(namesAt(content, 'funcname')))
}

const writes = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'])

function visit(tree: unknown, hidden: ReadonlySet<string>): readonly TableLock[] {
  if (Array.isArray(tree)) return tree.flatMap((member) => visit(member, hidden))
  if (!isNode(tree)) return []
  return Object.entries(tree).flatMap(([kind, content]) => {
    if (kind === 'RangeVar' && isNode(content)) return lockOf(content, 'ACCESS SHARE', hidden)
    if (isNode(content) && (writes.has(kind) || kind === 'SelectStmt')) return visitStatement(kind, content, hidden)
    return visit(content, hidden)
  })
}

/** A name that a with clause gives to a query hides the table of that name. */
function visitStatement(kind: string, content: Node, outer: ReadonlySet<string>): readonly TableLock[] {
  const { withClause, intoClause, lockingClause, relation, ...rest } = content
  const clause = isNode(withClause) ? withClause : {}
  const ctes = listAt(clause, 'ctes')
  const all = new Set([...outer, ...ctes.map((cte) => textAt(cte, 'ctename'))])
  const hidden = new Set(outer)
  const inside: TableLock[] = []
  for (const cte of ctes) {
    inside.push(...visit(cte['ctequery'], clause['recursive'] ? all : hidden))
    hidden.add(textAt(cte, 'ctename'))
  }
  const target = writes.has(kind) ? lockOf(nodeAt(content, 'relation'), 'ROW EXCLUSIVE', new Set()) : []
  const locked = Array.isArray(lockingClause) ? rowLocks(content, all) : []
  return [...target, ...inside, ...visit(rest, all), ...locked]
}

function lockOf(rangeVar: Node, mode: LockMode, hidden: ReadonlySet<string>): readonly TableLock[] {
  const table = tableIn(rangeVar)
  return table.schema === undefined && hidden.has(table.table) ? [] : [{ table, mode }]
}

/** `for update of a` names tables as the from clause calls them; without names it means all of them. */
function rowLocks(select: Node, hidden: ReadonlySet<string>): readonly TableLock[] {
  const named = listAt(select, 'lockingClause').flatMap((clause) => listAt(clause, 'lockedRels'))
  const wanted = new Set(named.map((one) => textAt(one, 'relname')))
  const called = (rangeVar: Node) => textAt(nodeAt(rangeVar, 'alias'), 'aliasname') || textAt(rangeVar, 'relname')
  return rangeVarsIn(select['fromClause'])
    .filter((rangeVar) => wanted.size === 0 || wanted.has(called(rangeVar)))
    .flatMap((rangeVar) => lockOf(rangeVar, 'ROW SHARE', hidden))
}

function rangeVarsIn(tree: unknown): readonly Node[] {
  if (Array.isArray(tree)) return tree.flatMap(rangeVarsIn)
  if (!isNode(tree)) return []
  return Object.entries(tree).flatMap(([kind, content]) =>
    kind === 'RangeVar' && isNode(content) ? [content] : rangeVarsIn(content),
  )
}

/** An update or delete of every row reads the whole table; of any other query only the planner knows. */
function wholeTable(kind: string, content: Node): readonly TableName[] {
  const table = tableAt(content, 'relation')
  const every = (kind === 'UpdateStmt' || kind === 'DeleteStmt') && content['whereClause'] === undefined
  return every && table ? [table] : []
}

/** What the data-modifying parts of a query overwrite or delete. */
function overwritten(tree: unknown): readonly string[] {
  if (Array.isArray(tree)) return tree.flatMap(overwritten)
  if (!isNode(tree)) return []
  return Object.entries(tree).flatMap(([kind, content]) => {
    const own = isNode(content) ? (losses[kind]?.(content) ?? []) : []
    return [...own, ...overwritten(content)]
  })
}

const losses: Readonly<Record<string, (content: Node) => readonly string[]>> = {
  UpdateStmt: (content) => [valuesOf(content, listAt(content, 'targetList'))],
  DeleteStmt: (content) => [`deletes ${content['whereClause'] ? 'rows' : 'every row'} of ${name(content)}`],
  InsertStmt: (content) => {
    const clause = nodeAt(content, 'onConflictClause')
    return clause['action'] === 'ONCONFLICT_UPDATE' ? [valuesOf(content, listAt(clause, 'targetList'))] : []
  },
  MergeStmt: (content) =>
    nodesAt(content, 'mergeWhenClauses').flatMap((clause) => lossOfMerge(content, unwrap(clause).content)),
}

function lossOfMerge(merge: Node, clause: Node): readonly string[] {
  if (clause['commandType'] === 'CMD_DELETE') return [`deletes rows of ${name(merge)}`]
  return clause['commandType'] === 'CMD_UPDATE' ? [valuesOf(merge, listAt(clause, 'targetList'))] : []
}

function valuesOf(content: Node, targets: readonly Node[]): string {
  const columns = targets.map((target) => `${name(content)}.${textAt(target, 'name')}`)
  return `overwrites values of ${columns.join(', ')}`
}

function name(content: Node): string {
  return tableText(tableIn(nodeAt(content, 'relation')))
}
