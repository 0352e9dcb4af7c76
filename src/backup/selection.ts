import { quoteQualified } from '../database/quote.js'
import { UsageError } from '../errors.js'
import { nearest } from '../suggest.js'
import type { DdlStatement } from './ddl.js'
import type { Manifest } from './manifest.js'
import type { RestorePlan } from './restore-plan.js'
import type { TableName } from './scope.js'

/** What of a backup to bring back; all of it when empty. */
export interface Selection {
  /** Rows of these tables alone; a partitioned table stands for its partitions. */
  readonly tables?: readonly TableName[]
  /** Definitions without rows, or rows without definitions. */
  readonly only?: 'schema' | 'data'
}

export function isEverything({ tables, only }: Selection): boolean {
  return tables === undefined && only === undefined
}

/** A plan for a part of a backup, and what of the definitions cannot be brought back with it. */
export interface SelectedPlan {
  readonly plan: RestorePlan
  /** Foreign keys of chosen tables to tables that were not chosen, as SQL. */
  readonly leftOut: readonly string[]
}

/**
 * Cuts a plan down to what was chosen.
 *
 * @throws UsageError when the backup holds no such table, or its engine cannot bring a part back.
 */
export function select(plan: RestorePlan, selection: Selection): SelectedPlan {
  if (isEverything(selection)) return { plan, leftOut: [] }
  const { tables, only } = selection
  // Large objects belong to no table, and stay with the whole.
  const manifest: Manifest = { ...plan.manifest, large_objects: null }
  const none = { manifest, tables: [], sequences: [] }
  if (only === 'schema') {
    if (plan.engine === 'native') return { plan: { ...plan, ...none, selection: ['--schema-only'] }, leftOut: [] }
    const preData = plan.preData.filter(({ sql }) => !/^select pg_catalog\.lo_/i.test(sql))
    return { plan: { ...plan, ...none, preData }, leftOut: [] }
  }
  if (plan.engine === 'native') throw notOfNative(plan.manifest)
  const names = namesOf(plan, tables)
  const chosen = plan.tables.filter(({ schema, name }) => names?.has(quoteQualified(schema, name)) ?? true)
  const part = { ...plan, manifest, tables: chosen }
  if (only === 'data') return { plan: { ...part, rowsAlone: true, preData: [], postData: [], jobs: 1 }, leftOut: [] }
  const leftOut = plan.postData.filter((statement) => names && isUnanswered(statement, names))
  const postData = plan.postData.filter((statement) => !leftOut.includes(statement))
  return {
    plan: { ...part, postData, rowsAlone: leftOut.length > 0 },
    leftOut: leftOut.map(({ sql }) => sql),
  }
}

/** A foreign key whose rows are brought back without those they refer to. */
function isUnanswered({ builds, tables }: DdlStatement, chosen: ReadonlySet<string>): boolean {
  const [own = '', other = own] = tables
  return builds === 'foreign key' && chosen.has(own) && !chosen.has(other)
}

/** The tables that are meant, partitioned ones with their partitions; undefined for all. */
function namesOf(
  plan: Extract<RestorePlan, { engine: 'built-in' }>,
  wanted: readonly TableName[] | undefined,
): ReadonlySet<string> | undefined {
  if (wanted === undefined) return undefined
  const partitions = partitionsOf([...plan.preData, ...plan.postData])
  const names = new Set<string>()
  const add = (name: string) => {
    if (names.has(name)) return
    names.add(name)
    for (const partition of partitions.get(name) ?? []) add(partition)
  }
  for (const { schema, name } of wanted) add(quoteQualified(schema, name))
  const known = new Set([...partitions.keys(), ...plan.tables.map(({ schema, name }) => quoteQualified(schema, name))])
  const unknown = wanted.filter(({ schema, name }) => !known.has(quoteQualified(schema, name)))
  if (unknown.length > 0) throw unknownTables(plan.manifest, unknown)
  return names
}

/** pg_dump makes partitions as tables and attaches them: parents with their children. */
function partitionsOf(statements: readonly DdlStatement[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const { sql, kind } of statements) {
    if (kind !== 'AlterTableStmt') continue
    const name = '((?:"(?:[^"]|"")+"|[^\\s."]+)\\.(?:"(?:[^"]|"")+"|[^\\s."]+))'
    const [, parent, child] = new RegExp(`^ALTER TABLE ONLY ${name} ATTACH PARTITION ${name} `).exec(sql) ?? []
    if (!parent || !child) continue
    found.set(quoted(parent), [...(found.get(quoted(parent)) ?? []), quoted(child)])
  }
  return found
}

/** `public."Odd"` as `"public"."Odd"`. */
function quoted(name: string): string {
  const parts = name.match(/"(?:[^"]|"")+"|[^."]+/g) ?? []
  return parts.map((part) => (part.startsWith('"') ? part : `"${part}"`)).join('.')
}

function unknownTables({ id, tables }: Manifest, unknown: readonly TableName[]): UsageError {
  const known = tables.map(({ schema, name }) => `${schema}.${name}`)
  const named = unknown.map(({ schema, name }) => `${schema}.${name}`)
  const guess = nearest(named[0] ?? '', known)
  return new UsageError(
    `the backup ${id} holds no rows of ${named.join(', ')}${guess ? `, did you mean ${guess}?` : ''}`,
    {
      code: 'unknown_table',
      hint: 'Its manifest.json lists the tables; nothing was changed.',
      details: { id, tables: named },
    },
  )
}

function notOfNative({ id }: Manifest): UsageError {
  return new UsageError(
    `the backup ${id} is an archive of pg_dump, of which obs brings back everything or the definitions`,
    {
      code: 'cannot_select',
      hint: `Restore it into a new database and copy from there, or use pg_restore by hand with --table or --data-only; nothing was changed.`,
      details: { id },
    },
  )
}
