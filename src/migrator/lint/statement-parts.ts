import type { TableName } from '../preservation/touched-tables.js'
import type { Node } from '../statements/statements.js'
import { listAt, nodeAt, tableIn, textAt } from '../statements/tree.js'
import type { Complaint, Subject } from './rule.js'

/** The table of an `alter table`, when it was in use before this run; undefined for any other statement. */
export function alteredTable({ kind, content, inUse }: Subject): TableName | undefined {
  if (kind !== 'AlterTableStmt' || content['objtype'] !== 'OBJECT_TABLE') return undefined
  const table = tableIn(nodeAt(content, 'relation'))
  return inUse(table) ? table : undefined
}

/** What is wrong with the sub-commands of one kind of an `alter table` of a table in use. */
export function complainOf(
  subject: Subject,
  subtype: string,
  judge: (command: Node, table: TableName) => Complaint | string | undefined,
): readonly Complaint[] {
  const table = alteredTable(subject)
  if (!table) return []
  const commands = listAt(subject.content, 'cmds').filter((command) => command['subtype'] === subtype)
  return commands
    .map((command) => judge(command, table))
    .filter((found) => found !== undefined)
    .map(asComplaint)
}

export function asComplaint(found: Complaint | string): Complaint {
  return typeof found === 'string' ? { message: found } : found
}

/** The columns that a `create table` or `add column` defines, with the table they belong to. */
export function definedColumns({ kind, content }: Subject): readonly { table: TableName; column: Node }[] {
  const table = tableIn(nodeAt(content, 'relation'))
  if (kind === 'CreateStmt') {
    return listAt(content, 'tableElts')
      .filter((one) => one['colname'])
      .map((column) => ({ table, column }))
  }
  if (kind !== 'AlterTableStmt' || content['objtype'] !== 'OBJECT_TABLE') return []
  return addedColumns(content).map((column) => ({ table, column }))
}

/** The definitions in the `add column`s of an `alter table`. */
export function addedColumns(content: Node): readonly Node[] {
  const commands = listAt(content, 'cmds').filter((command) => command['subtype'] === 'AT_AddColumn')
  return commands.map((command) => nodeAt(nodeAt(command, 'def'), 'ColumnDef'))
}

/** The constraint that an `add constraint` adds. */
export function addedConstraint(command: Node): Node {
  return nodeAt(nodeAt(command, 'def'), 'Constraint')
}

/** The column that an `add column` adds. */
export function addedColumn(command: Node): Node {
  return nodeAt(nodeAt(command, 'def'), 'ColumnDef')
}

export function constraintOf(column: Node, type: string): Node | undefined {
  return listAt(column, 'constraints').find((one) => one['contype'] === type)
}

export function columnName(column: Node): string {
  return textAt(column, 'colname')
}
