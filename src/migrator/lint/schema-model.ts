import type { SchemaFacts } from '../effects/effects.js'
import type { TableName } from '../preservation/touched-tables.js'
import { type ColumnType, columnTypeOf } from '../statements/column-type.js'
import type { Node, Statement } from '../statements/statements.js'
import {
  columnsIn,
  listAt,
  namesAt,
  nodeAt,
  nodesAt,
  sameTable,
  tableAt,
  tableIn,
  tableOfNames,
  tablesAt,
  tableText,
  textAt,
  unwrap,
} from '../statements/tree.js'

/** A table as the migrations made it. */
export interface ModelTable {
  name: TableName
  /** The version of the migration that makes it; undefined when it was there before. */
  readonly madeBy: number | undefined
  readonly columns: Map<string, { type: ColumnType; notNull: boolean }>
  readonly constraints: Map<string, ModelConstraint>
  readonly indexes: Map<string, { readonly columns: readonly string[] }>
  readonly isPartitioned: boolean
  readonly isPartition: boolean
}

export interface ModelConstraint {
  readonly type: 'check' | 'foreign key' | 'key' | 'not null' | 'other'
  readonly columns: readonly string[]
  readonly references?: TableName
  /** Columns of which a check says that they are not null. */
  readonly provesNotNull: readonly string[]
  valid: boolean
}

/**
 * What is known of a schema from the statements that made it, as far as their text tells.
 *
 * A table that no statement made is unknown, and whoever asks has to assume the worst.
 */
export interface SchemaModel extends SchemaFacts {
  readonly tables: readonly ModelTable[]
  find(table: TableName): ModelTable | undefined
  /** Takes in what a statement of the migration `version` does. */
  learn(statement: Statement, version: number | undefined): void
}

export function createModel(tables: readonly ModelTable[] = []): SchemaModel {
  const shelf = new Shelf(tables)
  const find = (table: TableName) => shelf.find(table)
  return {
    get tables() {
      return shelf.all()
    },
    find,
    learn: (statement, version) => {
      const { kind, content } = unwrap(statement.tree)
      lessons[kind]?.({ shelf, find, version }, content)
    },
    tableOf: (index) => shelf.all().find((table) => table.indexes.has(index.table))?.name,
    columnType: (table, column) => find(table)?.columns.get(column)?.type,
    isNotNull: (table, column) => isNotNull(find(table), column),
    referencedBy: (table, constraint) =>
      [...(find(table)?.constraints ?? [])]
        .filter(([name]) => constraint === undefined || name === constraint)
        .flatMap(([, one]) => one.references ?? []),
  }
}

/** Tables by their names, so that thousands of them are found as fast as a few. */
class Shelf {
  private readonly byName = new Map<string, ModelTable[]>()

  constructor(tables: readonly ModelTable[]) {
    for (const table of tables) this.add(table)
  }

  all(): readonly ModelTable[] {
    return [...this.byName.values()].flat()
  }

  find(name: TableName): ModelTable | undefined {
    return this.byName.get(name.table)?.find((one) => sameTable(one.name, name))
  }

  add(table: ModelTable): void {
    this.byName.set(table.name.table, [...(this.byName.get(table.name.table) ?? []), table])
  }

  remove(table: ModelTable): void {
    const left = (this.byName.get(table.name.table) ?? []).filter((one) => one !== table)
    this.byName.set(table.name.table, left)
  }
}

interface Classroom {
  readonly shelf: Shelf
  readonly find: (table: TableName) => ModelTable | undefined
  readonly version: number | undefined
}

type Lesson = (room: Classroom, content: Node) => void

const lessons: Readonly<Record<string, Lesson>> = {
  CreateStmt: learnTable,
  CreateTableAsStmt: (room, content) => {
    const name = tableAt(nodeAt(content, 'into'), 'rel')
    if (name && !room.find(name)) room.shelf.add(emptyTable(name, room.version))
  },
  SelectStmt: (room, content) => {
    const name = tableAt(nodeAt(content, 'intoClause'), 'rel')
    if (name && !room.find(name)) room.shelf.add(emptyTable(name, room.version))
  },
  CreateSchemaStmt: (room, content) => {
    for (const tree of nodesAt(content, 'schemaElts')) {
      const { kind, content: element } = unwrap(tree)
      lessons[kind]?.(room, element)
    }
  },
  AlterTableStmt: (room, content) => {
    const table = room.find(tableIn(nodeAt(content, 'relation')))
    if (!table) return
    for (const command of listAt(content, 'cmds')) alter(table, command)
  },
  IndexStmt: (room, content) => {
    const table = room.find(tableIn(nodeAt(content, 'relation')))
    const columns = listAt(content, 'indexParams').map((param) => textAt(param, 'name'))
    const partial = content['whereClause'] !== undefined
    const name = textAt(content, 'idxname') || `${table?.name.table}_${columns.join('_')}_idx`
    table?.indexes.set(name, { columns: partial ? [] : columns })
  },
  RenameStmt: learnRename,
  DropStmt: (room, content) => {
    const names = nodesAt(content, 'objects').map((object) => namesAt(nodeAt(object, 'List'), 'items'))
    for (const name of names.map(tableOfNames)) forget(room, textAt(content, 'removeType'), name)
  },
}

