import { sql } from 'kysely'
import type { Window } from '../filters.js'
import { inScope } from './facts.js'
import type { Question } from './question.js'

/** Latency percentiles in milliseconds, interpolated as `percentile_cont` does. */
export interface Percentiles {
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
}

/** Latency percentiles of a window's traces, by any column of `traces`; a sum cannot give them, so traces are read. */
export async function percentilesBy(
  question: Question,
  key: 'department_id' | 'environment_id' | 'version' | 'workspace_id',
  window: Window,
): Promise<ReadonlyMap<string, Percentiles>> {
  const { rows } = await sql<Percentiles & { key: string }>`
    select ${sql.ref(key)} as key,
           percentile_cont(0.5) within group (order by latency_ms) as p50,
           percentile_cont(0.9) within group (order by latency_ms) as p90,
           percentile_cont(0.95) within group (order by latency_ms) as p95,
           percentile_cont(0.99) within group (order by latency_ms) as p99
    from traces
    where ${inScope(question.scope)} and timestamp >= ${window.from} and timestamp < ${window.to}
    group by ${sql.ref(key)}`.execute(question.db)
  return new Map(rows.map(({ key: name, ...percentiles }) => [name, percentiles]))
}
