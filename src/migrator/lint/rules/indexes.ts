import type { Node } from '../../statements/statements.js'
import {
  isOn,
  listAt,
  namesAt,
  nodeAt,
  nodesAt,
  optionsAt,
  tableAt,
  tableIn,
  tableOfNames,
  tableText,
  textAt,
  unwrap,
} from '../../statements/tree.js'
import type { MigrationSubject, Rule } from '../rule.js'
import type { ModelTable, SchemaModel } from '../schema-model.js'

export const indexBlocksWrites: Rule = {
  id: 'index-blocks-writes',
  severity: 'error',
  summary: 'create index without concurrently on a table with rows',
  why: 'The table is locked in SHARE mode until the index is built: everybody can read it and nobody can write to it.',
  safer: 'Use create index concurrently, in a migration of its own, because it refuses a transaction.',
  test: ({ kind, content, inUse, describe, model }) => {
    const table = tableIn(nodeAt(content, 'relation'))
    if (kind !== 'IndexStmt' || content['concurrent'] || !inUse(table)) return []
    const message = `building this index blocks every write to ${describe(table)}`
    // Only the partitions can be indexed concurrently; an index on the parent alone takes no time.
    if (!model.find(table)?.isPartitioned) return [{ message }]
    if (textAt(nodeAt(content, 'relation'), 'relname') && nodeAt(content, 'relation')['inh'] !== true) return []
    const safer = `Create it with on only ${tableText(table)}, build one concurrently on each partition, and attach those.`
    return [{ message, safer }]
  },
}

export const dropIndexBlocks: Rule = {
  id: 'drop-index-blocks',
  severity: 'warning',
  summary: 'drop index without concurrently',
  why: 'It waits for ACCESS EXCLUSIVE on the table, and while it waits behind a long query everybody else queues behind it.',
  safer: 'Use drop index concurrently, in a migration of its own, because it refuses a transaction.',
  test: ({ kind, content, inUse, describe, model }) => {
    if (kind !== 'DropStmt' || content['removeType'] !== 'OBJECT_INDEX' || content['concurrent']) return []
    return nodesAt(content, 'objects').flatMap((object) => {
      const index = tableOfNames(namesAt(nodeAt(object, 'List'), 'items'))
      const table = model.tableOf(index)
      if (table && !inUse(table)) return []
      const of = table ? describe(table) : 'its table'
      return [{ message: `dropping ${tableText(index)} locks ${of} against readers and writers` }]
    })
  },
}

export const reindexBlocksWrites: Rule = {
  id: 'reindex-blocks-writes',
  severity: 'error',
  summary: 'reindex without concurrently',
  why: 'The table is locked in SHARE mode, and the index in ACCESS EXCLUSIVE, until the index is built anew.',
  safer: 'Use reindex … concurrently, in a migration of its own, because it refuses a transaction.',
  test: ({ kind, content, inUse, describe, model }) => {
    if (kind !== 'ReindexStmt' || isOn(optionsAt(content, 'params'), 'concurrently')) return []
    const named = tableAt(content, 'relation')
    const table = named && content['kind'] === 'REINDEX_OBJECT_INDEX' ? model.tableOf(named) : named
    if (table && !inUse(table)) return []
    return [{ message: `reindex blocks every write to ${table ? describe(table) : 'the table'}` }]
  },
}

export const foreignKeyWithoutIndex: Rule = {
  id: 'foreign-key-without-index',
  severity: 'warning',
  summary: 'a foreign key whose columns no index begins with',
  why: 'Every delete and key change in the table it refers to reads this table from end to end.',
  safer: 'Create an index that begins with the columns of the foreign key.',
  testMigration: (subject) => {
    const keys = addedKeys(subject)
    return keys.map(({ table, columns }) => ({
      message: `no index of ${tableText(table.name)} begins with (${columns.join(', ')}), which a foreign key refers from`,
    }))
  },
}

/** The foreign keys that the migration adds and that have no index once everything is applied. */
function addedKeys({ final, up }: MigrationSubject) {
  const added = (up?.statements ?? []).flatMap(({ tree }) => keysOf(unwrap(tree), final))
  const keys = added.flatMap(({ table, name }) => {
    const key = table.constraints.get(name)
    return key?.type === 'foreign key' && key.columns.length > 0 ? [{ table, columns: key.columns }] : []
  })
  return keys.filter(({ table, columns }) => !hasIndex(table, columns))
}

interface KeyName {
  readonly table: ModelTable
  readonly name: string
}

/** The foreign keys of a table that is made, or that an `alter table` adds, by the names they get. */
function keysOf({ kind, content }: { kind: string; content: Node }, final: SchemaModel): readonly KeyName[] {
  const named = tableIn(nodeAt(content, 'relation'))
  const table = kind === 'CreateStmt' || kind === 'AlterTableStmt' ? final.find(named) : undefined
  if (!table) return []
  if (kind === 'CreateStmt') return [...table.constraints.keys()].map((name) => ({ table, name }))
  return listAt(content, 'cmds').flatMap((command) =>
    addedNames(named.table, nodeAt(command, 'def')).map((name) => ({ table, name })),
  )
}

function addedNames(table: string, definition: Node): readonly string[] {
  const constraint = nodeAt(definition, 'Constraint')
  const column = nodeAt(definition, 'ColumnDef')
  const own =
    constraint['contype'] === 'CONSTR_FOREIGN' ? [nameOf(constraint, [table, ...namesAt(constraint, 'fk_attrs')])] : []
  const ofColumn = listAt(column, 'constraints').filter((one) => one['contype'] === 'CONSTR_FOREIGN')
  return [...own, ...ofColumn.map((one) => nameOf(one, [table, textAt(column, 'colname')]))]
}

function nameOf(constraint: Node, parts: readonly string[]): string {
  return textAt(constraint, 'conname') || `${parts.join('_')}_fkey`
}

/** An index serves when its first columns are those of the key, in whatever order. */
function hasIndex(table: ModelTable, columns: readonly string[]): boolean {
  return [...table.indexes.values()].some((index) => {
    const leading = index.columns.slice(0, columns.length)
    return columns.every((column) => leading.includes(column))
  })
}
