import type { ObservabilityContext } from './facts.js'
import { statuses } from './vocabulary.js'

/** Generated traces counted along every dimension that the distribution suite looks at, from one scan. */
export interface Cell {
  readonly run_id: string
  readonly grouping: Grouping
  readonly environment: string | null
  readonly department: string | null
  readonly intent: string | null
  readonly model: string | null
  readonly version: string | null
  /** Twentieth of the run's window, from 0. */
  readonly slice: number | null
  readonly status: string | null
  /** The start of the hour, in milliseconds since 1970. */
  readonly hour: number | null
  readonly agent_id: string | null
  readonly traces: number
  readonly latency: number
}

/** What is counted together; each is one pass of the same scan. */
const groupings = {
  environment: ['environment'],
  intent: ['department', 'intent'],
  stratum: ['model', 'intent', 'status'],
  version: ['version', 'slice'],
  hour: ['hour'],
  agent: ['department', 'agent_id'],
} as const
type Grouping = keyof typeof groupings

/** Slices of the window in which versions are counted. */
export const slices = 20

/** The cells of one grouping, for one run. */
export async function cellsOf(
  context: ObservabilityContext,
  runId: string,
  grouping: Grouping,
): Promise<readonly Cell[]> {
  return (await context.once(countCells)).filter((cell) => cell.run_id === runId && cell.grouping === grouping)
}

export function sumOf(cells: readonly Cell[]): number {
  return cells.reduce((sum, { traces }) => sum + traces, 0)
}

/** Counts by the value of one column, for example by environment. */
export function countsBy(cells: readonly Cell[], column: keyof Cell): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const cell of cells) {
    const value = String(cell[column])
    counts.set(value, (counts.get(value) ?? 0) + cell.traces)
  }
  return counts
}

export function isFailure({ status }: Cell): boolean {
  return status !== statuses[0]
}

async function countCells({ session }: ObservabilityContext): Promise<readonly Cell[]> {
  const columns = [...new Set(Object.values(groupings).flat())]
  const sets = Object.values(groupings).map((set) => `(run_id, ${set.join(', ')})`)
  const bits = `grouping(${columns.join(', ')})`
  const names = Object.entries(groupings).map(([name, set]) => `when ${maskOf(columns, set)} then '${name}'`)
  return session.unsafe<Cell[]>(`
    with generated as (
      select run.run_id, e.environment_code as environment, d.department_code as department,
             t.intent_category as intent, t.model, t.version, t.status, t.agent_id, t.latency_ms,
             extract(epoch from date_trunc('hour', t.timestamp))::bigint * 1000 as hour,
             floor(${slices} * extract(epoch from t.timestamp - run.window_from)::float8
               / extract(epoch from run.window_to - run.window_from)::float8)::int as slice
      from traces t
      join obs.seed_runs run on run.run_id = t.metadata ->> 'obs_run'
      left join departments d on d.workspace_id = t.workspace_id and d.id = t.department_id
      left join environments e on e.workspace_id = t.workspace_id and e.id = t.environment_id
    )
    select run_id, case ${bits} ${names.join(' ')} end as grouping, ${columns.join(', ')},
           count(*) as traces, sum(latency_ms)::bigint as latency
    from generated
    group by grouping sets (${sets.join(', ')})`)
}

/** The bits of `grouping(columns)`: 1 where a column is not part of the set, the last column lowest. */
function maskOf(columns: readonly string[], set: readonly string[]): number {
  return columns.reduce((mask, column) => mask * 2 + (set.includes(column) ? 0 : 1), 0)
}