function learnTable(room: Classroom, content: Node): void {
  const name = tableIn(nodeAt(content, 'relation'))
  if (room.find(name)) return
  const table: ModelTable = {
    ...emptyTable(name, room.version),
    isPartitioned: content['partspec'] !== undefined,
    isPartition: content['partbound'] !== undefined,
  }
  room.shelf.add(table)
  for (const parent of [...tablesAt(content, 'inhRelations'), ...likes(content)]) {
    for (const [column, facts] of room.find(parent)?.columns ?? []) table.columns.set(column, { ...facts })
  }
  for (const element of nodesAt(content, 'tableElts').map(unwrap)) {
    if (element.kind === 'ColumnDef') learnColumn(table, element.content)
    // A constraint that is made with its table is valid, whatever is written.
    if (element.kind === 'Constraint') learnConstraint(table, { ...element.content, skip_validation: false })
  }
}

function likes(content: Node): readonly TableName[] {
  const clauses = nodesAt(content, 'tableElts')
    .map(unwrap)
    .filter((one) => one.kind === 'TableLikeClause')
  return clauses.map((one) => tableIn(nodeAt(one.content, 'relation')))
}

export function emptyTable(name: TableName, madeBy: number | undefined): ModelTable {
  return {
    name,
    madeBy,
    columns: new Map(),
    constraints: new Map(),
    indexes: new Map(),
    isPartitioned: false,
    isPartition: false,
  }
}

function learnColumn(table: ModelTable, definition: Node): void {
  const name = textAt(definition, 'colname')
  if (table.columns.has(name)) return
  const constraints = listAt(definition, 'constraints')
  const required = constraints.some((one) =>
    ['CONSTR_NOTNULL', 'CONSTR_PRIMARY', 'CONSTR_IDENTITY'].includes(textAt(one, 'contype')),
  )
  table.columns.set(name, { type: columnTypeOf(nodeAt(definition, 'typeName')), notNull: required })
  for (const constraint of constraints) learnConstraint(table, constraint, name)
}

const constraintTypes: Readonly<Record<string, ModelConstraint['type']>> = {
  CONSTR_CHECK: 'check',
  CONSTR_FOREIGN: 'foreign key',
  CONSTR_PRIMARY: 'key',
  CONSTR_UNIQUE: 'key',
  CONSTR_NOTNULL: 'not null',
  CONSTR_EXCLUSION: 'other',
}

/** @param column the column whose definition holds the constraint */
function learnConstraint(table: ModelTable, constraint: Node, column?: string): void {
  const type = constraintTypes[textAt(constraint, 'contype')]
  if (!type) return
  const listed = type === 'foreign key' ? namesAt(constraint, 'fk_attrs') : namesAt(constraint, 'keys')
  const named = type === 'check' ? columnsIn(constraint['raw_expr']) : listed
  const columns = named.length > 0 || column === undefined ? named : [column]
  const name = textAt(constraint, 'conname') || defaultName(table, textAt(constraint, 'contype'), columns)
  const references = tableAt(constraint, 'pktable')
  const valid = constraint['skip_validation'] !== true
  const provesNotNull = type === 'check' ? columnsProvenBy(constraint['raw_expr']) : []
  table.constraints.set(name, { type, columns, provesNotNull, valid, ...(references ? { references } : {}) })
  const index = textAt(constraint, 'indexname')
  if (type === 'key') table.indexes.set(name, { columns: table.indexes.get(index)?.columns ?? columns })
  if (type === 'key' && index && index !== name) table.indexes.delete(index)
  const proven = type === 'not null' ? columns : constraint['contype'] === 'CONSTR_PRIMARY' ? columns : []
  if (valid) for (const one of proven) require(table, one)
}

/** https://www.postgresql.org/docs/current/ddl-constraints.html: `<table>_<columns>_<kind>`. */
function defaultName(table: ModelTable, contype: string, columns: readonly string[]): string {
  const base = table.name.table
  if (contype === 'CONSTR_PRIMARY') return `${base}_pkey`
  if (contype === 'CONSTR_CHECK' && columns.length > 1) return `${base}_check`
  const endings: Readonly<Record<string, string>> = {
    CONSTR_FOREIGN: 'fkey',
    CONSTR_UNIQUE: 'key',
    CONSTR_NOTNULL: 'not_null',
    CONSTR_EXCLUSION: 'excl',
  }
  return [base, ...columns, endings[contype] ?? 'check'].join('_')
}

