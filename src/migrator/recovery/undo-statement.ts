import { quoteIdentifier } from '../../database/quote.js'
import type { Node, Statement } from '../statements/statements.js'
import { someNode } from '../statements/tree.js'
import {
  contentOf,
  droppedNames,
  list,
  listedName,
  node,
  relationName,
  text,
  type WrittenName,
  writtenSql,
} from '../statements/written-name.js'

/** What takes back a list of statements, or the first of them that cannot be taken back with certainty. */
export type Inverse =
  | { readonly sql: readonly string[] }
  /** Index into the list. */
  | { readonly impossible: number }

/**
 * Derives from statements that took effect the statements that take them back, last first.
 *
 * Only what is certain: a thing that a statement made is dropped, a new name is given
 * back. `if not exists` and `or replace` may have found something that was there before,
 * so they are not taken back. What was done to a table that the same statements made goes
 * with that table.
 */
export function deriveInverse(statements: readonly Statement[]): Inverse {
  const made = new Set<string>()
  const sql: string[] = []
  for (const [i, statement] of statements.entries()) {
    const one = (statement.block ?? [statement]).map((part) => inverseOf(part, made))
    if (one.some((inverse) => inverse === undefined)) return { impossible: i }
    sql.unshift(...one.reverse().flatMap((inverse) => inverse ?? []))
  }
  return { sql }
}

function inverseOf(statement: Statement, made: Set<string>): readonly string[] | undefined {
  const [kind, content] = contentOf(statement)
  if (concerns(kind, content, made)) return []
  const inverse = inverses[kind]?.(content)
  const table = kind === 'CreateStmt' ? content['relation'] : node(content['into'])['rel']
  if (inverse && table) made.add(writtenSql(relationName(table)))
  return inverse
}

/** True for what is done to a table of which nothing will be left. */
function concerns(kind: string, content: Node, made: ReadonlySet<string>): boolean {
  if (!['IndexStmt', 'AlterTableStmt', 'CreateTrigStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt'].includes(kind))
    return false
  if (kind === 'AlterTableStmt' && list(content['cmds']).some(movesData)) return false
  // A function that is called, or a statement inside of a statement, may reach other tables.
  if (someNode(content, (name) => name === 'FuncCall' || name === 'withClause')) return false
  return made.has(writtenSql(relationName(content['relation'])))
}

function movesData(command: Node): boolean {
  return /Partition/.test(String(node(command['AlterTableCmd'])['subtype']))
}

type Derive = (content: Node) => readonly string[] | undefined

const nothing: Derive = () => []

const inverses: Readonly<Record<string, Derive>> = {
  CreateStmt: (content) => unlessThere(content, `drop table ${relation(content['relation'])}`),
  CreateTableAsStmt: (content) => {
    const what = content['objtype'] === 'OBJECT_MATVIEW' ? 'materialized view' : 'table'
    return unlessThere(content, `drop ${what} ${relation(node(content['into'])['rel'])}`)
  },
  CreateSeqStmt: (content) => unlessThere(content, `drop sequence ${relation(content['sequence'])}`),
  CreateSchemaStmt: (content) =>
    unlessThere(content, `drop schema ${quoteIdentifier(text(content['schemaname']) ?? '')}`),
  CreateExtensionStmt: (content) =>
    unlessThere(content, `drop extension ${quoteIdentifier(text(content['extname']) ?? '')}`),
  CreateEnumStmt: (content) => [`drop type ${named(content['typeName'])}`],
  CreateRangeStmt: (content) => [`drop type ${named(content['typeName'])}`],
  CompositeTypeStmt: (content) => [`drop type ${relation(content['typevar'])}`],
  CreateDomainStmt: (content) => [`drop domain ${named(content['domainname'])}`],
  ViewStmt: (content) => unlessReplaced(content, `drop view ${relation(content['view'])}`),
  CreateFunctionStmt: (content) => {
    const what = content['is_procedure'] === true ? 'procedure' : 'function'
    return unlessReplaced(content, `drop ${what} ${named(content['funcname'])}`)
  },
  CreateTrigStmt: (content) =>
    unlessReplaced(
      content,
      `drop trigger ${quoteIdentifier(text(content['trigname']) ?? '')} on ${relation(content['relation'])}`,
    ),
  CreatePolicyStmt: (content) => [
    `drop policy ${quoteIdentifier(text(content['policy_name']) ?? '')} on ${relation(content['table'])}`,
  ],
  IndexStmt: dropIndex,
  AlterTableStmt: alterTable,
  RenameStmt: rename,
  VacuumStmt: nothing,
  ReindexStmt: nothing,
  ClusterStmt: nothing,
  CheckPointStmt: nothing,
}

