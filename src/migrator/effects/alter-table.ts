import type { TableName } from '../preservation/touched-tables.js'
import { columnTypeOf, columnTypeText, isStoredAlike } from '../statements/column-type.js'
import type { Node } from '../statements/statements.js'
import { listAt, namesAt, nodeAt, someNode, tableAt, tableIn, tableText, textAt, unwrap } from '../statements/tree.js'
import { effect, lock } from './effect.js'
import type { EffectContext, LockMode, StatementEffect, TableLock } from './effects.js'
import { isPerhapsVolatile } from './functions.js'

/** One sub-command of `alter table`. */
interface Change {
  /** `add column`. */
  readonly words: string
  readonly mode: LockMode
  /** Locks on other tables. */
  readonly others?: readonly TableLock[]
  readonly rewrites?: boolean
  readonly scans?: boolean
  readonly alsoScans?: readonly TableName[]
  readonly destroys?: string
  readonly opaque?: boolean
}

interface About {
  readonly table: TableName
  readonly context: EffectContext
}

/**
 * `alter table`, `alter view`, `alter index` and their kin: a list of sub-commands, the
 * strongest lock of which is taken for all of them.
 *
 * https://www.postgresql.org/docs/current/sql-altertable.html
 */
export function describeAlterTable(content: Node, context: EffectContext): StatementEffect {
  const object = objects[textAt(content, 'objtype')] ?? 'table'
  const table = tableIn(nodeAt(content, 'relation'))
  const about = { table, context }
  const changes = listAt(content, 'cmds').map((command) => describe(command, about))
  const kind = `alter ${object} … ${[...new Set(changes.map((change) => change.words))].join(', ')}`
  if (object === 'index') return describeAlterIndex(kind, table, changes, context)
  if (object === 'sequence' || object === 'type') return effect(kind, { opaque: changes.some((one) => one.opaque) })
  const tables = (test: (change: Change) => boolean | undefined) => (changes.some(test) ? [table] : [])
  return effect(kind, {
    locks: changes.flatMap((change) => [{ table, mode: change.mode }, ...(change.others ?? [])]),
    rewrites: tables((change) => change.rewrites),
    scans: [
      ...tables((change) => change.scans ?? change.rewrites),
      ...changes.flatMap((change) => change.alsoScans ?? []),
    ],
    destroys: changes.flatMap((change) => change.destroys ?? []),
    opaque: changes.some((change) => change.opaque),
  })
}

const objects: Readonly<Record<string, string>> = {
  OBJECT_TABLE: 'table',
  OBJECT_INDEX: 'index',
  OBJECT_VIEW: 'view',
  OBJECT_MATVIEW: 'materialized view',
  OBJECT_SEQUENCE: 'sequence',
  OBJECT_FOREIGN_TABLE: 'foreign table',
  OBJECT_TYPE: 'type',
}

/** An index is locked rather than its table, except to attach it to the index of a partitioned table. */
function describeAlterIndex(
  kind: string,
  index: TableName,
  changes: readonly Change[],
  { facts }: EffectContext,
): StatementEffect {
  const attached = changes.flatMap((change) => change.others ?? []).map((one) => one.table)
  if (attached.length === 0) return effect(kind)
  const tables = [index, ...attached].map((one) => facts?.tableOf(one))
  return effect(kind, { locks: lock('ACCESS SHARE', ...tables), opaque: tables.includes(undefined) })
}

function describe(command: Node, about: About): Change {
  const subtype = textAt(command, 'subtype')
  const words = subtype
    .replace(/^AT_/, '')
    .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toLowerCase()
  const described = changes[subtype]?.(command, about) ?? { words, mode: 'ACCESS EXCLUSIVE' }
  return command['behavior'] === 'DROP_CASCADE' ? { ...described, opaque: true } : described
}

type DescribeChange = (command: Node, about: About) => Change

