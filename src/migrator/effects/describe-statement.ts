import type { TableName } from '../preservation/touched-tables.js'
import type { Node } from '../statements/statements.js'
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
  tablesAt,
  tableText,
  textAt,
  unwrap,
} from '../statements/tree.js'
import { describeAlterTable } from './alter-table.js'
import { describeDrop } from './drop.js'
import { effect, lock } from './effect.js'
import { type DescribeStatement, type EffectContext, lockModes, type StatementEffect } from './effects.js'
import { objectWords } from './object-words.js'
import { callsUnknown, describeQuery, queryLocks } from './query.js'

/**
 * What a statement does to tables: the locks it takes, what it rewrites, reads and destroys.
 *
 * https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES names the
 * lock of every command; a test runs each kind of statement on a server and compares what
 * is said here with pg_locks, with the files of the tables and with what was read.
 */
export const describeStatement: DescribeStatement = ({ sql, tree }, context) => {
  const { kind, content } = unwrap(tree)
  if (kind === '') return effect(firstWords(sql), { opaque: true })
  return (descriptions[kind] ?? unknown)(content, context, kind)
}

type Describe = (content: Node, context: EffectContext, kind: string) => StatementEffect

const descriptions: Readonly<Record<string, Describe>> = {
  SelectStmt: (content) => describeQuery({ SelectStmt: content }),
  InsertStmt: (content) => describeQuery({ InsertStmt: content }),
  UpdateStmt: (content) => describeQuery({ UpdateStmt: content }),
  DeleteStmt: (content) => describeQuery({ DeleteStmt: content }),
  MergeStmt: (content) => describeQuery({ MergeStmt: content }),
  CopyStmt: copy,
  ExplainStmt: explain,
  DeclareCursorStmt: (content) => ({ ...describeQuery(nodeAt(content, 'query')), kind: 'declare cursor' }),
  PrepareStmt: (content) => effect('prepare', { locks: queryLocks(content['query']) }),
  ExecuteStmt: () => effect('execute', { opaque: true }),
  DoStmt: () => effect('do', { opaque: true }),
  CallStmt: () => effect('call', { opaque: true }),

  AlterTableStmt: describeAlterTable,
  RenameStmt: rename,
  AlterObjectSchemaStmt: (content) => alterObject(content, 'objectType', 'set schema'),
  AlterOwnerStmt: (content) => effect(`alter ${objectWords(textAt(content, 'objectType'))} … owner to`),
  DropStmt: describeDrop,
  DropOwnedStmt: () => effect('drop owned', { opaque: true, destroys: ['drops what a role owns'] }),
  ReassignOwnedStmt: () => effect('reassign owned', { opaque: true }),
  TruncateStmt: truncate,
  LockStmt: (content) =>
    effect('lock table', {
      locks: lock(lockModes[Number(content['mode']) - 1] ?? 'ACCESS EXCLUSIVE', ...tablesAt(content, 'relations')),
    }),

  CreateStmt: createTable,
  CreateForeignTableStmt: (content) => ({
    ...createTable(nodeAt(content, 'base')),
    kind: 'create foreign table',
  }),
  CreateTableAsStmt: (content) => {
    const object = content['objtype'] === 'OBJECT_MATVIEW' ? 'materialized view' : 'table as'
    return effect(`create ${object}`, { locks: queryLocks(content['query']), opaque: callsUnknown(content['query']) })
  },
  ViewStmt: (content) => {
    const replaced = content['replace'] ? tableAt(content, 'view') : undefined
    const kind = content['replace'] ? 'create or replace view' : 'create view'
    return effect(kind, { locks: [...lock('ACCESS EXCLUSIVE', replaced), ...queryLocks(content['query'])] })
  },
  IndexStmt: (content) => {
    const table = tableIn(nodeAt(content, 'relation'))
    const words = ['create', content['unique'] ? 'unique' : '', 'index', content['concurrent'] ? 'concurrently' : '']
    const mode = content['concurrent'] ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE'
    return effect(words.filter(Boolean).join(' '), { locks: lock(mode, table), scans: [table] })
  },
  CreateTrigStmt: (content) =>
    effect(content['isconstraint'] ? 'create constraint trigger' : 'create trigger', {
      locks: [
        ...lock('SHARE ROW EXCLUSIVE', tableAt(content, 'relation')),
        ...lock('ACCESS SHARE', tableAt(content, 'constrrel')),
      ],
    }),
  RuleStmt: (content) =>
    effect('create rule', {
      locks: [...lock('ACCESS EXCLUSIVE', tableAt(content, 'relation')), ...queryLocks(content['actions'])],
    }),
  CreatePolicyStmt: (content) => policy('create policy', content),
  AlterPolicyStmt: (content) => policy('alter policy', content),
  CreateStatsStmt: (content) =>
    effect('create statistics', { locks: lock('SHARE UPDATE EXCLUSIVE', ...tablesAt(content, 'relations')) }),
  CreateFunctionStmt: (content) =>
    effect(content['is_procedure'] ? 'create procedure' : 'create function', {
      locks: queryLocks(content['sql_body']),
    }),
  CreateSeqStmt: (content) => effect('create sequence', { locks: lock('ACCESS SHARE', ownerOf(content)) }),
  AlterSeqStmt: (content) => effect('alter sequence', { locks: lock('ACCESS SHARE', ownerOf(content)) }),
  CreateSchemaStmt: (content, context) => {
    const elements = nodesAt(content, 'schemaElts').map((tree) =>
      describeStatement({ sql: '', index: 0, tree }, context),
    )
    return effect('create schema', { locks: elements.flatMap((one) => one.locks) })
  },
  CreatePublicationStmt: (content) => publication('create publication', content),
  AlterPublicationStmt: (content) => publication('alter publication', content),
  CommentStmt: (content) => comment('comment on', content),
  SecLabelStmt: (content) => comment('security label on', content),

  ClusterStmt: (content) => rewriteTables('cluster', [tableAt(content, 'relation')]),
  VacuumStmt: vacuum,
  ReindexStmt: reindex,
  RefreshMatViewStmt: refresh,
  AlterDomainStmt: (content) => {
    const { contype, skip_validation: skipped } = nodeAt(nodeAt(content, 'def'), 'Constraint')
    const checks =
      (textAt(content, 'subtype') === 'C' && contype !== undefined && !skipped) ||
      'OV'.includes(textAt(content, 'subtype'))
    return effect('alter domain', { opaque: checks })
  },
  AlterEnumStmt: (content) => effect(content['oldVal'] ? 'alter type … rename value' : 'alter type … add value'),
  CreateExtensionStmt: () => effect('create extension', { opaque: true }),
  AlterExtensionStmt: () => effect('alter extension … update', { opaque: true }),
  GrantStmt: (content, { serverVersion }) => {
    // Before 18 the server took no lock to look a table up for its privileges.
    const locked = content['objtype'] === 'OBJECT_TABLE' && serverVersion >= 180000
    const tables = locked ? tablesAt(content, 'objects') : []
    return effect(content['is_grant'] ? 'grant' : 'revoke', { locks: lock('ACCESS SHARE', ...tables) })
  },
  GrantRoleStmt: (content) => effect(content['is_grant'] ? 'grant' : 'revoke'),
  VariableSetStmt: (content) => effect(String(content['kind']).startsWith('VAR_RESET') ? 'reset' : 'set'),
  TransactionStmt: (content) =>
    effect(textAt(content, 'kind').replace('TRANS_STMT_', '').toLowerCase().replace('_', ' ')),
  DefineStmt: (content) => effect(`create ${objectWords(textAt(content, 'kind'))}`),
  DropdbStmt: (content) => effect('drop database', { destroys: [`drops the database ${textAt(content, 'dbname')}`] }),
  ...catalogOnly({
    AlterDatabaseStmt: 'alter database',
    AlterDatabaseSetStmt: 'alter database … set',
    AlterDefaultPrivilegesStmt: 'alter default privileges',
    AlterEventTrigStmt: 'alter event trigger',
    AlterFdwStmt: 'alter foreign data wrapper',
    AlterForeignServerStmt: 'alter server',
    AlterFunctionStmt: 'alter function',
    AlterObjectDependsStmt: 'alter … depends on',
    AlterOpFamilyStmt: 'alter operator family',
    AlterOperatorStmt: 'alter operator',
    AlterRoleStmt: 'alter role',
    AlterRoleSetStmt: 'alter role … set',
    AlterSubscriptionStmt: 'alter subscription',
    AlterSystemStmt: 'alter system',
    AlterTSConfigurationStmt: 'alter text search configuration',
    AlterTSDictionaryStmt: 'alter text search dictionary',
    AlterTypeStmt: 'alter type',
    AlterUserMappingStmt: 'alter user mapping',
    CheckPointStmt: 'checkpoint',
    ClosePortalStmt: 'close',
    CompositeTypeStmt: 'create type',
    ConstraintsSetStmt: 'set constraints',
    CreateAmStmt: 'create access method',
    CreateCastStmt: 'create cast',
    CreateConversionStmt: 'create conversion',
    CreateDomainStmt: 'create domain',
    CreateEnumStmt: 'create type',
    CreateEventTrigStmt: 'create event trigger',
    CreateFdwStmt: 'create foreign data wrapper',
    CreateForeignServerStmt: 'create server',
    CreateOpClassStmt: 'create operator class',
    CreateOpFamilyStmt: 'create operator family',
    CreatePLangStmt: 'create language',
    CreateRangeStmt: 'create type',
    CreateRoleStmt: 'create role',
    CreateSubscriptionStmt: 'create subscription',
    CreateTableSpaceStmt: 'create tablespace',
    CreateTransformStmt: 'create transform',
    CreateUserMappingStmt: 'create user mapping',
    CreatedbStmt: 'create database',
    DeallocateStmt: 'deallocate',
    DiscardStmt: 'discard',
    DropRoleStmt: 'drop role',
    DropSubscriptionStmt: 'drop subscription',
    DropTableSpaceStmt: 'drop tablespace',
    DropUserMappingStmt: 'drop user mapping',
    FetchStmt: 'fetch',
    ListenStmt: 'listen',
    LoadStmt: 'load',
    NotifyStmt: 'notify',
    UnlistenStmt: 'unlisten',
    VariableShowStmt: 'show',
  }),
}

