import type { Directives, Problem, Target } from '../files/directives.js'
import { locate } from '../files/location.js'
import type { Script } from '../migration.js'
import { type Node, type ParsedScript, parseStatement, type Statement } from '../statements/statements.js'
import { contentOf } from '../statements/written-name.js'
import { findBounds, nodesOf, parametersIn } from './bounds.js'
import { type BackfillRequest, parseRequest } from './request.js'

/** What the directive above a statement asks for, once the statement was found fit for it. */
export interface Backfill {
  readonly request: BackfillRequest
  /** Where the directive stands in the file, as a JavaScript string index. */
  readonly index: number
  /** Bytes of UTF-8 of the statement before each operator that leaves the lower bound out. */
  readonly lowerOperators: readonly number[]
  /** It takes rows out of the walked table. */
  readonly deletes: boolean
}

/**
 * Finds the statements with a directive `-- obs: backfill …` above them.
 *
 * All that can be told without a database is checked here: that the statement stays
 * within its bounds, that the columns it writes are declared, that it does not alter
 * the key it is walking by.
 */
export async function findBackfills(
  script: Script,
  parsed: ParsedScript,
): Promise<{ readonly statements: readonly Statement[]; readonly problems: readonly Problem[] }> {
  const marks = marksIn(script.text)
  const problems: Problem[] = []
  const report = (message: string, index: number) =>
    problems.push({ message, location: locate(script.file, script.text, index) })
  const statements: Statement[] = []
  for (const [i, statement] of parsed.statements.entries()) {
    const previous = parsed.statements[i - 1]
    const above = marks.filter((mark) => mark.index < statement.index && mark.index >= endOf(previous))
    const [mark] = above
    if (above[1]) report('a statement is one backfill; take one of the two directives out', above[1].index)
    if (!mark) {
      if (bindsNothing(statement)) report(unbound, statement.index)
      statements.push(statement)
      continue
    }
    const found = await judge(mark, statement, parsed, script.directives)
    if (Array.isArray(found)) for (const message of found) report(message, mark.index)
    else statements.push({ ...statement, backfill: found as Backfill })
  }
  for (const mark of marks.filter((one) => !isAboveOne(one.index, parsed.statements))) {
    report('the directive backfill stands directly above the statement that it is for', mark.index)
  }
  return { statements, problems }
}

const unbound =
  'the statement has parameters, which only a backfill binds: put -- obs: backfill <table> by <column> above it'

interface Mark {
  readonly text: string
  readonly index: number
}

function marksIn(text: string): readonly Mark[] {
  const lines = text.matchAll(/^([ \t]*--[ \t]*)obs:[ \t]*backfill(?![\w-])[ \t]*(.*?)[ \t]*\r?$/gm)
  return [...lines].map((line) => ({ text: line[2] ?? '', index: line.index + (line[1]?.length ?? 0) }))
}

function endOf(statement: Statement | undefined): number {
  return statement ? statement.index + statement.sql.length : 0
}

function isAboveOne(index: number, statements: readonly Statement[]): boolean {
  const next = statements.findIndex((statement) => statement.index > index)
  return next >= 0 && endOf(statements[next - 1]) <= index
}

/** A parameter anywhere else than in these belongs to the statement itself, as in `prepare`. */
function bindsNothing({ sql, tree }: Statement): boolean {
  if (!/\$\d/.test(sql)) return false
  return manipulations.some((kind) => parametersIn(tree?.[kind]).length > 0)
}

const manipulations = ['UpdateStmt', 'InsertStmt', 'DeleteStmt', 'SelectStmt', 'MergeStmt']

/** The backfill, or what is wrong with it. */
async function judge(
  { text, index }: Mark,
  statement: Statement,
  { transactional }: ParsedScript,
  directives: Directives,
): Promise<Backfill | readonly string[]> {
  const request = parseRequest(text)
  if (typeof request === 'string') return [request]
  if (transactional) return ['a backfill commits batch by batch; begin the file with -- obs: no-transaction']
  const tree = await parseAlone(statement.sql)
  const [kind, content] = contentOf({ tree })
  if (!tree || !walking.has(kind)) return ['a backfill is one update, insert … select or delete']
  const { lowerOperators, problems } = findBounds(tree, request.key)
  const writes = writesOf(tree)
  const all = [...problems, ...keyProblems(request, writes, content), ...undeclared(writes, directives)]
  const deletes = writes.some((write) => write.deletes && write.table === request.table.table)
  return all.length > 0 ? all : { request, index, lowerOperators, deletes }
}

const walking = new Set(['UpdateStmt', 'InsertStmt', 'DeleteStmt'])

/** Places in the tree of a file count from the beginning of the file, here from that of the statement. */
async function parseAlone(sql: string): Promise<Node | undefined> {
  return (await parseStatement(sql)).tree
}

/** What one part of a statement does to one table. */
interface Write {
  readonly table: string
  readonly columns: readonly string[]
  readonly inserts: boolean
  readonly deletes: boolean
}

/** Everything a statement writes, in its WITH queries too. */
function writesOf(tree: Node): readonly Write[] {
  const updates = [...nodesOf(tree, 'UpdateStmt')].map((node) => write(node, node))
  const inserts = [...nodesOf(tree, 'InsertStmt')].map((node) => ({
    ...write(node, (node['onConflictClause'] ?? {}) as Node),
    inserts: true,
  }))
  const deletes = [...nodesOf(tree, 'DeleteStmt')].map((node) => ({ ...write(node, {}), deletes: true }))
  return [...updates, ...inserts, ...deletes]
}

function write(node: Node, assigning: Node): Write {
  const relation = node['relation'] as { relname?: string } | undefined
  const targets = (assigning['targetList'] ?? []) as readonly { ResTarget?: { name?: string } }[]
  const columns = targets.flatMap((target) => target.ResTarget?.name ?? [])
  return { table: relation?.relname ?? '', columns, inserts: false, deletes: false }
}

function keyProblems({ table, key }: BackfillRequest, writes: readonly Write[], content: Node): readonly string[] {
  const own = writes.filter((one) => one.table === table.table)
  const moved = key.find((column) => own.some((one) => one.columns.includes(column)))
  const inserted = own.some((one) => one.inserts)
  return [
    ...(moved === undefined ? [] : [`the statement alters ${moved}, the key that it walks by; a row could come twice`]),
    ...(inserted
      ? [`the statement inserts into ${table.table}, which it walks through; it would find its own rows`]
      : []),
    ...(content['returningList'] || content['returningClause']
      ? ['nobody reads what returning returns; take it out']
      : []),
  ]
}

function undeclared(writes: readonly Write[], { changes }: Directives): readonly string[] {
  const targets = writes.flatMap(({ table, columns, deletes }): Target[] => [
    ...columns.filter((column) => !declares(changes, table, column)).map((column) => ({ table, column })),
    ...(deletes && !declares(changes, table, undefined) ? [{ table, column: undefined }] : []),
  ])
  return targets.map(({ table, column }) => {
    const what = column === undefined ? `takes rows out of ${table}` : `alters ${table}.${column}`
    return `the statement ${what}; begin the file with -- obs: changes ${column === undefined ? table : `${table}.${column}`}`
  })
}

/** True when a directive `changes` allows it: for the whole table, or for the column. */
export function declares(changes: readonly Target[], table: string, column: string | undefined): boolean {
  return changes.some((target) => target.table === table && (target.column === undefined || target.column === column))
}
