import type { Statement } from './statements.js'
import type { TableName } from './touched-tables.js'

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

/** What a statement does to the tables it names, as its text and the server's version tell. */
export interface StatementEffect {
  /** In SQL's own words: `create index concurrently`, `alter table … add column`, `update`. */
  readonly kind: string
  readonly locks: readonly { readonly table: TableName; readonly mode: LockMode }[]
  /** Tables that are written anew while the lock is held. */
  readonly rewrites: readonly TableName[]
  /** Tables that are read from end to end while the lock is held. */
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
}

export type DescribeStatement = (statement: Statement, context: EffectContext) => StatementEffect
