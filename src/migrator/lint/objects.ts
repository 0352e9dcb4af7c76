import type { Node, Statement } from '../statements/statements.js'
import { columnsIn, listAt, namesAt, nodeAt, nodesAt, tableIn, textAt, unwrap } from '../statements/tree.js'

/** Something that a statement makes or drops, by its name without a schema. */
export interface DatabaseObject {
  /** `table`, `column`, `index`: the word that drops it. */
  readonly type: string
  readonly name: string
  /** The table that it goes away with. */
  readonly table?: string
  /** The columns that it goes away with. */
  readonly columns?: readonly string[]
  readonly schema?: string | undefined
}

/** What a list of statements makes and what is left of it at their end. */
export function madeBy(statements: readonly Statement[]): readonly DatabaseObject[] {
  let objects: DatabaseObject[] = []
  for (const statement of statements) {
    objects = without(objects, statement)
    objects.push(...made(statement))
  }
  return objects
}

/** What is left of `objects` when the statements have run; what these make does not count. */
export function leftAfter(
  objects: readonly DatabaseObject[],
  statements: readonly Statement[],
): readonly DatabaseObject[] {
  return statements.reduce(without, [...objects])
}

/** `column pet.name`, `index pet_name`. */
export function objectText({ type, name, table }: DatabaseObject): string {
  return `${type} ${partsOfTables.has(type) ? `${table}.` : ''}${name}`
}

const partsOfTables = new Set(['column', 'constraint', 'trigger', 'policy'])

/** What a statement makes. */
export function made({ tree }: Statement): readonly DatabaseObject[] {
  const { kind, content } = unwrap(tree)
  return makers[kind]?.(content) ?? []
}

type Maker = (content: Node) => readonly DatabaseObject[]

const makers: Readonly<Record<string, Maker>> = {
  CreateStmt: (content) => relation('table', nodeAt(content, 'relation')),
  CreateTableAsStmt: (content) => {
    const type = content['objtype'] === 'OBJECT_MATVIEW' ? 'materialized view' : 'table'
    return relation(type, nodeAt(nodeAt(content, 'into'), 'rel'))
  },
  SelectStmt: (content) => {
    return content['intoClause'] ? relation('table', nodeAt(nodeAt(content, 'intoClause'), 'rel')) : []
  },
  ViewStmt: (content) => (content['replace'] ? [] : relation('view', nodeAt(content, 'view'))),
  IndexStmt: (content) => {
    const table = tableIn(nodeAt(content, 'relation'))
    const columns = listAt(content, 'indexParams').map((param) => textAt(param, 'name'))
    return named('index', [textAt(content, 'idxname')], { table: table.table, columns, schema: table.schema })
  },
  AlterTableStmt: (content) => {
    const { table, schema } = tableIn(nodeAt(content, 'relation'))
    const type = content['objtype'] === 'OBJECT_TABLE'
    return type ? listAt(content, 'cmds').flatMap((command) => madeByCommand(command, { table, schema })) : []
  },
  CreateTrigStmt: (content) =>
    content['replace'] ? [] : onTable('trigger', textAt(content, 'trigname'), nodeAt(content, 'relation')),
  CreatePolicyStmt: (content) => onTable('policy', textAt(content, 'policy_name'), nodeAt(content, 'table')),
  CreateFunctionStmt: (content) => {
    const type = content['is_procedure'] ? 'procedure' : 'function'
    return content['replace'] ? [] : named(type, namesAt(content, 'funcname'))
  },
  CreateEnumStmt: (content) => named('type', namesAt(content, 'typeName')),
  CreateRangeStmt: (content) => named('type', namesAt(content, 'typeName')),
  CreateDomainStmt: (content) => named('domain', namesAt(content, 'domainname')),
  CompositeTypeStmt: (content) => relation('type', nodeAt(content, 'typevar')),
  CreateSeqStmt: (content) => {
    const owned = listAt(content, 'options').some((option) => option['defname'] === 'owned_by')
    return owned ? [] : relation('sequence', nodeAt(content, 'sequence'))
  },
  CreateSchemaStmt: (content) => named('schema', [textAt(content, 'schemaname')]),
}

function madeByCommand(command: Node, owner: { table: string; schema: string | undefined }): readonly DatabaseObject[] {
  const definition = nodeAt(command, 'def')
  if (command['subtype'] === 'AT_AddColumn') {
    const name = textAt(nodeAt(definition, 'ColumnDef'), 'colname')
    return [{ type: 'column', name, columns: [name], ...owner }]
  }
  const constraint = nodeAt(definition, 'Constraint')
  const columns = [
    ...namesAt(constraint, 'keys'),
    ...namesAt(constraint, 'fk_attrs'),
    ...columnsIn(constraint['raw_expr']),
  ]
  return named('constraint', [textAt(constraint, 'conname')], { columns, ...owner })
}

