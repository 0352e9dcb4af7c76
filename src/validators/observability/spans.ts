import { rowCheck } from '../rows.js'
import { violationsCheck } from '../violations.js'
import type { ObservabilityCheck } from './facts.js'
import { spanRows } from './sources.js'

const generatedSpans = { condition: `s.metadata ? 'obs_run'`, name: 'generated spans' } as const

/** Whether the spans of a trace fit together, and what they add up to is what the trace says. */
export const spanChecks: readonly ObservabilityCheck[] = [
  rowCheck({
    id: 'integrity.spans_trace',
    severity: 'error',
    description: 'A step of a trace that does not exist is a cost without a request.',
    expected: 'every span belongs to a trace that exists, in its workspace and of its agent',
    source: spanRows,
    joins: ['trace'],
    violates: 't.trace_id is null or t.workspace_id <> s.workspace_id or t.agent_id <> s.agent_id',
  }),
  rowCheck({
    id: 'integrity.spans_parent',
    severity: 'error',
    description: 'A step without the one it is a part of hangs in the air in every waterfall.',
    expected: 'the parent of every span that names one exists in the same trace',
    source: spanRows,
    joins: ['parent'],
    violates: 's.parent_span_id is not null and p.span_id is null',
  }),
  rowCheck({
    id: 'integrity.spans_contained',
    severity: 'error',
    description: 'A step that outlasts what it is a part of comes from a clock that is wrong.',
    expected: 'every generated span begins and ends within its parent, and the whole within its trace',
    source: spanRows,
    among: generatedSpans,
    joins: ['parent', 'trace'],
    violates: `s.started_at < coalesce(p.started_at, t.timestamp)
               or s.started_at + s.duration_ms * interval '1 millisecond'
                  > coalesce(p.started_at + p.duration_ms * interval '1 millisecond',
                             t.timestamp + t.latency_ms * interval '1 millisecond')`,
  }),
  rowCheck({
    id: 'integrity.spans_priced',
    severity: 'error',
    description: 'Cost and tokens on other steps than calls of models are counted twice.',
    expected: 'calls of models have tokens and a cost, and no other generated span has',
    source: spanRows,
    among: generatedSpans,
    violates: `(s.kind = 'llm') is distinct from (s.cost_usd is not null)
               or (s.kind = 'llm') is distinct from (s.tokens_input is not null and s.tokens_output is not null)`,
  }),
  rowCheck({
    id: 'integrity.spans_tools_named',
    severity: 'error',
    description: 'A tool without a name is missing from every list of slow tools.',
    expected: 'tools have a name, and no other generated span has one',
    source: spanRows,
    among: generatedSpans,
    violates: `(s.kind = 'tool') is distinct from (s.tool_name is not null)`,
  }),
  violationsCheck({
    id: 'integrity.spans_add_up',
    severity: 'error',
    description: 'A bill by step that differs from the bill by trace is worth nothing.',
    expected: 'cost and tokens of the generated spans of a trace add up to its own, to the last digit',
    rows: 'traces with spans',
    among: `select count(*) from (select distinct workspace_id, trace_timestamp, trace_id from spans) counted`,
    sql: `select t.trace_id as key
          from (
            select workspace_id, trace_timestamp, trace_id, sum(cost_usd) as cost, sum(tokens_input) as tokens_input,
                   sum(tokens_output) as tokens_output
            from spans where metadata ? 'obs_run' group by 1, 2, 3
          ) s
          join traces t on t.trace_id = s.trace_id and t.timestamp = s.trace_timestamp
          where s.cost is distinct from t.cost_usd or s.tokens_input is distinct from t.tokens_input
             or s.tokens_output is distinct from t.tokens_output`,
  }),
  violationsCheck({
    id: 'integrity.spans_outcome',
    severity: 'error',
    description: 'A failure that no step explains cannot be found.',
    expected: 'a generated trace failed exactly when its first span and one of the others did, in the same way',
    rows: 'traces with spans',
    among: `select count(*) from (select distinct workspace_id, trace_timestamp, trace_id from spans) counted`,
    sql: `select t.trace_id as key
          from (
            select workspace_id, trace_timestamp, trace_id,
                   max(status) filter (where parent_span_id is null) as whole,
                   coalesce(max(status) filter (where parent_span_id is not null and status <> 'success'), 'success') as part
            from spans where metadata ? 'obs_run' group by 1, 2, 3
          ) s
          join traces t on t.trace_id = s.trace_id and t.timestamp = s.trace_timestamp
          where s.whole is distinct from t.status or s.part is distinct from t.status`,
  }),
]