/** Sub-commands that are not listed take ACCESS EXCLUSIVE and only change the catalog. */
const changes: Readonly<Record<string, DescribeChange>> = {
  AT_AddColumn: addColumn,
  AT_AddColumnToView: always('add column', 'ACCESS EXCLUSIVE'),
  AT_DropColumn: ({ name }, { table }) => ({
    words: 'drop column',
    mode: 'ACCESS EXCLUSIVE',
    destroys: `drops the values of ${tableText(table)}.${name}`,
  }),
  AT_AlterColumnType: alterColumnType,
  AT_ColumnDefault: (command) => ({
    words: command['def'] ? 'alter column set default' : 'alter column drop default',
    mode: 'ACCESS EXCLUSIVE',
  }),
  AT_SetNotNull: (command, { table, context }) => ({
    words: 'alter column set not null',
    mode: 'ACCESS EXCLUSIVE',
    scans: !context.facts?.isNotNull(table, textAt(command, 'name')),
  }),
  AT_DropNotNull: always('alter column drop not null', 'ACCESS EXCLUSIVE'),
  AT_SetExpression: (command, about) => ({
    words: 'alter column set expression',
    mode: 'ACCESS EXCLUSIVE',
    rewrites: true,
    destroys: `replaces the values of ${tableText(about.table)}.${textAt(command, 'name')}`,
  }),
  AT_DropExpression: always('alter column drop expression', 'ACCESS EXCLUSIVE'),
  AT_SetStatistics: always('alter column set statistics', 'SHARE UPDATE EXCLUSIVE'),
  AT_SetOptions: always('alter column set', 'SHARE UPDATE EXCLUSIVE'),
  AT_ResetOptions: always('alter column reset', 'SHARE UPDATE EXCLUSIVE'),
  AT_SetStorage: always('alter column set storage', 'ACCESS EXCLUSIVE'),
  AT_SetCompression: always('alter column set compression', 'ACCESS EXCLUSIVE'),
  AT_AddIdentity: always('alter column add generated as identity', 'ACCESS EXCLUSIVE'),
  AT_SetIdentity: always('alter column set generated', 'ACCESS EXCLUSIVE'),
  AT_DropIdentity: always('alter column drop identity', 'ACCESS EXCLUSIVE'),
  AT_AddConstraint: addConstraint,
  AT_AlterConstraint: always('alter constraint', 'ACCESS EXCLUSIVE'),
  AT_ValidateConstraint: (command, { table, context }) => ({
    words: 'validate constraint',
    mode: 'SHARE UPDATE EXCLUSIVE',
    others: referenced(table, textAt(command, 'name'), context, 'ROW SHARE'),
    scans: true,
  }),
  AT_DropConstraint: (command, { table, context }) => ({
    words: 'drop constraint',
    mode: 'ACCESS EXCLUSIVE',
    others: referenced(table, textAt(command, 'name'), context, 'ACCESS EXCLUSIVE'),
  }),
  AT_ClusterOn: always('cluster on', 'SHARE UPDATE EXCLUSIVE'),
  AT_DropCluster: always('set without cluster', 'SHARE UPDATE EXCLUSIVE'),
  AT_SetLogged: always('set logged', 'ACCESS EXCLUSIVE', { rewrites: true }),
  AT_SetUnLogged: always('set unlogged', 'ACCESS EXCLUSIVE', { rewrites: true }),
  AT_SetAccessMethod: always('set access method', 'ACCESS EXCLUSIVE', { rewrites: true }),
  // The files are copied block by block, and the rows are not looked at.
  AT_SetTableSpace: always('set tablespace', 'ACCESS EXCLUSIVE', { rewrites: true, scans: false }),
  AT_SetRelOptions: (command) => ({ words: 'set', mode: optionLock(command) }),
  AT_ResetRelOptions: (command) => ({ words: 'reset', mode: optionLock(command) }),
  AT_EnableTrig: triggers('enable trigger'),
  AT_EnableAlwaysTrig: triggers('enable always trigger'),
  AT_EnableReplicaTrig: triggers('enable replica trigger'),
  AT_EnableTrigAll: triggers('enable trigger all'),
  AT_EnableTrigUser: triggers('enable trigger user'),
  AT_DisableTrig: triggers('disable trigger'),
  AT_DisableTrigAll: triggers('disable trigger all'),
  AT_DisableTrigUser: triggers('disable trigger user'),
  AT_EnableRule: always('enable rule', 'ACCESS EXCLUSIVE'),
  AT_DisableRule: always('disable rule', 'ACCESS EXCLUSIVE'),
  AT_EnableRowSecurity: always('enable row level security', 'ACCESS EXCLUSIVE'),
  AT_DisableRowSecurity: always('disable row level security', 'ACCESS EXCLUSIVE'),
  AT_ForceRowSecurity: always('force row level security', 'ACCESS EXCLUSIVE'),
  AT_NoForceRowSecurity: always('no force row level security', 'ACCESS EXCLUSIVE'),
  AT_ReplicaIdentity: always('replica identity', 'ACCESS EXCLUSIVE'),
  AT_ChangeOwner: always('owner to', 'ACCESS EXCLUSIVE'),
  AT_AddInherit: (command) => ({
    words: 'inherit',
    mode: 'ACCESS EXCLUSIVE',
    others: lock('SHARE UPDATE EXCLUSIVE', tableIn(unwrap(nodeAt(command, 'def')).content)),
  }),
  AT_DropInherit: (command) => ({
    words: 'no inherit',
    mode: 'ACCESS EXCLUSIVE',
    others: lock('ACCESS SHARE', tableIn(unwrap(nodeAt(command, 'def')).content)),
  }),
  AT_AttachPartition: (command) => ({
    words: 'attach partition',
    mode: 'SHARE UPDATE EXCLUSIVE',
    others: lock('ACCESS EXCLUSIVE', partition(command)),
    alsoScans: [partition(command)],
  }),
  AT_DetachPartition: (command) => {
    const concurrently = nodeAt(nodeAt(command, 'def'), 'PartitionCmd')['concurrent'] === true
    return {
      words: concurrently ? 'detach partition concurrently' : 'detach partition',
      mode: concurrently ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE',
      others: lock('ACCESS EXCLUSIVE', partition(command)),
    }
  },
  AT_DetachPartitionFinalize: (command) => ({
    words: 'detach partition finalize',
    mode: 'SHARE UPDATE EXCLUSIVE',
    others: lock('ACCESS EXCLUSIVE', partition(command)),
  }),
}

