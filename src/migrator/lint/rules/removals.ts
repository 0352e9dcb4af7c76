import {
  namesAt,
  nodeAt,
  nodesAt,
  tableAt,
  tableIn,
  tableOfNames,
  tablesAt,
  tableText,
  textAt,
} from '../../statements/tree.js'
import type { Rule } from '../rule.js'
import { complainOf } from '../statement-parts.js'

export const dropColumn: Rule = {
  id: 'drop-column',
  severity: 'error',
  summary: 'drop column',
  why: 'Its values are gone for good, and code that still names it fails at once.',
  safer: 'Stop using it first, and drop it once no running version of the code names it; back its values up.',
  test: (subject) =>
    complainOf(subject, 'AT_DropColumn', (command, table) => {
      return `dropping ${tableText(table)}.${textAt(command, 'name')} loses its values and breaks code that names it`
    }),
}

export const dropTable: Rule = {
  id: 'drop-table',
  severity: 'error',
  summary: 'drop table',
  why: 'Its rows are gone for good, and code that still names it fails at once.',
  safer: 'Rename it out of the way first, and drop it once nothing has missed it; back its rows up.',
  test: ({ kind, content, inUse, describe }) => {
    if (kind !== 'DropStmt' || content['removeType'] !== 'OBJECT_TABLE') return []
    const tables = nodesAt(content, 'objects').map((one) => tableOfNames(namesAt(nodeAt(one, 'List'), 'items')))
    return tables.filter(inUse).map((table) => ({ message: `dropping ${describe(table)} loses its rows` }))
  },
}

export const truncate: Rule = {
  id: 'truncate',
  severity: 'error',
  summary: 'truncate',
  why: 'Every row is gone for good, and the table is locked against readers and writers (ACCESS EXCLUSIVE).',
  safer: 'Delete what has to go in batches, or keep the rows in another table until nobody has missed them.',
  test: ({ kind, content, inUse, describe }) => {
    const tables = kind === 'TruncateStmt' ? tablesAt(content, 'relations') : []
    return tables.filter(inUse).map((table) => ({ message: `truncate loses every row of ${describe(table)}` }))
  },
}

export const cascade: Rule = {
  id: 'cascade',
  severity: 'error',
  summary: 'cascade',
  why: 'What else is dropped depends on what the database holds that day: views, foreign keys, columns of other tables.',
  safer:
    'Drop what depends on it by name, before it; then the migration fails where something unexpected would be lost.',
  alsoDown: true,
  test: ({ kind, content, effect }) => {
    const own = content['behavior'] === 'DROP_CASCADE' && cascading.has(kind)
    const below = nodesAt(content, 'cmds').some((one) => nodeAt(one, 'AlterTableCmd')['behavior'] === 'DROP_CASCADE')
    return own || below ? [{ message: `${effect.kind} … cascade drops whatever depends on it, unseen` }] : []
  },
}

const cascading = new Set(['DropStmt', 'TruncateStmt', 'DropOwnedStmt'])

export const renameColumn: Rule = {
  id: 'rename-column',
  severity: 'error',
  summary: 'rename column',
  why: 'Code that is running names the old column and fails from that moment until it is replaced.',
  safer: 'Add the new column, write both, move the readers, and drop the old one in a later migration.',
  test: ({ kind, content, inUse }) => {
    const table = tableAt(content, 'relation')
    if (kind !== 'RenameStmt' || content['renameType'] !== 'OBJECT_COLUMN' || !table || !inUse(table)) return []
    const from = `${tableText(table)}.${textAt(content, 'subname')}`
    return [{ message: `renaming ${from} to ${textAt(content, 'newname')} breaks code that names the old column` }]
  },
}

export const renameTable: Rule = {
  id: 'rename-table',
  severity: 'error',
  summary: 'rename table or view, or move it to another schema',
  why: 'Code that is running names the old table and fails from that moment until it is replaced.',
  safer: 'Leave a view of the old name behind in the same migration, and drop it once nothing names it.',
  test: ({ kind, content, inUse, script, statement }) => {
    const type = textAt(content, kind === 'RenameStmt' ? 'renameType' : 'objectType')
    const moves = kind === 'RenameStmt' || kind === 'AlterObjectSchemaStmt'
    const table = tableAt(content, 'relation')
    if (!moves || !table || !relations.has(type) || !inUse(table)) return []
    const later = script.statements.slice(script.statements.indexOf(statement) + 1)
    const replaced = later.some(({ tree }) => {
      const view = nodeAt(nodeAt(tree ?? {}, 'ViewStmt'), 'view')
      const made = nodeAt(nodeAt(tree ?? {}, 'CreateStmt'), 'relation')
      return [view, made].some((one) => tableIn(one).table === table.table)
    })
    const to = textAt(content, 'newname') || `schema ${textAt(content, 'newschema')}`
    return replaced ? [] : [{ message: `moving ${tableText(table)} to ${to} breaks code that names the old one` }]
  },
}

const relations = new Set(['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_MATVIEW'])
