import { formatBytes } from '../format-bytes.js'
import type { Scope, TableName } from './scope.js'

/** The tables whose rows a plan can alter, or why it may be any. */
export type Reach = { readonly tables: readonly TableName[] } | { readonly anyBecause: string }

/** Everything the choice depends on. */
export interface ScopeFacts {
  /** What a person asked for. */
  readonly wanted: 'full' | 'tables' | 'schema' | undefined
  /** Bytes of all tables; null when that cannot be found out. */
  readonly tableBytes: number | null
  readonly reach: Reach
}

export interface ScopeChoice {
  readonly scope: Scope
  /** Why, as a person would say it. */
  readonly reason: string
}

/** Up to this many bytes of tables the whole database is backed up without further thought. */
const small = 1024 ** 3

/**
 * Chooses how much to back up before a plan is run.
 *
 * Everything, while that is small. Of a large database the tables that the plan can alter, or the
 * definitions alone when it alters no rows; and everything again when nobody can tell.
 */
export function chooseScope({ wanted, tableBytes, reach }: ScopeFacts): ScopeChoice {
  if (wanted === 'full') return { scope: { kind: 'full' }, reason: 'asked for' }
  if (wanted === 'schema') return { scope: { kind: 'schema' }, reason: 'asked for' }
  const size = tableBytes === null ? 'its size is not known' : `it holds ${formatBytes(tableBytes)}`
  if (wanted === undefined && tableBytes !== null && tableBytes <= small) {
    return { scope: { kind: 'full' }, reason: `${size}, and up to ${formatBytes(small)} everything is backed up` }
  }
  if ('anyBecause' in reach)
    return { scope: { kind: 'full' }, reason: `the plan may alter any table: ${reach.anyBecause}` }
  const why = wanted === 'tables' ? 'asked for' : size
  if (reach.tables.length === 0)
    return { scope: { kind: 'schema' }, reason: `${why}; the plan alters no existing rows` }
  const names = reach.tables.map(({ schema, name }) => `${schema}.${name}`).join(', ')
  return { scope: { kind: 'tables', tables: reach.tables }, reason: `${why}; the plan can alter ${names}` }
}