/** `c is not null`, alone or as one of the conditions that all have to hold. */
function columnsProvenBy(expression: unknown): readonly string[] {
  const { kind, content } = unwrap(expression as Node | undefined)
  if (kind === 'BoolExpr' && content['boolop'] === 'AND_EXPR') return nodesAt(content, 'args').flatMap(columnsProvenBy)
  if (kind !== 'NullTest' || content['nulltesttype'] !== 'IS_NOT_NULL') return []
  return namesAt(nodeAt(nodeAt(content, 'arg'), 'ColumnRef'), 'fields').slice(-1)
}

function isNotNull(table: ModelTable | undefined, column: string): boolean {
  if (!table) return false
  const checks = [...table.constraints.values()]
  return (
    table.columns.get(column)?.notNull === true || checks.some((one) => one.valid && one.provesNotNull.includes(column))
  )
}

function require(table: ModelTable, column: string): void {
  const known = table.columns.get(column)
  if (known) known.notNull = true
}

function alter(table: ModelTable, command: Node): void {
  alterations[textAt(command, 'subtype')]?.(table, textAt(command, 'name'), nodeAt(command, 'def'))
}

const alterations: Readonly<Record<string, (table: ModelTable, name: string, definition: Node) => void>> = {
  AT_AddColumn: (table, _name, definition) => learnColumn(table, nodeAt(definition, 'ColumnDef')),
  AT_DropColumn: dropColumn,
  AT_AlterColumnType: ({ columns }, name, definition) => {
    const column = columns.get(name)
    if (column) column.type = columnTypeOf(nodeAt(nodeAt(definition, 'ColumnDef'), 'typeName'))
  },
  AT_SetNotNull: require,
  AT_DropNotNull: ({ columns }, name) => {
    const column = columns.get(name)
    if (column) column.notNull = false
  },
  AT_AddConstraint: (table, _name, definition) => learnConstraint(table, nodeAt(definition, 'Constraint')),
  AT_DropConstraint: ({ constraints, indexes }, name) => {
    constraints.delete(name)
    indexes.delete(name)
  },
  AT_ValidateConstraint: validate,
}

function dropColumn(table: ModelTable, column: string): void {
  table.columns.delete(column)
  for (const [name, one] of table.constraints) if (one.columns.includes(column)) table.constraints.delete(name)
  for (const [name, one] of table.indexes) if (one.columns.includes(column)) table.indexes.delete(name)
}

function validate(table: ModelTable, name: string): void {
  const constraint = table.constraints.get(name)
  if (!constraint) return
  constraint.valid = true
  if (constraint.type === 'not null') for (const column of constraint.columns) require(table, column)
}

function learnRename(room: Classroom, content: Node): void {
  const named = tableIn(nodeAt(content, 'relation'))
  const to = textAt(content, 'newname')
  const from = textAt(content, 'subname')
  const table = room.find(named)
  switch (content['renameType']) {
    case 'OBJECT_TABLE':
      if (table) renameTable(room, table, to)
      return
    case 'OBJECT_INDEX':
      for (const one of room.shelf.all()) renameKey(one.indexes, named.table, to)
      return
    case 'OBJECT_COLUMN':
      if (table) renameColumn(table, from, to)
      return
    case 'OBJECT_TABCONSTRAINT':
      if (table) renameKey(table.constraints, from, to)
      if (table) renameKey(table.indexes, from, to)
  }
}

function renameTable({ shelf }: Classroom, table: ModelTable, to: string): void {
  shelf.remove(table)
  table.name = { schema: table.name.schema, table: to }
  shelf.add(table)
}

function renameColumn(table: ModelTable, from: string, to: string): void {
  const renamed = (columns: readonly string[]) => columns.map((column) => (column === from ? to : column))
  renameKey(table.columns, from, to)
  for (const [name, one] of table.indexes) table.indexes.set(name, { columns: renamed(one.columns) })
  for (const [name, one] of table.constraints) {
    table.constraints.set(name, {
      ...one,
      columns: renamed(one.columns),
      provesNotNull: renamed(one.provesNotNull),
    })
  }
}

function renameKey<Value>(map: Map<string, Value>, from: string, to: string): void {
  const value = map.get(from)
  if (value === undefined) return
  map.delete(from)
  map.set(to, value)
}

function forget({ shelf }: Classroom, type: string, name: TableName): void {
  const table = type === 'OBJECT_TABLE' || type === 'OBJECT_MATVIEW' ? shelf.find(name) : undefined
  if (table) shelf.remove(table)
  if (type === 'OBJECT_INDEX') for (const one of shelf.all()) one.indexes.delete(name.table)
}

/** A table with what is known of its size: `traces (350,000 rows)`. */
export function tableWithRows(table: TableName, rows: number | undefined): string {
  return rows === undefined ? tableText(table) : `${tableText(table)} (${rows.toLocaleString('en')} rows)`
}