function always(words: string, mode: LockMode, more: Partial<Change> = {}): DescribeChange {
  return () => ({ words, mode, ...more })
}

function triggers(words: string): DescribeChange {
  return always(words, 'SHARE ROW EXCLUSIVE')
}

function partition(command: Node): TableName {
  return tableIn(nodeAt(nodeAt(nodeAt(command, 'def'), 'PartitionCmd'), 'name'))
}

function referenced(
  table: TableName,
  constraint: string,
  { facts }: EffectContext,
  mode: LockMode,
): readonly TableLock[] {
  return lock(mode, ...(facts?.referencedBy(table, constraint) ?? []))
}

function addColumn(command: Node): Change {
  const definition = nodeAt(nodeAt(command, 'def'), 'ColumnDef')
  const constraints = listAt(definition, 'constraints')
  const has = (type: string) => constraints.some((one) => one['contype'] === type)
  const rewrites = writesEveryRow(definition, constraints)
  const references = constraints.filter((one) => one['contype'] === 'CONSTR_FOREIGN')
  return {
    words: 'add column',
    mode: 'ACCESS EXCLUSIVE',
    others: references.flatMap((one) => lock('SHARE ROW EXCLUSIVE', tableAt(one, 'pktable'))),
    rewrites,
    scans:
      rewrites ||
      has('CONSTR_PRIMARY') ||
      has('CONSTR_UNIQUE') ||
      (has('CONSTR_NOTNULL') && !has('CONSTR_DEFAULT')) ||
      constraints.some((one) => one['contype'] === 'CONSTR_CHECK' && one['is_enforced'] === true) ||
      (references.length > 0 && has('CONSTR_DEFAULT')),
  }
}

const serials = new Set(['serial', 'serial4', 'bigserial', 'serial8', 'smallserial', 'serial2'])