/** A temporary table goes away by itself. */
function relation(type: string, rangeVar: Node): readonly DatabaseObject[] {
  const { table, schema } = tableIn(rangeVar)
  return rangeVar['relpersistence'] === 't' ? [] : [{ type, name: table, table, schema }]
}

function onTable(type: string, name: string, rangeVar: Node): readonly DatabaseObject[] {
  return named(type, [name], tableIn(rangeVar))
}

function named(type: string, names: readonly string[], more: Partial<DatabaseObject> = {}): readonly DatabaseObject[] {
  const name = names.at(-1)
  return name ? [{ type, name, schema: names.at(-2), ...more }] : []
}

function without(objects: DatabaseObject[], { tree }: Statement): DatabaseObject[] {
  const { kind, content } = unwrap(tree)
  if (kind === 'RenameStmt') return objects.map((object) => renamed(object, content))
  const drops = dropsOf(tree)
  if (drops.length === 0) return objects
  return objects.filter((object) => !drops.some((drop) => takes(drop, object)))
}

/** What a statement drops by name. */
export function dropsOf(tree: Node | undefined): readonly DatabaseObject[] {
  const { kind, content } = unwrap(tree)
  if (kind === 'AlterTableStmt') return listAt(content, 'cmds').flatMap((command) => droppedByCommand(content, command))
  if (kind !== 'DropStmt') return []
  const type = dropTypes[textAt(content, 'removeType')]
  return type ? nodesAt(content, 'objects').flatMap((object) => dropped(type, object)) : []
}

const dropTypes: Readonly<Record<string, string>> = {
  OBJECT_TABLE: 'table',
  OBJECT_VIEW: 'view',
  OBJECT_MATVIEW: 'materialized view',
  OBJECT_INDEX: 'index',
  OBJECT_TRIGGER: 'trigger',
  OBJECT_POLICY: 'policy',
  OBJECT_FUNCTION: 'function',
  OBJECT_PROCEDURE: 'procedure',
  OBJECT_ROUTINE: 'function',
  OBJECT_TYPE: 'type',
  OBJECT_DOMAIN: 'domain',
  OBJECT_SEQUENCE: 'sequence',
  OBJECT_SCHEMA: 'schema',
}

function dropped(type: string, object: Node): readonly DatabaseObject[] {
  const names = partsOf(object)
  const onTable = type === 'trigger' || type === 'policy'
  return named(type, names.slice(-1), onTable ? { table: names.at(-2) ?? '' } : { schema: names.at(-2) })
}

function partsOf(object: Node): readonly string[] {
  const { kind, content } = unwrap(object)
  if (kind === 'List') return namesAt(content, 'items')
  if (kind === 'TypeName') return namesAt(content, 'names')
  return kind === 'ObjectWithArgs' ? namesAt(content, 'objname') : [textAt(content, 'sval')]
}

function droppedByCommand(content: Node, command: Node): readonly DatabaseObject[] {
  const { table } = tableIn(nodeAt(content, 'relation'))
  const type = command['subtype'] === 'AT_DropColumn' ? 'column' : 'constraint'
  const drops = type === 'column' || command['subtype'] === 'AT_DropConstraint'
  return drops ? [{ type, name: textAt(command, 'name'), table }] : []
}

function takes(drop: DatabaseObject, object: DatabaseObject): boolean {
  if (drop.type === 'schema' && object.schema === drop.name) return true
  if (drop.type === 'table' && object.table === drop.name) return true
  if (drop.type === 'column' && object.table === drop.table && object.columns?.includes(drop.name)) return true
  const sameOwner = !partsOfTables.has(drop.type) || drop.table === object.table
  return drop.type === object.type && drop.name === object.name && sameOwner
}

function renamed(object: DatabaseObject, content: Node): DatabaseObject {
  const from = textAt(content, 'subname')
  const to = textAt(content, 'newname')
  const table = textAt(nodeAt(content, 'relation'), 'relname')
  if (['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_MATVIEW'].includes(textAt(content, 'renameType'))) {
    if (object.table !== table) return object
    return { ...object, table: to, name: object.name === table && object.columns === undefined ? to : object.name }
  }
  if (content['renameType'] === 'OBJECT_INDEX')
    return object.type === 'index' && object.name === table ? { ...object, name: to } : object
  if (content['renameType'] === 'OBJECT_COLUMN' && object.table === table) {
    const columns = object.columns?.map((column) => (column === from ? to : column))
    const own = object.type === 'column' && object.name === from
    return { ...object, ...(columns ? { columns } : {}), name: own ? to : object.name }
  }
  const isConstraint = content['renameType'] === 'OBJECT_TABCONSTRAINT' && object.type === 'constraint'
  return isConstraint && object.table === table && object.name === from ? { ...object, name: to } : object
}
