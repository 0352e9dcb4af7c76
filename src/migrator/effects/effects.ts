import type { TableName } from '../preservation/touched-tables.js'
import type { ColumnType } from '../statements/column-type.js'
import type { Statement } from '../statements/statements.js'

/**
 * The table-level locks, weakest first.
 * https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
 */
export const lockModes = [
  'ACCESS SHARE',
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
] as const

export type LockMode = (typeof lockModes)[number]

/** A lock on a table, or on what is read like one: a view, a materialised view. */
export interface TableLock {
  readonly table: TableName
  readonly mode: LockMode
}

/**
 * What a statement does to the tables it names, as its text and the server's version tell.
 *
 * The text does not tell about partitions, the tables behind a view, what triggers do, and
 * the tables that a foreign key looks into while rows are written.
 */
export interface StatementEffect {
  /** In SQL's own words: `create index concurrently`, `alter table … add column`, `update`. */
  readonly kind: string
  /** Tables that exist before the statement, each once with its strongest lock. */
  readonly locks: readonly TableLock[]
  /** Tables that are written anew while the lock is held. */
  readonly rewrites: readonly TableName[]
  /** Tables that are read from end to end while the lock is held, those that are rewritten included. */
  readonly scans: readonly TableName[]
  /** What no down file can bring back: `drops the values of traces.cost_usd`. */
  readonly destroys: readonly string[]
  /** True when only running it would tell what it touches: a DO block, a call of a function. */
  readonly opaque: boolean
}

/** What effects depend on besides the text. */
export interface EffectContext {
  /** `server_version_num`. */
  readonly serverVersion: number
  /** True when the time zone of the session is UTC: then timestamp and timestamptz are stored alike. */
  readonly utc?: boolean
  /** What is known about the schema; without it the worst is assumed. */
  readonly facts?: SchemaFacts
}

/** What the text of a statement leaves open and the schema tells. */
export interface SchemaFacts {
  /** The table that an index belongs to. */
  tableOf(index: TableName): TableName | undefined
  columnType(table: TableName, column: string): ColumnType | undefined
  /** True when the column is not null, or a validated check constraint says so. */
  isNotNull(table: TableName, column: string): boolean
  /** The tables that the foreign keys of a table refer to, or the one that `constraint` refers to. */
  referencedBy(table: TableName, constraint?: string): readonly TableName[]
}

export type DescribeStatement = (statement: Statement, context: EffectContext) => StatementEffect