/** Statements that change or read the catalog and no table. */
function catalogOnly(kinds: Readonly<Record<string, string>>): Readonly<Record<string, Describe>> {
  return Object.fromEntries(Object.entries(kinds).map(([node, kind]) => [node, () => effect(kind)]))
}

/** `AlterTableMoveAllStmt` reads `alter table move all`. */
const unknown: Describe = (_content, _context, kind) =>
  effect(
    kind
      .replace(/Stmt$/, '')
      .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
      .toLowerCase(),
    { opaque: true },
  )

function firstWords(sql: string): string {
  return sql.trim().split(/\s+/).slice(0, 2).join(' ').toLowerCase()
}

function copy(content: Node): StatementEffect {
  const table = tableAt(content, 'relation')
  if (!table) return { ...describeQuery(nodeAt(content, 'query')), kind: 'copy to' }
  if (!content['is_from']) return effect('copy to', { locks: lock('ACCESS SHARE', table) })
  return effect('copy from', { locks: lock('ROW EXCLUSIVE', table) })
}

/** Without `analyze` the statement is planned, which takes its locks, and not run. */
function explain(content: Node, context: EffectContext): StatementEffect {
  const inner = describeStatement({ sql: '', index: 0, tree: nodeAt(content, 'query') }, context)
  if (isOn(optionsAt(content, 'options'), 'analyze')) return { ...inner, kind: `explain analyze ${inner.kind}` }
  return effect('explain', { locks: inner.locks })
}

