import type { Bind, RowSource } from '../rows.js'
import type { ObservabilityContext, ObservabilityFacts } from './facts.js'
import { seedRuns } from './seed-runs.js'

/** Rows that a seeding run made carry its id; rows of applications never do. */
export const generatedTraces = { condition: `t.metadata ? 'obs_run'`, name: 'generated traces' } as const

export const generatedEvaluations = { condition: `v.metadata ? 'obs_run'`, name: 'generated evaluations' } as const

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
    release: joinRelease,
  },
} satisfies RowSource<ObservabilityFacts>

/** Evaluations, with the trace that each of them judges. */
export const evaluationRows = {
  rows: 'evaluations',
  from: 'evaluations v',
  key: 'v.id::text',
  joins: {
    trace: () => 'left join traces t on t.trace_id = v.trace_id and t.timestamp = v.trace_timestamp',
    standard: ({ facts }, bind) =>
      `cross join (select ${bind(String(facts.passingScore))}::text::numeric as passing) standard`,
  },
} satisfies RowSource<ObservabilityFacts>

/** Spans, with the span that each is a part of and the trace of all of them. */
export const spanRows = {
  rows: 'spans',
  from: 'spans s',
  key: `s.trace_id || ' ' || s.span_id`,
  joins: {
    parent: () => `left join spans p on p.workspace_id = s.workspace_id and p.trace_timestamp = s.trace_timestamp
                                    and p.trace_id = s.trace_id and p.span_id = s.parent_span_id`,
    trace: () => 'left join traces t on t.trace_id = s.trace_id and t.timestamp = s.trace_timestamp',
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

/** When each version was first seen in each run. */
async function joinRelease(context: ObservabilityContext, bind: Bind): Promise<string> {
  const runs = await context.once(seedRuns)
  const releases = runs.flatMap((run) => {
    const { run_id, workspace_id, window_from, window_to } = run
    const rollout = context.facts.expectedOf(run)?.rollout
    const length = window_to.getTime() - window_from.getTime()
    return (rollout?.versions ?? []).map((version, place) => ({
      ...{ run_id, workspace_id, version },
      first_seen: new Date(window_from.getTime() + (rollout?.firstSeen[place] ?? 0) * length),
    }))
  })
  return `left join jsonb_to_recordset(${bind(JSON.stringify(releases))}::text::jsonb)
              as release (run_id text, workspace_id uuid, version text, first_seen timestamptz)
            on release.run_id = t.metadata ->> 'obs_run' and release.workspace_id = t.workspace_id
              and release.version = t.version`
}

const noRuns = '(select null::text as run_id, null::timestamptz as window_from, null::timestamptz as window_to limit 0)'

function joinPrice({ facts }: ObservabilityContext, bind: Bind): string {
  const prices = bind(JSON.stringify(facts.prices))
  return `left join jsonb_to_recordset(${prices}::text::jsonb) as price (model text, provider text, input numeric, cached_input numeric, output numeric)
            on price.model = t.model`
}
