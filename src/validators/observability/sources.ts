import type { Bind, RowSource } from '../rows.js'
import type { ObservabilityContext, ObservabilityFacts } from './facts.js'
import { seedRuns } from './seed-runs.js'

/** Rows that a seeding run made carry its id; rows of applications never do. */
export const generatedTraces = { condition: `t.metadata ? 'obs_run'`, name: 'generated traces' } as const

/** Traces, with what their columns refer to; each join finds at most one row. */
export const traceRows = {
  rows: 'traces',
  from: 'traces t',
  key: 't.trace_id',
  joins: {
    workspace: () => 'left join workspaces w on w.id = t.workspace_id',
    department: () => 'left join departments d on d.workspace_id = t.workspace_id and d.id = t.department_id',
    environment: () => 'left join environments e on e.workspace_id = t.workspace_id and e.id = t.environment_id',
    agent: () => 'left join agents a on a.workspace_id = t.workspace_id and a.agent_id = t.agent_id',
    user: () => 'left join users u on u.workspace_id = t.workspace_id and u.user_id = t.user_id',
    run: joinRun,
    price: joinPrice,
  },
} satisfies RowSource<ObservabilityFacts>

/** Evaluations, with the trace that each of them judges. */
export const evaluationRows = {
  rows: 'evaluations',
  from: 'evaluations v',
  key: 'v.id::text',
  joins: {
    trace: () => 'left join traces t on t.trace_id = v.trace_id and t.timestamp = v.trace_timestamp',
  },
} satisfies RowSource<ObservabilityFacts>

export const agentRows = {
  rows: 'agents',
  from: 'agents a',
  key: 'a.agent_id',
  joins: {
    department: () => 'left join departments d on d.workspace_id = a.workspace_id and d.id = a.department_id',
    environment: () => 'left join environments e on e.workspace_id = a.workspace_id and e.id = a.environment_id',
    replacement: () => 'left join agents r on r.workspace_id = a.workspace_id and r.agent_id = a.replacement_agent_id',
  },
} satisfies RowSource<ObservabilityFacts>

export const userRows = {
  rows: 'users',
  from: 'users u',
  key: 'u.user_id',
  joins: {
    department: () => 'left join departments d on d.workspace_id = u.workspace_id and d.id = u.department_id',
  },
} satisfies RowSource<ObservabilityFacts>

/** Without the table of runs there is no run to belong to. */
async function joinRun(context: ObservabilityContext): Promise<string> {
  const runs = await context.once(seedRuns)
  const table = runs.length > 0 ? 'obs.seed_runs' : noRuns
  return `left join ${table} run on run.run_id = t.metadata ->> 'obs_run'`
}

const noRuns = '(select null::text as run_id, null::timestamptz as window_from, null::timestamptz as window_to limit 0)'

function joinPrice({ facts }: ObservabilityContext, bind: Bind): string {
  const prices = bind(JSON.stringify(facts.prices))
  return `left join jsonb_to_recordset(${prices}::text::jsonb) as price (model text, input numeric, output numeric)
            on price.model = t.model`
}