const relations = new Set(['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_MATVIEW', 'OBJECT_FOREIGN_TABLE'])
const partsOfTables = new Set([
  'OBJECT_COLUMN',
  'OBJECT_TABCONSTRAINT',
  'OBJECT_TRIGGER',
  'OBJECT_POLICY',
  'OBJECT_RULE',
])

function rename(content: Node): StatementEffect {
  const type = textAt(content, 'renameType')
  if (!partsOfTables.has(type)) return alterObject(content, 'renameType', 'rename to')
  const object = objectWords(textAt(content, 'relationType'))
  const kind =
    type === 'OBJECT_COLUMN' || type === 'OBJECT_TABCONSTRAINT'
      ? `alter ${type === 'OBJECT_COLUMN' ? object : 'table'} … rename ${objectWords(type)}`
      : `alter ${objectWords(type)} … rename to`
  return effect(kind, { locks: lock('ACCESS EXCLUSIVE', tableAt(content, 'relation')) })
}

function alterObject(content: Node, key: string, words: string): StatementEffect {
  const type = textAt(content, key)
  const table = relations.has(type) ? tableAt(content, 'relation') : undefined
  return effect(`alter ${objectWords(type)} … ${words}`, { locks: lock('ACCESS EXCLUSIVE', table) })
}

function truncate(content: Node): StatementEffect {
  const tables = tablesAt(content, 'relations')
  return effect('truncate', {
    locks: lock('ACCESS EXCLUSIVE', ...tables),
    destroys: tables.map((table) => `deletes every row of ${tableText(table)}`),
    opaque: content['behavior'] === 'DROP_CASCADE',
  })
}