/**
 * A default that is the same for every row is kept in the catalog; one that may differ is
 * written into every row, and so is a column that is computed and stored.
 */
export function writesEveryRow(definition: Node, constraints: readonly Node[]): boolean {
  if (serials.has(columnTypeOf(nodeAt(definition, 'typeName')).name)) return true
  return constraints.some((one) => {
    if (one['contype'] === 'CONSTR_IDENTITY') return true
    if (one['contype'] === 'CONSTR_GENERATED') return one['generated_kind'] !== 'v'
    return one['contype'] === 'CONSTR_DEFAULT' && mayDiffer(one['raw_expr'])
  })
}

/** Whether an expression may have another value for every row. */
export function mayDiffer(expression: unknown): boolean {
  return someNode(expression, (kind, content) => kind === 'FuncCall' && isPerhapsVolatile(namesAt(content, 'funcname')))
}

function alterColumnType(command: Node, { table, context }: About): Change {
  const column = textAt(command, 'name')
  const definition = nodeAt(nodeAt(command, 'def'), 'ColumnDef')
  const to = columnTypeOf(nodeAt(definition, 'typeName'))
  const from = context.facts?.columnType(table, column)
  const computed = definition['raw_default'] !== undefined && !isCastOf(nodeAt(definition, 'raw_default'), column)
  const rewrites = computed || from === undefined || !isStoredAlike(from, to, context.utc ?? false)
  return {
    words: 'alter column type',
    mode: 'ACCESS EXCLUSIVE',
    rewrites,
    scans: rewrites || definition['collClause'] !== undefined,
    ...(rewrites ? { destroys: `converts the values of ${tableText(table)}.${column} to ${columnTypeText(to)}` } : {}),
  }
}

/** `using c` or `using c::text`: no more than the type change says already. */
function isCastOf(expression: Node, column: string): boolean {
  const { kind, content } = unwrap(expression)
  if (kind === 'TypeCast') return isCastOf(nodeAt(content, 'arg'), column)
  return kind === 'ColumnRef' && namesAt(content, 'fields').join('.') === column
}

function addConstraint(command: Node, { table, context }: About): Change {
  const constraint = nodeAt(nodeAt(command, 'def'), 'Constraint')
  const checked = constraint['skip_validation'] !== true
  const usingIndex = textAt(constraint, 'indexname') !== ''
  switch (constraint['contype']) {
    case 'CONSTR_FOREIGN':
      return {
        words: 'add foreign key',
        mode: 'SHARE ROW EXCLUSIVE',
        others: lock('SHARE ROW EXCLUSIVE', tableAt(constraint, 'pktable')),
        scans: checked,
      }
    case 'CONSTR_CHECK':
      return { words: 'add check', mode: 'ACCESS EXCLUSIVE', scans: checked }
    case 'CONSTR_NOTNULL': {
      const known = namesAt(constraint, 'keys').every((column) => context.facts?.isNotNull(table, column))
      return { words: 'add not null', mode: 'ACCESS EXCLUSIVE', scans: checked && !known }
    }
    case 'CONSTR_PRIMARY': {
      const words = usingIndex ? 'add primary key using index' : 'add primary key'
      return { words, mode: 'ACCESS EXCLUSIVE', scans: true }
    }
    case 'CONSTR_UNIQUE':
      return {
        words: usingIndex ? 'add unique using index' : 'add unique',
        mode: 'ACCESS EXCLUSIVE',
        scans: !usingIndex,
      }
    default:
      return { words: 'add exclude', mode: 'ACCESS EXCLUSIVE', scans: true }
  }
}

/** https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-SET-STORAGE-PARAMETER */
function optionLock(command: Node): LockMode {
  const names = listAt(nodeAt(nodeAt(command, 'def'), 'List'), 'items').map((item) => textAt(item, 'defname'))
  const gentle = names.every((name) => gentleOptions.test(name))
  return gentle ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE'
}

const gentleOptions =
  /^(autovacuum_|vacuum_|log_autovacuum_|fillfactor$|parallel_workers$|toast_tuple_target$|n_distinct)/
