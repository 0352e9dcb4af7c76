import { type RawBuilder, sql } from 'kysely'
import type { Source } from '../envelope.js'
import type { Window } from '../filters.js'
import type { Question } from './question.js'
import type { Scope } from './scope.js'
import { type Coarsest, planStretches, type Stretch } from './stretches.js'

/** What sums can be grouped by. */
export interface FactKeys {
  /** The name of the window that a trace lies in. */
  readonly period: string
  /** Start of the hour, or of the UTC day when the daily rollup may be read. */
  readonly at: Date
  readonly department_id: string
  readonly environment_id: string
  readonly agent_id: string
  readonly version: string
  readonly intent_category: string
  readonly model_provider: string | null
}

/** What is summed over traces. */
export interface Sums {
  readonly requests: number
  /** Traces whose status is `error` or `timeout`. */
  readonly errors: number
  readonly latency_sum_ms: number
  /** US dollars; a trace without a price counts as zero. */
  readonly cost_usd: number
}

export type Fact<Key extends keyof FactKeys> = Pick<FactKeys, Key> & Sums

export interface Facts<Key extends keyof FactKeys> {
  readonly rows: readonly Fact<Key>[]
  readonly source: Source
}

/**
 * Adds traces up by `keys` over one or more windows, from the rollups where they are
 * exact and from traces at the edges.
 *
 * @param windows by name; the name is the key `period`.
 * @param coarsest `hour` when `at` must be hours; `day` allows the daily rollup.
 */
export async function sumFacts<Key extends keyof FactKeys>(
  question: Question,
  keys: readonly [Key, ...Key[]],
  windows: Readonly<Record<string, Window>>,
  coarsest: Exclude<Coarsest, 'none'> = 'day',
): Promise<Facts<Key>> {
  const stretches = Object.entries(windows).flatMap(([period, window]) =>
    planStretches(window, question.rollupsAreFresh ? coarsest : 'none').map((stretch) => ({ ...stretch, period })),
  )
  const parts = stretches.map((stretch) => stretchQuery(question.scope, stretch, stretch.period, coarsest))
  const grouped = sql.join(keys.map((key) => sql.ref(key)))
  const { rows } = await sql<Fact<Key>>`
    select ${grouped},
           coalesce(sum(requests), 0)::float8 as requests,
           coalesce(sum(errors), 0)::float8 as errors,
           coalesce(sum(latency_sum_ms), 0)::float8 as latency_sum_ms,
           round(coalesce(sum(cost_usd), 0), 6)::float8 as cost_usd
    from (${sql.join(parts, sql` union all `)}) as facts
    group by ${grouped}
    order by ${grouped}`.execute(question.db)
  return { rows, source: stretches.every(({ table }) => table !== 'traces') ? 'rollup' : 'raw' }
}

/** The condition every query of a KPI starts from: the workspace, and the filters that were given. */
export function inScope(scope: Scope): RawBuilder<boolean> {
  const conditions = [
    sql`workspace_id = ${scope.workspaceId}::uuid`,
    ...(scope.departmentId === undefined ? [] : [sql`department_id = ${scope.departmentId}::uuid`]),
    ...(scope.environmentId === undefined ? [] : [sql`environment_id = ${scope.environmentId}::uuid`]),
    ...(scope.version === undefined ? [] : [sql`version = ${scope.version}`]),
  ]
  return sql`${sql.join(conditions, sql` and `)}`
}

function stretchQuery(scope: Scope, stretch: Stretch, period: string, step: 'hour' | 'day'): RawBuilder<unknown> {
  const time = sql.ref(stretch.table === 'traces' ? 'timestamp' : 'bucket')
  return sql`
    select ${period}::text as period, date_trunc(${step}, ${time}, 'UTC') as at,
           department_id, environment_id, agent_id, version, intent_category, model_provider,
           ${stretch.table === 'traces' ? traceSums : rollupSums}
    from ${sql.table(stretch.table)}
    where ${inScope(scope)} and ${time} >= ${stretch.from} and ${time} < ${stretch.to}`
}

const traceSums = sql`
  1 as requests, (status in ('error', 'timeout'))::int as errors,
  latency_ms as latency_sum_ms, cost_usd`

const rollupSums = sql`
  trace_count as requests, error_count + timeout_count as errors,
  latency_sum_ms, cost_usd`