function unlessThere(content: Node, sql: string): readonly string[] | undefined {
  return content['if_not_exists'] === true ? undefined : [sql]
}

function unlessReplaced(content: Node, sql: string): readonly string[] | undefined {
  return content['replace'] === true ? undefined : [sql]
}

function relation(value: unknown): string {
  return writtenSql(relationName(value))
}

function named(value: unknown): string {
  return writtenSql(listedName(value))
}

/** An index lives in the schema of its table. */
function dropIndex(content: Node): readonly string[] | undefined {
  const name = text(content['idxname'])
  if (name === undefined) return undefined
  return unlessThere(content, `drop index ${writtenSql({ schema: relationName(content['relation']).schema, name })}`)
}

function alterTable(content: Node): readonly string[] | undefined {
  if (content['objtype'] !== 'OBJECT_TABLE' || content['missing_ok'] === true) return undefined
  const parts = list(content['cmds']).map((command) => dropOfAddition(node(command['AlterTableCmd'])))
  if (parts.some((part) => part === undefined)) return undefined
  return [`alter table ${relation(content['relation'])} ${parts.reverse().join(', ')}`]
}

function dropOfAddition(command: Node): string | undefined {
  if (command['missing_ok'] === true) return undefined
  const column = text(node(node(command['def'])['ColumnDef'])['colname'])
  if (command['subtype'] === 'AT_AddColumn' && column !== undefined) return `drop column ${quoteIdentifier(column)}`
  const constraint = text(node(node(command['def'])['Constraint'])['conname'])
  if (command['subtype'] === 'AT_AddConstraint' && constraint !== undefined)
    return `drop constraint ${quoteIdentifier(constraint)}`
  return undefined
}

function rename(content: Node): readonly string[] | undefined {
  if (content['missing_ok'] === true) return undefined
  const { schema, name } = relationName(content['relation'])
  const to = text(content['newname']) ?? ''
  if (content['renameType'] === 'OBJECT_TABLE')
    return [`alter table ${writtenSql({ schema, name: to })} rename to ${quoteIdentifier(name)}`]
  if (content['renameType'] !== 'OBJECT_COLUMN' || content['relationType'] !== 'OBJECT_TABLE') return undefined
  const from = quoteIdentifier(text(content['subname']) ?? '')
  return [`alter table ${writtenSql({ schema, name })} rename column ${quoteIdentifier(to)} to ${from}`]
}

/**
 * A statement of a down file as it can run whether or not there is anything to take back,
 * in a transaction; undefined when it would fail, or reach further, where there is nothing.
 */
export function tolerant(statement: Statement): string | undefined {
  const [kind, content] = contentOf(statement)
  if (kind === 'DropStmt') return tolerantDrop(statement, content)
  if (kind !== 'AlterTableStmt' || content['missing_ok'] !== true) return undefined
  const commands = list(content['cmds']).map((command) => node(command['AlterTableCmd']))
  const drops = commands.every(
    ({ subtype, missing_ok: missingOk, behavior }) =>
      (subtype === 'AT_DropColumn' || subtype === 'AT_DropConstraint') &&
      missingOk === true &&
      behavior !== 'DROP_CASCADE',
  )
  return drops ? statement.sql : undefined
}

function tolerantDrop({ sql }: Statement, content: Node): string | undefined {
  if (content['missing_ok'] !== true || content['behavior'] === 'DROP_CASCADE') return undefined
  if (content['concurrent'] !== true) return sql
  return `drop index if exists ${droppedNames(content)
    .map((name: WrittenName) => writtenSql(name))
    .join(', ')}`
}
