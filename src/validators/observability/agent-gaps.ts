import { type Observation, passed, sampleSize, skipped, violated } from '../check.js'
import { type Bind, binder } from '../rows.js'
import type { ObservabilityCheck, ObservabilityContext } from './facts.js'
import { type SeedRun, seedRuns } from './seed-runs.js'
import { dayMs, isWeekend, wholeDays } from './window.js'

/** Whether every agent of a run has traces on each whole working day of it. */
export const agentGapsCheck: ObservabilityCheck = {
  id: 'distribution.agent_gaps',
  severity: 'error',
  description: 'A day without traces of a busy agent is an outage that nobody listed, or lost data.',
  expected: 'no agent is silent on a whole working day, where the profile has traces on every one',
  run: observeGaps,
  failing: (context, bind) => gapsSql(context, bind),
}

async function observeGaps(context: ObservabilityContext): Promise<Observation> {
  const days = (await busyRuns(context)).reduce((sum, run) => sum + workingDays(run).length, 0)
  if (days === 0) return skipped('no run has a whole working day on which every agent is expected')
  const values: string[] = []
  const gaps = await gapsSql(context, binder(values))
  const [row] = await context.session.unsafe<{ gaps: number; sample: string[] }[]>(
    `with gaps as materialized (${gaps})
     select (select count(*) from gaps) as gaps, array(select key from gaps order by key limit ${sampleSize}) as sample`,
    values,
  )
  const found = Number(row?.gaps ?? 0)
  if (found === 0) return passed(`every agent is there on each of ${days} working days`)
  return violated(`${found} agent-days without a trace`, found, row?.sample ?? [])
}

/** One row for each agent and day that is missing, its key the agent and the date. */
async function gapsSql(context: ObservabilityContext, bind: Bind): Promise<string> {
  const expected = (await busyRuns(context)).flatMap((run) =>
    workingDays(run).map((day) => ({ run_id: run.run_id, workspace_id: run.workspace_id, day: day / dayMs })),
  )
  return `
    select a.agent_id || ' ' || (date '1970-01-01' + e.day)::text as key
    from jsonb_to_recordset(${bind(JSON.stringify(expected))}::text::jsonb) as e (run_id text, workspace_id uuid, day int)
    join (select distinct traces.metadata ->> 'obs_run' as run_id, workspace_id, agent_id from traces
          join agents using (workspace_id, agent_id) where traces.metadata ? 'obs_run') a using (run_id, workspace_id)
    left join (
      select distinct metadata ->> 'obs_run' as run_id, workspace_id, agent_id,
             floor(extract(epoch from timestamp) / 86400)::int as day
      from traces where metadata ? 'obs_run'
    ) t on t.run_id = e.run_id and t.workspace_id = e.workspace_id and t.agent_id = a.agent_id and t.day = e.day
    where t.day is null`
}

/** Runs of which the profile says that every agent has traces on a working day. */
async function busyRuns(context: ObservabilityContext): Promise<readonly SeedRun[]> {
  const runs = await context.once(seedRuns)
  return runs.filter((run) => (context.facts.expectedOf(run)?.perAgentDay[0] ?? 0) >= 1)
}

function workingDays(run: SeedRun): readonly number[] {
  return wholeDays(run).filter((day) => !isWeekend(day))
}
