import type { ObservabilityContext } from './facts.js'
import type { SeedRun } from './seed-runs.js'
import { statuses } from './vocabulary.js'

/** Generated traces of one run, counted by what they are about. */
export interface Cell {
  readonly run_id: string
  readonly workspace_id: string
  readonly department: string | null
  readonly environment: string | null
  readonly agent_id: string
  readonly intent: string
  readonly model: string | null
  readonly status: string | null
  readonly traces: number
  /** Sum of the latencies in milliseconds. */
  readonly latency: number
  /** Sum of the costs in US dollars. */
  readonly cost: number
}

/** Generated traces of one run, version and hour. */
export interface HourCell {
  readonly run_id: string
  readonly workspace_id: string
  readonly version: string
  /** The start of the hour, in milliseconds since 1970. */
  readonly hour: number
  readonly traces: number
}

export async function cellsOf(context: ObservabilityContext, run: SeedRun): Promise<readonly Cell[]> {
  return (await context.once(countCells)).filter(isOf(run))
}

export async function hoursOf(context: ObservabilityContext, run: SeedRun): Promise<readonly HourCell[]> {
  return (await context.once(countHours)).filter(isOf(run))
}

function isOf(run: SeedRun): (cell: Pick<Cell, 'run_id' | 'workspace_id'>) => boolean {
  return ({ run_id, workspace_id }) => run_id === run.run_id && workspace_id === run.workspace_id
}

export function sumOf(cells: readonly { readonly traces: number }[]): number {
  return cells.reduce((sum, { traces }) => sum + traces, 0)
}

/** Adds up the traces of the cells that `name` gives the same name. */
export function countBy<C extends { readonly traces: number }, Name>(
  cells: readonly C[],
  name: (cell: C) => Name,
): Map<Name, number> {
  const counts = new Map<Name, number>()
  for (const cell of cells) counts.set(name(cell), (counts.get(name(cell)) ?? 0) + cell.traces)
  return counts
}

export function isFailure({ status }: Cell): boolean {
  return status !== statuses[0]
}

/** Codes are looked up behind the grouping, for a thousandth of the rows. */
async function countCells({ session }: ObservabilityContext): Promise<readonly Cell[]> {
  return session<Cell[]>`
    with counted as (
      select metadata ->> 'obs_run' as run_id, workspace_id, department_id, environment_id, agent_id,
             intent_category as intent, model, status, count(*) as traces, sum(latency_ms)::bigint as latency,
             sum(cost_usd)::float8 as cost
      from traces
      where metadata ? 'obs_run'
      group by 1, 2, 3, 4, 5, 6, 7, 8
    )
    select c.run_id, c.workspace_id, d.department_code as department, e.environment_code as environment, c.agent_id, c.intent,
           c.model, c.status, c.traces, c.latency, c.cost
    from counted c
    left join departments d on d.workspace_id = c.workspace_id and d.id = c.department_id
    left join environments e on e.workspace_id = c.workspace_id and e.id = c.environment_id`
}

async function countHours({ session }: ObservabilityContext): Promise<readonly HourCell[]> {
  return session<HourCell[]>`
    select metadata ->> 'obs_run' as run_id, workspace_id, version,
           floor(extract(epoch from timestamp) / 3600)::bigint * 3600000 as hour, count(*) as traces
    from traces
    where metadata ? 'obs_run'
    group by 1, 2, 3, 4`
}
