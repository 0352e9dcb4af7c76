import type { Backfill } from '../backfill/find-backfills.js'
import { textChecksum, tokenChecksum } from '../checksum/checksum.js'
import type { Problem } from '../files/directives.js'
import { locate } from '../files/location.js'
import type { Script } from '../migration.js'
import { loadParser, parserMajor } from './parser.js'
import { place } from './place-statements.js'
import { type Complaint, type CopyRows, type Node, readsStdin, takeApart } from './take-apart.js'
import {
  findBlocks,
  isBlock,
  isSavepoint,
  type Part,
  statementsOf,
  type TransactionBlock,
} from './transaction-blocks.js'

export type { Node } from './take-apart.js'

/** One statement of a migration file, or a `begin … commit` of several that run as one. */
export interface Statement {
  /** The text, without the comments around it and the semicolon after it. */
  readonly sql: string
  /** Where it begins in the file, as a JavaScript string index. */
  readonly index: number
  /**
   * Its parse tree; undefined for a `begin … commit`, and when the server is newer than
   * the parser and only it can tell.
   */
  readonly tree: Node | undefined
  /** What a `copy … from stdin` is sent. */
  readonly rows?: CopyRows
  /** What stands between `begin` and `commit`, which runs in a transaction of its own. */
  readonly block?: readonly Statement[]
  /** What the directive `backfill` above it asks for. */
  readonly backfill?: Backfill
}

/** A migration file, ready to run. */
export interface ParsedScript {
  readonly statements: readonly Statement[]
  /** True when the statements run in one transaction together with the history row. */
  readonly transactional: boolean
  /** What the history keeps to tell whether the file changed. */
  readonly checksum: string
}

/**
 * Takes an SQL migration apart into statements, with PostgreSQL's own parser.
 *
 * In a file that runs in a transaction, `begin` and `commit` are dropped, because all of
 * it is one transaction; in any other, what stands between them is one statement that
 * runs in a transaction of its own. A file the parser rejects is one statement when the
 * server is newer than the parser: then the server has the last word.
 *
 * @param serverVersion `server_version_num`
 * @returns the script, and what is wrong with it; nothing else may be used when problems are not empty.
 */
export async function parseScript(
  script: Script,
  serverVersion: number,
): Promise<{ readonly parsed: ParsedScript; readonly problems: readonly Problem[] }> {
  await loadParser()
  const { text } = script
  const { stretches, complaints, mistake } = takeApart(text)
  if (mistake && complaints.length === 0 && Math.floor(serverVersion / 10000) > parserMajor) {
    return judge(script, [{ sql: text, index: 0, tree: undefined }], textChecksum(text), [])
  }
  if (mistake) return judge(script, [], '', [...complaints, mistake])
  const placed = stretches.flatMap(place)
  const checksum = tokenChecksum(text, placed)
  return judge(
    script,
    placed.map(({ statement }) => statement),
    checksum,
    complaints,
  )
}

/** One statement on its own, as the history keeps it; without a tree when the parser does not know it. */
export async function parseStatement(sql: string): Promise<Statement> {
  const { parseSync } = await loadParser()
  try {
    const [first] = (parseSync(sql).stmts ?? []) as readonly { readonly stmt?: Node }[]
    return { sql, index: 0, tree: first?.stmt }
  } catch {
    return { sql, index: 0, tree: undefined }
  }
}

function judge(
  script: Script,
  all: readonly Statement[],
  checksum: string,
  found: readonly Complaint[],
): { readonly parsed: ParsedScript; readonly problems: readonly Problem[] } {
  const { parts, complaints } = findBlocks(all)
  const transactional = !script.directives.noTransaction && !isForcedOut(parts)
  const statements = transactional
    ? statementsOf(parts)
    : parts.map((part) => (isBlock(part) ? asOne(part, script) : part))
  const problems = [...found, ...complaints, ...parts.flatMap((part) => complaintsAbout(part, transactional))]
    .sort((a, b) => a.index - b.index)
    .map(({ index, message }) => ({ message, location: locate(script.file, script.text, index) }))
  return { parsed: { statements, transactional, checksum }, problems }
}