/** Tables it refers to, is a partition of, inherits from or is made like; the new one is nobody else's yet. */
function createTable(content: Node): StatementEffect {
  const elements = nodesAt(content, 'tableElts').map(unwrap)
  const of = (kind: string) => elements.filter((one) => one.kind === kind).map((one) => one.content)
  const constraints = [
    ...of('Constraint'),
    ...of('ColumnDef').flatMap((column) => listAt(column, 'constraints')),
    ...listAt(content, 'constraints'),
  ]
  const referenced = constraints.map((constraint) => tableAt(constraint, 'pktable'))
  const parents = tablesAt(content, 'inhRelations')
  return effect('create table', {
    locks: [
      ...lock('SHARE ROW EXCLUSIVE', ...referenced),
      ...lock(content['partbound'] ? 'ACCESS EXCLUSIVE' : 'SHARE UPDATE EXCLUSIVE', ...parents),
      ...lock('ACCESS SHARE', ...of('TableLikeClause').map((clause) => tableAt(clause, 'relation'))),
    ].filter((one) => !isSelf(one.table, content)),
  })
}

function isSelf(table: TableName, content: Node): boolean {
  return tableText(table) === tableText(tableIn(nodeAt(content, 'relation')))
}

function policy(kind: string, content: Node): StatementEffect {
  const locks = [
    ...lock('ACCESS EXCLUSIVE', tableAt(content, 'table')),
    ...queryLocks([content['qual'], content['with_check']]),
  ]
  return effect(kind, { locks })
}

function publication(kind: string, content: Node): StatementEffect {
  const tables = listAt(content, 'pubobjects').map((object) => tableAt(nodeAt(object, 'pubtable'), 'relation'))
  return effect(kind, { locks: lock('SHARE UPDATE EXCLUSIVE', ...tables) })
}

/** `owned by table.column`. */
function ownerOf(content: Node): TableName | undefined {
  const option = listAt(content, 'options').find((one) => one['defname'] === 'owned_by')
  const names = option ? namesAt(nodeAt(nodeAt(option, 'arg'), 'List'), 'items') : []
  return names.length > 1 ? tableOfNames(names.slice(0, -1)) : undefined
}

function comment(words: string, content: Node): StatementEffect {
  const type = textAt(content, 'objtype')
  const names = namesAt(nodeAt(nodeAt(content, 'object'), 'List'), 'items')
  const owner = partsOfTables.has(type) ? names.slice(0, -1) : names
  const table = partsOfTables.has(type) || relations.has(type) ? tableOfNames(owner) : undefined
  const mode = relations.has(type) || type === 'OBJECT_COLUMN' ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS SHARE'
  return effect(`${words} ${objectWords(type)}`, { locks: lock(mode, table) })
}

/** `cluster` and `vacuum full`; without a table they take all that may be had. */
function rewriteTables(kind: string, named: readonly (TableName | undefined)[]): StatementEffect {
  const tables = named.filter((table) => table !== undefined)
  return effect(kind, {
    locks: lock('ACCESS EXCLUSIVE', ...tables),
    rewrites: tables,
    scans: tables,
    opaque: tables.length === 0,
  })
}

function vacuum(content: Node): StatementEffect {
  const tables = listAt(content, 'rels').map((one) => tableIn(nodeAt(one, 'relation')))
  const full = isOn(optionsAt(content, 'options'), 'full')
  if (content['is_vacuumcmd'] && full) return rewriteTables('vacuum full', tables)
  const kind = content['is_vacuumcmd'] ? 'vacuum' : 'analyze'
  return effect(kind, { locks: lock('SHARE UPDATE EXCLUSIVE', ...tables), opaque: tables.length === 0 })
}

function reindex(content: Node, { facts }: EffectContext): StatementEffect {
  const concurrently = isOn(optionsAt(content, 'params'), 'concurrently')
  const object = textAt(content, 'kind').replace('REINDEX_OBJECT_', '').toLowerCase()
  const named = tableAt(content, 'relation')
  const table = object === 'index' && named ? facts?.tableOf(named) : named
  return effect(`reindex ${object}${concurrently ? ' concurrently' : ''}`, {
    locks: lock(concurrently ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE', table),
    scans: table ? [table] : [],
    opaque: table === undefined,
  })
}

function refresh(content: Node): StatementEffect {
  const view = tableIn(nodeAt(content, 'relation'))
  const concurrently = content['concurrent'] === true
  return effect(`refresh materialized view${concurrently ? ' concurrently' : ''}`, {
    locks: lock(concurrently ? 'EXCLUSIVE' : 'ACCESS EXCLUSIVE', view),
    rewrites: concurrently ? [] : [view],
    scans: [view],
  })
}
