import type { Problem } from './directives.js'
import { locate } from './location.js'
import type { Script } from './migration.js'

/** A node of PostgreSQL's parse tree: its kind to its content. */
export type Node = Readonly<Record<string, unknown>>

/** One statement of a migration file. */
export interface Statement {
  /** The text, without the comments before it and the semicolon after it. */
  readonly sql: string
  /** Where it begins in the file, as a JavaScript string index. */
  readonly index: number
  /** Its parse tree; undefined when the server is newer than the parser and only it can tell. */
  readonly tree: Node | undefined
}

/** A migration file, ready to run. */
export interface ParsedScript {
  readonly statements: readonly Statement[]
  /** True when the statements run in one transaction together with the history row. */
  readonly transactional: boolean
}

/** The major version of PostgreSQL whose grammar libpg-query carries. */
const parserMajor = 18

/**
 * Takes an SQL migration apart into statements, with PostgreSQL's own parser.
 *
 * `begin` and `commit` around a whole file are dropped, because obs opens the
 * transaction itself. A file the parser rejects is one statement when the server is
 * newer than the parser: then the server has the last word.
 *
 * @param serverVersion `server_version_num`
 * @returns the script, and what is wrong with it; nothing else may be used when problems are not empty.
 */
export async function parseScript(
  script: Script,
  serverVersion: number,
): Promise<{ readonly parsed: ParsedScript; readonly problems: readonly Problem[] }> {
  const { loadModule, parseSync } = await import('libpg-query')
  await loadModule()
  try {
    const trees = isBlank(script.text) ? [] : (parseSync(script.text).stmts ?? [])
    return judge(script, withoutOuterTransaction(place(script.text, trees as readonly RawStatement[])))
  } catch (error) {
    if (Math.floor(serverVersion / 10000) > parserMajor) return judge(script, [whole(script.text)])
    return { parsed: { statements: [], transactional: true }, problems: [syntaxProblem(script, error)] }
  }
}

interface RawStatement {
  readonly stmt: Node
  readonly stmt_location?: number
  readonly stmt_len?: number
}

/** The parser counts in bytes of UTF-8; JavaScript counts in UTF-16 units. */
function place(text: string, trees: readonly RawStatement[]): readonly Statement[] {
  const bytes = Buffer.from(text)
  let byte = 0
  let index = 0
  return trees.map(({ stmt, stmt_location: start = 0, stmt_len: length }) => {
    index += bytes.toString('utf8', byte, start).length
    const raw = bytes.toString('utf8', start, length === undefined ? undefined : start + length)
    byte = start
    const skipped = leadingBlanks(raw)
    return { sql: raw.slice(skipped).trimEnd(), index: index + skipped, tree: stmt }
  })
}

/** How many characters of white space, comments and stray semicolons come before the statement itself. */
function leadingBlanks(sql: string): number {
  let index = 0
  for (;;) {
    const blank = /^(?:[\s;]+|--[^\n]*)/.exec(sql.slice(index))?.[0].length ?? blockComment(sql, index)
    if (blank === 0) return index
    index += blank
  }
}

/** Length of the block comment at `start`, 0 when there is none; PostgreSQL nests them. */
function blockComment(sql: string, start: number): number {
  if (!sql.startsWith('/*', start)) return 0
  const marks = /\/\*|\*\//g
  marks.lastIndex = start
  let depth = 0
  for (let mark = marks.exec(sql); mark; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex - start
  }
  return sql.length - start
}

function isBlank(text: string): boolean {
  return leadingBlanks(text) >= text.length
}

function whole(text: string): Statement {
  return { sql: text, index: 0, tree: undefined }
}

function withoutOuterTransaction(statements: readonly Statement[]): readonly Statement[] {
  const first = transactionKind(statements[0])
  const last = transactionKind(statements.at(-1))
  const opens = first === 'TRANS_STMT_BEGIN' || first === 'TRANS_STMT_START'
  return opens && last === 'TRANS_STMT_COMMIT' ? statements.slice(1, -1) : statements
}