/** True when there is something to run that refuses a transaction, and nothing that could use one. */
function isForcedOut(parts: readonly Part[]): boolean {
  if (parts.some(isBlock)) return false
  const statements = statementsOf(parts)
  const loners = statements.filter(({ tree }) => refusesTransaction(tree))
  return loners.length > 0 && statements.every(({ tree }) => refusesTransaction(tree) || isSetting(tree))
}

/** True for `set` and `reset`, which act on the session. */
export function isSetting(tree: Node | undefined): boolean {
  return tree?.['VariableSetStmt'] !== undefined
}

function asOne({ begin, statements, commit }: TransactionBlock, { text }: Script): Statement {
  const sql = text.slice(begin.index, commit.index + commit.sql.length)
  return { sql, index: begin.index, tree: undefined, block: statements }
}

function complaintsAbout(part: Part, transactional: boolean): readonly Complaint[] {
  if (isBlock(part)) return part.statements.flatMap((statement) => complaints(statement, true))
  return complaints(part, transactional)
}

function complaints(statement: Statement, inTransaction: boolean): readonly Complaint[] {
  const { index, tree } = statement
  const messages = [
    inTransaction && refusesTransaction(tree) ? aboutTransaction : undefined,
    !inTransaction && isSavepoint(statement) ? 'a savepoint needs a begin above it and a commit below it' : undefined,
    aboutCopy(statement),
    aboutSession(tree),
  ]
  return messages.flatMap((message) => (message ? [{ index, message }] : []))
}

const aboutTransaction =
  'this cannot run in a transaction; put it into a migration of its own, or begin the file with -- obs: no-transaction'

function aboutCopy({ tree, rows }: Statement): string | undefined {
  const copy = tree?.['CopyStmt'] as Node | undefined
  if (!copy || copy['filename'] !== undefined) return undefined
  if (!readsStdin(tree)) return 'copy … to stdout has nobody to read it; take it out'
  if (!rows) return 'no rows follow this copy … from stdin; they go below it, up to a line with \\. and nothing else'
  return hasBinaryFormat(copy)
    ? 'copy … from stdin takes its rows from this file, so they have to be text or csv'
    : undefined
}

function hasBinaryFormat(copy: Node): boolean {
  return JSON.stringify(copy['options'] ?? []).includes('"defname":"format","arg":{"String":{"sval":"binary"}}')
}

/** What would take from obs the session that it works in. */
function aboutSession(tree: Node | undefined): string | undefined {
  const discard = tree?.['DiscardStmt'] as Node | undefined
  if (discard?.['target'] === 'DISCARD_ALL') return 'discard all would give up the migration lock; take it out'
  const deallocate = tree?.['DeallocateStmt'] as Node | undefined
  if (deallocate && deallocate['name'] === undefined)
    return 'deallocate all would take away what obs has prepared; name the statement'
  const set = tree?.['VariableSetStmt'] as Node | undefined
  return set?.['kind'] === 'VAR_SET_VALUE'
    ? aboutSetting(String(set['name']).toLowerCase(), settingValue(set))
    : undefined
}

function aboutSetting(name: string, value: string): string | undefined {
  if (name === 'client_encoding' && !/^(utf-?8|unicode)$/.test(value)) return 'obs reads and sends UTF-8; take this out'
  const off = ['off', 'false', 'no', '0'].includes(value)
  if (name === 'standard_conforming_strings' && off)
    return "obs reads '\\' in a string as itself; write E'…' where it is an escape, and take this out"
  return undefined
}

function settingValue(set: Node): string {
  const [argument] = (set['args'] ?? []) as readonly {
    A_Const?: { sval?: { sval?: string }; ival?: { ival?: number } }
  }[]
  const constant = argument?.A_Const
  return (constant?.sval?.sval ?? String(constant?.ival?.ival ?? 0)).toLowerCase()
}

/**
 * True for statements that PostgreSQL refuses inside a transaction block.
 *
 * Those that are refused only for what they name (`alter database … set tablespace`,
 * some of TimescaleDB's) are left for the server to refuse.
 * https://www.postgresql.org/docs/current/sql-commands.html
 */
export function refusesTransaction(tree: Node | undefined): boolean {
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
