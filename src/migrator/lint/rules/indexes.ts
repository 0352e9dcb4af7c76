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
} from '../../tree.js'
import type { MigrationSubject, Rule } from '../rule.js'
import type { ModelTable } from '../schema-model.js'

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
function addedKeys({ before, final, up }: MigrationSubject) {
  if (!up) return []
  const version = up.migration.version
  return final.tables.flatMap((table) =>
    [...table.constraints]
      .filter(
        ([name, one]) =>
          one.type === 'foreign key' && one.columns.length > 0 && addedHere(name, table, version, { before, up }),
      )
      .filter(([, one]) => !hasIndex(table, one.columns))
      .map(([, one]) => ({ table, columns: one.columns })),
  )
}

function addedHere(
  name: string,
  table: ModelTable,
  version: number,
  { before, up }: { before: MigrationSubject['before']; up: NonNullable<MigrationSubject['up']> },
): boolean {
  if (before.find(table.name)?.constraints.has(name)) return false
  return table.madeBy === version || names(up).has(name)
}

/** The constraints that the alter table statements of a script add, by the name they get in the model. */
function names(up: NonNullable<MigrationSubject['up']>): ReadonlySet<string> {
  const found = new Set<string>()
  for (const { tree } of up.statements) {
    const alter = nodeAt(tree ?? {}, 'AlterTableStmt')
    const table = textAt(nodeAt(alter, 'relation'), 'relname')
    for (const command of listAt(alter, 'cmds')) {
      const definition = nodeAt(command, 'def')
      const constraint = nodeAt(definition, 'Constraint')
      if (constraint['contype'] === 'CONSTR_FOREIGN') {
        found.add(textAt(constraint, 'conname') || [table, ...namesAt(constraint, 'fk_attrs'), 'fkey'].join('_'))
      }
      const column = nodeAt(definition, 'ColumnDef')
      for (const one of listAt(column, 'constraints').filter((own) => own['contype'] === 'CONSTR_FOREIGN')) {
        found.add(textAt(one, 'conname') || `${table}_${textAt(column, 'colname')}_fkey`)
      }
    }
  }
  return found
}

/** An index serves when its first columns are those of the key, in whatever order. */
function hasIndex(table: ModelTable, columns: readonly string[]): boolean {
  return [...table.indexes.values()].some((index) => {
    const leading = index.columns.slice(0, columns.length)
    return columns.every((column) => leading.includes(column))
  })
}
