import { lockModes } from '../../effects/effects.js'
import type { Node } from '../../statements/statements.js'
import {
  isOn,
  listAt,
  namesAt,
  nodeAt,
  nodesAt,
  optionsAt,
  someNode,
  tableAt,
  tableIn,
  tablesAt,
  tableText,
  textAt,
  unwrap,
} from '../../statements/tree.js'
import type { Rule, Subject } from '../rule.js'

export const lockTimeoutSet: Rule = {
  id: 'lock-timeout-set',
  severity: 'error',
  summary: 'lock_timeout switched off, or set for the whole session',
  why: 'Everybody queues behind a statement that waits for a lock, so obs lets none wait for long; a migration that sets lock_timeout takes this away, without local even from those that follow.',
  safer: 'Leave lock_timeout to obs (--ddl-lock-timeout), or shorten it with set local.',
  alsoDown: true,
  test: ({ kind, content }) => {
    if (kind !== 'VariableSetStmt' || textAt(content, 'name') !== 'lock_timeout') return []
    const [constant] = listAt(content, 'args')
    const value = nodeAt(constant ?? {}, 'sval')['sval'] ?? nodeAt(constant ?? {}, 'ival')['ival'] ?? 0
    const off = content['kind'] !== 'VAR_SET_VALUE' || /^0\D*$/.test(String(value))
    if (off) return [{ message: 'without lock_timeout a statement that waits for a lock blocks everybody behind it' }]
    if (content['is_local']) return []
    return [{ message: 'set without local changes lock_timeout for the session, not for this migration alone' }]
  },
}

export const ddlWithBackfill: Rule = {
  id: 'ddl-with-backfill',
  severity: 'error',
  summary: 'rows of a table in use are changed in one transaction with a change of the schema',
  why: 'The lock that the change of the schema took is held until the last row is written.',
  safer: 'Change the schema in one migration and fill the rows in another, in batches that commit.',
  test: (subject) => {
    const { effect } = subject
    const written = writtenTable(subject)
    if (!written || !subject.inUse(written)) return []
    const locked = strongLocksBefore(subject)
    if (locked.length === 0) return []
    return [
      {
        message: `this ${effect.kind} on ${subject.describe(written)} runs while ${locked.join(', ')} ${locked.length > 1 ? 'are' : 'is'} locked`,
      },
    ]
  },
}

/** The table whose rows an update, a delete, a merge or an insert from a query writes. */
function writtenTable({ kind, content }: Subject) {
  if (kind === 'InsertStmt' && nodeAt(content, 'selectStmt')['SelectStmt'] && isFromQuery(content)) {
    return tableAt(content, 'relation')
  }
  return ['UpdateStmt', 'DeleteStmt', 'MergeStmt'].includes(kind) ? tableAt(content, 'relation') : undefined
}

/** `insert … values` writes the rows that the file names, and no more. */
function isFromQuery(insert: Node): boolean {
  return nodeAt(nodeAt(insert, 'selectStmt'), 'SelectStmt')['valuesLists'] === undefined
}

/** Tables in use that the statements before it have locked so that somebody is kept out. */
function strongLocksBefore({ transaction, statement, inUse, effectOf }: Subject): readonly string[] {
  const before = transaction.slice(0, transaction.indexOf(statement))
  const locks = before.flatMap((one) => effectOf(one).locks)
  const strong = locks.filter(
    ({ table, mode }) => lockModes.indexOf(mode) >= lockModes.indexOf('SHARE ROW EXCLUSIVE') && inUse(table),
  )
  return [...new Set(strong.map(({ table }) => tableText(table)))]
}

export const changesEveryRow: Rule = {
  id: 'changes-every-row',
  severity: 'warning',
  summary: 'update or delete without where',
  why: 'Every row is written in one transaction: the locks and the dead rows stay until its end, and a mistake changes all of them.',
  safer: 'Do it in batches by key that commit, with a where clause that names the rows left to do.',
  test: ({ kind, content, inUse, describe, effect }) => {
    const table = tableAt(content, 'relation')
    if ((kind !== 'UpdateStmt' && kind !== 'DeleteStmt') || !table || content['whereClause'] || !inUse(table)) return []
    return [{ message: `this ${effect.kind} has no where and changes every row of ${describe(table)}` }]
  },
}

export const rewritesOnPurpose: Rule = {
  id: 'vacuum-full-or-cluster',
  severity: 'error',
  summary: 'vacuum full or cluster',
  why: 'The table is written anew while nobody can read or write it (ACCESS EXCLUSIVE).',
  safer: 'Let autovacuum do its work, or run pg_repack outside of migrations.',
  test: ({ kind, content, inUse, describe }) => {
    const full =
      kind === 'VacuumStmt' && content['is_vacuumcmd'] === true && isOn(optionsAt(content, 'options'), 'full')
    if (!full && kind !== 'ClusterStmt') return []
    const named = full
      ? listAt(content, 'rels').map((one) => tableIn(nodeAt(one, 'relation')))
      : [tableAt(content, 'relation')]
    const tables = named.filter((table) => table !== undefined)
    const word = full ? 'vacuum full' : 'cluster'
    if (tables.length === 0) return [{ message: `${word} writes every table anew` }]
    return tables
      .filter(inUse)
      .map((table) => ({ message: `${word} writes ${describe(table)} anew while it is locked` }))
  },
}