function judge(script: Script, statements: readonly Statement[]) {
  const loners = statements.filter((statement) => refusesTransaction(statement.tree))
  const transactional = !script.directives.noTransaction && !(statements.length === 1 && loners.length === 1)
  const problems = statements
    .flatMap((statement) => complaints(statement, transactional))
    .map(({ index, message }) => ({
      message,
      location: locate(script.file, script.text, index),
    }))
  return { parsed: { statements, transactional }, problems }
}

function complaints(statement: Statement, transactional: boolean): readonly { index: number; message: string }[] {
  const { index, tree } = statement
  const kind = transactionKind(statement)
  if (kind && !savepoints.has(kind)) {
    return [{ index, message: 'obs opens and ends the transaction itself; take begin, commit and rollback out' }]
  }
  if (transactional && refusesTransaction(tree)) {
    const message =
      'this cannot run in a transaction; put it into a migration of its own, or begin the file with -- obs: no-transaction'
    return [{ index, message }]
  }
  const copy = tree?.['CopyStmt'] as Node | undefined
  if (copy?.['is_from'] && !copy['filename']) {
    return [{ index, message: 'copy from stdin needs a client that sends the rows; write insert statements instead' }]
  }
  return []
}

const savepoints = new Set(['TRANS_STMT_SAVEPOINT', 'TRANS_STMT_RELEASE', 'TRANS_STMT_ROLLBACK_TO'])

function transactionKind(statement: Statement | undefined): string | undefined {
  const transaction = statement?.tree?.['TransactionStmt'] as Node | undefined
  return transaction?.['kind'] as string | undefined
}

/**
 * True for statements that PostgreSQL refuses inside a transaction block.
 *
 * Those that are refused only for what they name (`alter database … set tablespace`,
 * some of TimescaleDB's) are left for the server to refuse.
 * https://www.postgresql.org/docs/current/sql-commands.html
 */
function refusesTransaction(tree: Node | undefined): boolean {
  const [kind = '', content] = Object.entries(tree ?? {})[0] ?? []
  const test = refusals[kind]
  return test ? test((content ?? {}) as Node) : false
}

const refusals: Readonly<Record<string, (content: Node) => boolean>> = {
  IndexStmt: (content) => content['concurrent'] === true,
  DropStmt: (content) => content['concurrent'] === true,
  ReindexStmt: (content) => hasOption(content, 'concurrently') || wholeReindex.has(String(content['kind'])),
  VacuumStmt: (content) => content['is_vacuumcmd'] === true,
  ClusterStmt: (content) => content['relation'] === undefined,
  AlterTableStmt: (content) => JSON.stringify(content['cmds'] ?? []).includes('"concurrent":true'),
  CreatedbStmt: () => true,
  DropdbStmt: () => true,
  CreateTableSpaceStmt: () => true,
  DropTableSpaceStmt: () => true,
  AlterSystemStmt: () => true,
}

const wholeReindex = new Set(['REINDEX_OBJECT_SCHEMA', 'REINDEX_OBJECT_SYSTEM', 'REINDEX_OBJECT_DATABASE'])

function hasOption(content: Node, name: string): boolean {
  const options = (content['params'] ?? []) as readonly { DefElem?: { defname?: string } }[]
  return options.some((option) => option.DefElem?.defname === name)
}

function syntaxProblem(script: Script, error: unknown): Problem {
  const { message, cursorPosition } = detailsOf(error)
  const index = characterIndex(script.text, cursorPosition)
  const command = /^\\[a-z!?]+/i.exec(script.text.slice(index))?.[0]
  return {
    message: command ? `${command} is a command of psql, not SQL; obs runs SQL only` : message,
    location: locate(script.file, script.text, index),
  }
}

function detailsOf(error: unknown): { message: string; cursorPosition: number } {
  const message = error instanceof Error ? error.message : String(error)
  const details = error instanceof Error && 'sqlDetails' in error ? (error.sqlDetails as Node) : {}
  const position = details['cursorPosition']
  return { message, cursorPosition: typeof position === 'number' ? Math.max(0, position) : 0 }
}

/** The parser reports errors in characters, counted from 0. */
function characterIndex(text: string, characters: number): number {
  return [...text.slice(0, characters * 2)].slice(0, characters).join('').length
}