export const explicitLock: Rule = {
  id: 'explicit-lock',
  severity: 'warning',
  summary: 'lock table',
  why: 'Every statement takes the lock it needs; one that is taken by hand is stronger or lasts longer than that.',
  safer: 'Leave it out, or lock in the weakest mode that does, as late as possible.',
  alsoDown: true,
  test: ({ kind, content, inUse, describe }) => {
    const mode = lockModes[Number(content['mode']) - 1]
    if (kind !== 'LockStmt' || !mode || lockModes.indexOf(mode) < lockModes.indexOf('SHARE')) return []
    const tables = tablesAt(content, 'relations').filter(inUse)
    return tables.map((table) => ({
      message: `${describe(table)} is locked in ${mode} mode until the end of the transaction`,
    }))
  },
}

export const enumValueUsed: Rule = {
  id: 'enum-value-used',
  severity: 'error',
  summary: 'an enum value is added and used in one transaction',
  why: 'PostgreSQL refuses to use a new value before the transaction that added it has committed.',
  safer: 'Add the value in a migration of its own, before the one that uses it.',
  test: ({ kind, content, transaction, statement }) => {
    const value = textAt(content, 'newVal')
    if (kind !== 'AlterEnumStmt' || content['oldVal']) return []
    const type = namesAt(content, 'typeName').at(-1)
    const at = transaction.indexOf(statement)
    const madeHere = transaction.slice(0, at).some(({ tree }) => {
      return namesAt(nodeAt(tree ?? {}, 'CreateEnumStmt'), 'typeName').at(-1) === type
    })
    const uses = transaction.slice(at + 1).find(({ tree }) => usesLiteral(tree, value))
    if (madeHere || !uses) return []
    return [{ message: `'${value}' is used in the transaction that adds it to ${type}`, statement: uses }]
  },
}

function usesLiteral(tree: unknown, value: string): boolean {
  return someNode(tree, (kind, content) => kind === 'A_Const' && nodeAt(content, 'sval')['sval'] === value)
}

export const tableCopy: Rule = {
  id: 'table-copy',
  severity: 'notice',
  summary: 'create table as, or select into, from a table in use',
  why: 'All rows are copied in one transaction, and the copy has no keys, no constraints and no defaults.',
  safer: 'Create the table with its keys, and fill it in batches that commit.',
  test: (subject) => {
    const { kind, content, effect } = subject
    const made =
      kind === 'CreateTableAsStmt' &&
      content['objtype'] === 'OBJECT_TABLE' &&
      nodeAt(content, 'into')['skipData'] !== true
    if (!made && !(kind === 'SelectStmt' && content['intoClause'])) return []
    const read = effect.locks.map((one) => one.table).filter(subject.inUse)
    return read.length > 0
      ? [{ message: `${effect.kind} copies ${read.map(subject.describe).join(', ')} in one transaction` }]
      : []
  },
}

export const refreshBlocksReads: Rule = {
  id: 'refresh-blocks-reads',
  severity: 'warning',
  summary: 'refresh materialized view without concurrently',
  why: 'Nobody can read the view (ACCESS EXCLUSIVE) until it is computed.',
  safer: 'Give the view a unique index and refresh it concurrently.',
  test: ({ kind, content, inUse }) => {
    const view = tableAt(content, 'relation')
    if (kind !== 'RefreshMatViewStmt' || content['concurrent'] || content['skipData'] || !view || !inUse(view))
      return []
    return [{ message: `nobody can read ${tableText(view)} until it is computed` }]
  },
}

export const detachPartition: Rule = {
  id: 'detach-partition-blocks',
  severity: 'warning',
  summary: 'detach partition without concurrently',
  why: 'The whole partitioned table is locked against readers and writers (ACCESS EXCLUSIVE).',
  safer: 'Use detach partition … concurrently, in a migration of its own, because it refuses a transaction.',
  test: ({ kind, content, inUse, describe }) => {
    const table = tableAt(content, 'relation')
    if (kind !== 'AlterTableStmt' || !table || !inUse(table)) return []
    const detaches = nodesAt(content, 'cmds')
      .map((one) => unwrap(one).content)
      .filter((one) => one['subtype'] === 'AT_DetachPartition')
    const blocking = detaches.filter((one) => nodeAt(nodeAt(one, 'def'), 'PartitionCmd')['concurrent'] !== true)
    return blocking.map(() => ({ message: `detaching a partition locks all of ${describe(table)}` }))
  },
}
