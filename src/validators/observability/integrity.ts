import { nothingIn, type Observation, skipped } from '../check.js'
import { rowCheck } from '../rows.js'
import { violationsCheck } from '../violations.js'
import { expectedColumns } from './expected-schema.js'
import type { ObservabilityCheck, ObservabilityContext, ObservabilitySuite } from './facts.js'
import { rollupChecks } from './rollup-checks.js'
import { seedRuns } from './seed-runs.js'
import { agentRows, evaluationRows, generatedEvaluations, generatedTraces, traceRows, userRows } from './sources.js'
import { spanChecks } from './spans.js'
import { departmentCodes, environmentCodes, intents, segments, sqlList, statuses } from './vocabulary.js'

const presence: readonly ObservabilityCheck[] = [
  rowCheck({
    id: 'integrity.traces_required_values',
    severity: 'error',
    description: 'A trace without its key, time or dimensions is in no report.',
    expected: `no trace lacks ${requiredOf('traces').join(', ')}`,
    source: traceRows,
    violates: anyNull('t', requiredOf('traces')),
  }),
  rowCheck({
    id: 'integrity.evaluations_required_values',
    severity: 'error',
    description: 'An evaluation without its trace or score counts for nothing.',
    expected: `no evaluation lacks ${requiredOf('evaluations').join(', ')}`,
    source: evaluationRows,
    violates: anyNull('v', requiredOf('evaluations')),
  }),
  referenceCheck(),
  completeCheck('departments', 'department_code', departmentCodes),
  completeCheck('environments', 'environment_code', environmentCodes),
]

const references: readonly ObservabilityCheck[] = [
  rowCheck({
    id: 'integrity.traces_workspace',
    severity: 'error',
    description: 'Traces of an unknown workspace belong to nobody.',
    expected: 'every trace belongs to a workspace that exists',
    source: traceRows,
    joins: ['workspace'],
    violates: 't.workspace_id is not null and w.id is null',
  }),
  rowCheck({
    id: 'integrity.traces_department',
    severity: 'error',
    description: 'Cost of a department that does not exist is paid by nobody.',
    expected: 'every trace refers to a department that exists',
    source: traceRows,
    joins: ['department'],
    violates: 'd.id is null and t.department_id not in (select id from departments)',
  }),
  rowCheck({
    id: 'integrity.traces_department_workspace',
    severity: 'error',
    description: 'A reference across workspaces shows one customer the data of another.',
    expected: 'no trace refers to a department of another workspace',
    source: traceRows,
    joins: ['department'],
    violates: 'd.id is null and t.department_id in (select id from departments)',
  }),
  rowCheck({
    id: 'integrity.traces_environment',
    severity: 'error',
    description: 'A trace of no environment is in neither production nor staging.',
    expected: 'every trace refers to an environment that exists',
    source: traceRows,
    joins: ['environment'],
    violates: 'e.id is null and t.environment_id not in (select id from environments)',
  }),
  rowCheck({
    id: 'integrity.traces_environment_workspace',
    severity: 'error',
    description: 'A reference across workspaces shows one customer the data of another.',
    expected: 'no trace refers to an environment of another workspace',
    source: traceRows,
    joins: ['environment'],
    violates: 'e.id is null and t.environment_id in (select id from environments)',
  }),
  rowCheck({
    id: 'integrity.traces_agent',
    severity: 'warning',
    description: 'An agent that nobody registered has no owner to call.',
    expected: 'the agent of every trace is registered in its workspace',
    source: traceRows,
    joins: ['agent'],
    violates: 'a.agent_id is null',
  }),
  rowCheck({
    id: 'integrity.traces_user',
    severity: 'warning',
    description: 'A user that nobody registered is missing from retention.',
    expected: 'the user of every trace that names one is registered in its workspace',
    source: traceRows,
    among: { condition: 't.user_id is not null', name: 'traces of a user' },
    joins: ['user'],
    violates: 'u.user_id is null',
  }),
  rowCheck({
    id: 'integrity.traces_agent_department',
    severity: 'error',
    description: 'Cost that is charged to another department than the agent of it is disputed.',
    expected: 'every generated trace has the department of its agent',
    source: traceRows,
    among: {
      condition: `${generatedTraces.condition} and a.agent_id is not null`,
      name: 'generated traces of an agent',
    },
    joins: ['agent'],
    violates: 'a.department_id is distinct from t.department_id',
  }),
  rowCheck({
    id: 'integrity.traces_user_segment',
    severity: 'error',
    description: 'A user who is in two segments counts in both.',
    expected: 'every generated trace has the segment of its user',
    source: traceRows,
    among: { condition: `${generatedTraces.condition} and u.user_id is not null`, name: 'generated traces of a user' },
    joins: ['user'],
    violates: 'u.user_segment is distinct from t.user_segment',
  }),
  rowCheck({
    id: 'integrity.evaluations_trace',
    severity: 'error',
    description: 'A score of a trace that does not exist distorts quality.',
    expected: 'every evaluation refers to a trace that exists',
    source: evaluationRows,
    joins: ['trace'],
    violates: 't.trace_id is null',
  }),
  rowCheck({
    id: 'integrity.evaluations_owner',
    severity: 'error',
    description: 'A score counts for the wrong agent, or shows one customer the data of another.',
    expected: 'every evaluation has the workspace and the agent of its trace',
    source: evaluationRows,
    among: { condition: 't.trace_id is not null', name: 'evaluations of a trace' },
    joins: ['trace'],
    violates: 'v.workspace_id is distinct from t.workspace_id or v.agent_id is distinct from t.agent_id',
  }),
  rowCheck({
    id: 'integrity.agents_references',
    severity: 'error',
    description: 'An agent of no department or environment is missing from fleet views.',
    expected: 'department, environment and replacement of every agent exist in its workspace',
    source: agentRows,
    joins: ['department', 'environment', 'replacement'],
    violates: `(a.department_id is not null and d.id is null) or (a.environment_id is not null and e.id is null)
      or (a.replacement_agent_id is not null and r.agent_id is null)`,
  }),
  rowCheck({
    id: 'integrity.users_department',
    severity: 'error',
    description: 'A user of no department is missing from usage by department.',
    expected: 'the department of every user that has one exists in its workspace',
    source: userRows,
    among: { condition: 'u.department_id is not null', name: 'users of a department' },
    joins: ['department'],
    violates: 'd.id is null',
  }),
]

const uniqueness: readonly ObservabilityCheck[] = [
  {
    id: 'integrity.traces_key_unique',
    severity: 'error',
    description: 'A trace that is there twice is counted and paid twice.',
    expected: 'no two traces share trace_id and timestamp',
    run: async (context) => reportRepeated(await context.once(repeatedTraces), 'same_time'),
  },
  {
    id: 'integrity.traces_trace_id_unique',
    severity: 'warning',
    description: 'A link that names only the trace_id is ambiguous.',
    expected: 'no two traces of different times share a trace_id',
    run: async (context) => reportRepeated(await context.once(repeatedTraces), 'other_time'),
  },
  violationsCheck({
    id: 'integrity.traces_repeated',
    severity: 'error',
    description: 'A request that is recorded under two ids is counted and paid twice.',
    expected: 'no two traces have the same agent, user, time and input',
    rows: 'traces',
    among: 'select count(*) from traces',
    sql: `with suspects as materialized (
            select workspace_id, agent_id, timestamp from traces group by 1, 2, 3 having count(*) > 1
          )
          select trace_id as key
          from (
            select trace_id, row_number() over (
                     partition by workspace_id, agent_id, timestamp, user_id, input order by id) as number
            from traces join suspects using (workspace_id, agent_id, timestamp)
          ) repeated
          where number > 1`,
  }),
  violationsCheck({
    id: 'integrity.traces_id_unique',
    severity: 'warning',
    description: 'No index keeps id unique across partitions; the proof of preservation leans on it.',
    expected: 'no two traces share an id',
    rows: 'traces',
    among: 'select count(*) from traces',
    sql: `select id::text as key from traces group by id having count(*) > 1`,
  }),
]

const cachedTokens = `coalesce((t.metadata ->> 'gen_ai.usage.cache_read.input_tokens')::int, 0)`
const reasoningTokens = `coalesce((t.metadata ->> 'gen_ai.usage.reasoning.output_tokens')::int, 0)`

const values: readonly ObservabilityCheck[] = [
  rowCheck({
    id: 'integrity.tokens_sum',
    severity: 'error',
    description: 'Usage by token disagrees with itself.',
    expected: 'tokens_total = tokens_input + tokens_output on every generated trace',
    source: traceRows,
    among: generatedTraces,
    violates: 't.tokens_total is distinct from t.tokens_input + t.tokens_output or t.tokens_total is null',
  }),
  rowCheck({
    id: 'integrity.cost_matches_price',
    severity: 'error',
    description: 'Cost reports would not survive a comparison with the invoice.',
    expected:
      'cost_usd = round(((tokens_input − cached) × input + cached × cached_input + tokens_output × output) / 1000, 6) at the prices of the model on every generated trace',
    source: traceRows,
    among: generatedTraces,
    joins: ['price'],
    violates: `price.model is null or t.cost_usd is distinct from
      round(((t.tokens_input - ${cachedTokens}) * price.input + ${cachedTokens} * price.cached_input
             + t.tokens_output * price.output) / 1000, 6)`,
  }),
  rowCheck({
    id: 'integrity.token_parts',
    severity: 'error',
    description: 'More tokens from the cache than were sent make a request cheaper than it was.',
    expected: 'cached tokens are at most the input, reasoning tokens at most the output of every generated trace',
    source: traceRows,
    among: generatedTraces,
    // Tokens below zero are the business of another check.
    violates: `(t.tokens_input >= 0 and not ${cachedTokens} between 0 and t.tokens_input)
               or (t.tokens_output >= 0 and not ${reasoningTokens} between 0 and t.tokens_output)`,
  }),
  rowCheck({
    id: 'integrity.first_token_within_latency',
    severity: 'error',
    description: 'A first token behind the last one is the clock of somebody else.',
    expected: 'no generated trace has its first token later than its answer',
    source: traceRows,
    among: generatedTraces,
    // A latency below zero is the business of another check.
    violates: `(t.metadata ->> 'gen_ai.response.time_to_first_chunk')::numeric * 1000 > t.latency_ms and t.latency_ms >= 0`,
  }),
  rowCheck({
    id: 'integrity.model_provider',
    severity: 'error',
    description: 'A request that is put down to another provider spoils the comparison of providers.',
    expected: 'every generated trace names the provider of its model',
    source: traceRows,
    among: {
      condition: `${generatedTraces.condition} and price.model is not null`,
      name: 'generated traces of a known model',
    },
    joins: ['price'],
    violates: 't.model_provider is distinct from price.provider',
  }),
  notNegative('latency', ['latency_ms']),
  notNegative('tokens', ['tokens_input', 'tokens_output', 'tokens_total']),
  notNegative('cost', ['cost_usd']),
  rowCheck({
    id: 'integrity.status_known',
    severity: 'error',
    description: 'A trace of an unknown status is neither success nor failure in any rate.',
    expected: `status is ${statuses.join(', ')}`,
    source: traceRows,
    violates: `t.status is null or t.status not in (${sqlList(statuses)})`,
  }),
  rowCheck({
    id: 'integrity.intent_known',
    severity: 'error',
    description: 'An unknown intent is a column of its own in every chart.',
    expected: `intent_category is ${intents.join(', ')}`,
    source: traceRows,
    violates: `t.intent_category not in (${sqlList(intents)})`,
  }),
  rowCheck({
    id: 'integrity.segment_known',
    severity: 'error',
    description: 'An unknown segment is a column of its own in every chart.',
    expected: `user_segment is ${segments.join(', ')} or null`,
    source: traceRows,
    violates: `t.user_segment not in (${sqlList(segments)})`,
  }),
  rowCheck({
    id: 'integrity.traces_attributed',
    severity: 'error',
    description: 'Usage that belongs to nobody is in no report by user, segment, model or provider.',
    expected: 'every generated trace names its user, segment, model, provider and input',
    source: traceRows,
    among: generatedTraces,
    violates: anyNull('t', ['user_id', 'user_segment', 'model', 'model_provider', 'input']),
  }),
  rowCheck({
    id: 'integrity.successes_answered',
    severity: 'error',
    description: 'A success without an answer is none for whoever asked.',
    expected: 'every generated trace that succeeded has an output',
    source: traceRows,
    among: {
      condition: `${generatedTraces.condition} and t.status = 'success'`,
      name: 'generated traces that succeeded',
    },
    violates: 't.output is null',
  }),
  rowCheck({
    id: 'integrity.failures_explained',
    severity: 'error',
    description: 'An error without a text cannot be put down to anything.',
    expected: 'every generated trace that failed has an error text',
    source: traceRows,
    among: {
      condition: `${generatedTraces.condition} and t.status <> 'success'`,
      name: 'generated traces that failed',
    },
    violates: `coalesce(t.error, '') = ''`,
  }),
  rowCheck({
    id: 'integrity.successes_without_error',
    severity: 'error',
    description: 'A success with an error text is counted on both sides.',
    expected: 'no generated trace that succeeded has an error text',
    source: traceRows,
    among: {
      condition: `${generatedTraces.condition} and t.status = 'success'`,
      name: 'generated traces that succeeded',
    },
    violates: 't.error is not null',
  }),
  rowCheck({
    id: 'integrity.scores_in_range',
    severity: 'error',
    description: 'A score beyond the scale distorts every average.',
    expected: 'the score of every evaluation is between 0 and 100',
    source: evaluationRows,
    violates: 'v.score not between 0 and 100',
  }),
  rowCheck({
    id: 'integrity.evaluations_verdict',
    severity: 'error',
    description: 'A verdict that contradicts its score makes two pass rates of one.',
    expected: 'a generated evaluation passes exactly when its score reaches the passing score',
    source: evaluationRows,
    among: generatedEvaluations,
    joins: ['standard'],
    violates: 'v.is_passing is distinct from (v.score >= standard.passing)',
  }),
]

const times: readonly ObservabilityCheck[] = [
  rowCheck({
    id: 'integrity.timestamps_not_future',
    severity: 'error',
    description: 'A trace from the future moves the end of every chart.',
    expected: 'no trace is later than five minutes from now',
    source: traceRows,
    violates: `t.timestamp > now() + interval '5 minutes'`,
  }),
  rowCheck({
    id: 'integrity.generated_by_known_run',
    severity: 'error',
    description: 'Rows of an unknown run cannot be replaced or removed.',
    expected: 'every generated trace belongs to a run in obs.seed_runs',
    source: traceRows,
    among: generatedTraces,
    joins: ['run'],
    violates: 'run.run_id is null',
  }),
  rowCheck({
    id: 'integrity.timestamps_in_window',
    severity: 'error',
    description: 'A run that writes outside its window mixes with what was there.',
    expected: 'every generated trace lies inside the window of its run',
    source: traceRows,
    among: { condition: 'run.run_id is not null', name: 'traces of recorded runs' },
    joins: ['run'],
    violates: 't.timestamp < run.window_from or t.timestamp >= run.window_to',
  }),
  rowCheck({
    id: 'integrity.versions_released',
    severity: 'error',
    description: 'A version that runs before its release was labelled wrongly, or a canary nobody listed.',
    expected: 'no generated trace runs a version before it was first released anywhere',
    source: traceRows,
    among: { condition: 'release.first_seen is not null', name: 'traces of versions with a release' },
    joins: ['release'],
    violates: `t.timestamp < release.first_seen - interval '1 millisecond'`,
  }),
  rowCheck({
    id: 'integrity.traces_after_signup',
    severity: 'error',
    description: 'A user who asks before signing up breaks every cohort.',
    expected: 'no generated trace is older than the sign-up of its user',
    source: traceRows,
    among: { condition: `${generatedTraces.condition} and u.user_id is not null`, name: 'generated traces of a user' },
    joins: ['user'],
    violates: 't.timestamp < u.signed_up_at',
  }),
  rowCheck({
    id: 'integrity.traces_before_last_seen',
    severity: 'error',
    description: 'A user who asks after having left is counted as gone and as active.',
    expected: 'no generated trace is later than its user was last seen in the same run',
    source: traceRows,
    among: {
      condition: `${generatedTraces.condition} and u.metadata ->> 'obs_run' = t.metadata ->> 'obs_run'`,
      name: 'generated traces of users of the same run',
    },
    joins: ['user'],
    // The time of a user is kept to the millisecond.
    violates: `t.timestamp >= coalesce(u.last_seen_at, '-infinity') + interval '1 millisecond'`,
  }),
  rowCheck({
    id: 'integrity.evaluations_after_trace',
    severity: 'error',
    description: 'A judgement cannot come before what it judges.',
    expected: 'no evaluation is older than its trace',
    source: evaluationRows,
    violates: 'v.created_at < v.trace_timestamp',
  }),
]

const counts: readonly ObservabilityCheck[] = [
  {
    id: 'integrity.run_row_counts',
    severity: 'error',
    description: 'Rows of a run were lost, or added by something else.',
    expected: 'every recorded run still has the traces, evaluations and spans that it made',
    run: checkRunCounts,
  },
  {
    id: 'integrity.sequences',
    severity: 'error',
    description: 'The next insert would take an id that is in use.',
    expected: 'every sequence is at or beyond the greatest value of its column',
    run: checkSequences,
  },
]

/** Whether the rows agree with themselves, with each other and with what made them. */
export const integritySuite: ObservabilitySuite = {
  name: 'integrity',
  description: 'rows agree with themselves, with each other and with what made them',
  checks: [...presence, ...references, ...uniqueness, ...values, ...times, ...counts, ...spanChecks, ...rollupChecks],
}

function requiredOf(table: string): string[] {
  return expectedColumns.filter((column) => column.table === table && column.required).map(({ name }) => name)
}

function anyNull(alias: string, columns: readonly string[]): string {
  return columns.map((column) => `${alias}.${column} is null`).join(' or ')
}

function notNegative(name: string, columns: readonly string[]): ObservabilityCheck {
  return rowCheck({
    id: `integrity.${name}_not_negative`,
    severity: 'error',
    description: `A negative ${name} makes sums too small.`,
    expected: `no trace has a negative ${columns.join(', ')}`,
    source: traceRows,
    violates: columns.map((column) => `t.${column} < 0`).join(' or '),
  })
}

function referenceCheck(): ObservabilityCheck {
  const tables = ['workspaces', 'departments', 'environments', 'users', 'agents']
  return violationsCheck({
    id: 'integrity.reference_required_values',
    severity: 'error',
    description: 'A row without its id or code cannot be referred to.',
    expected: `no row of ${tables.join(', ')} lacks a required value`,
    rows: 'reference rows',
    among: tables.map((table) => `(select count(*) from ${table})`).join(' + '),
    sql: tables
      .map(
        (table) => `select '${table} ' || coalesce(x.id::text, 'null') as key from ${table} x
                       where ${anyNull('x', requiredOf(table))}`,
      )
      .join(' union all '),
  })
}

function completeCheck(table: string, column: string, codes: readonly string[]): ObservabilityCheck {
  return violationsCheck({
    id: `integrity.${table}_complete`,
    severity: 'error',
    description: `A workspace without all its ${table} cannot be filtered like the others.`,
    expected: `every workspace has the ${table} ${codes.join(', ')}`,
    rows: 'workspaces',
    among: 'select count(*) from workspaces',
    sql: `select w.id::text || ' lacks ' || code as key
          from workspaces w cross join unnest(array[${sqlList(codes)}]) as code
          where not exists (select from ${table} x where x.workspace_id = w.id and x.${column} = code)`,
  })
}

interface Repeated {
  readonly seen: number
  readonly same_time: readonly string[]
  readonly other_time: readonly string[]
}

/** The trace_ids that are there more than once; their rows are looked up only when there are any. */
async function repeatedTraces({ session }: ObservabilityContext): Promise<Repeated | undefined> {
  const [found] = await session<Repeated[]>`
    with repeated as materialized (select trace_id from traces group by trace_id having count(*) > 1),
    by_time as (select trace_id, timestamp, count(*) as rows from traces join repeated using (trace_id) group by 1, 2),
    by_id as (select trace_id, max(rows) as most, count(*) as times from by_time group by 1)
    select (select count(*) from traces) as seen,
           array(select trace_id from by_id where most > 1 order by 1) as same_time,
           array(select trace_id from by_id where times > 1 order by 1) as other_time`
  return found
}

function reportRepeated(found: Repeated | undefined, kind: 'same_time' | 'other_time'): Observation {
  if (!found || Number(found.seen) === 0) return skipped('there are no traces')
  return nothingIn(found[kind], `0 of ${found.seen} traces`, (count) => `${count} trace_ids are there more than once`)
}

async function checkRunCounts(context: ObservabilityContext): Promise<Observation> {
  const runs = await context.once(seedRuns)
  if (runs.length === 0) return skipped('no run is recorded in obs.seed_runs')
  const wrong = await context.session<{ key: string }[]>`
    with found (run_id, name, rows) as (
      select metadata ->> 'obs_run', 'traces', count(*) from traces where metadata ? 'obs_run' group by 1
      union all
      select metadata ->> 'obs_run', 'evaluations', count(*) from evaluations where metadata ? 'obs_run' group by 1
      union all
      select metadata ->> 'obs_run', 'spans', count(*) from spans where metadata ? 'obs_run' group by 1
    )
    select format('run %s: %s %s, recorded %s', r.run_id, coalesce(found.rows, 0), name, r.rows ->> name) as key
    from obs.seed_runs r
    cross join unnest(array['traces', 'evaluations', 'spans']) as name
    left join found using (run_id, name)
    where r.rows ? name and coalesce(found.rows, 0) <> (r.rows ->> name)::bigint
    order by 1`
  const keys = wrong.map(({ key }) => key)
  return nothingIn(keys, `recorded runs: ${runs.length}`, (count) => `counts that differ: ${count}`)
}

interface OwnedSequence {
  readonly sequence: string
  readonly table: string
  readonly column: string
}

/** `pg_sequence_last_value` is null for a sequence that never gave a value. */
async function checkSequences({ session, schema }: ObservabilityContext): Promise<Observation> {
  const owned = await session<OwnedSequence[]>`
    select s.oid::regclass::text as sequence, t.oid::regclass::text as table, quote_ident(a.attname) as column
    from pg_class s
    join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i')
    join pg_class t on t.oid = d.refobjid
    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    join pg_namespace n on n.oid = t.relnamespace
    where s.relkind = 'S' and n.nspname = ${schema} and not t.relispartition
    order by 1`
  if (owned.length === 0) return skipped('no column of the schema has a sequence')
  const behind: string[] = []
  for (const { sequence, table, column } of owned) {
    const [row] = await session.unsafe<{ behind: boolean }[]>(
      `select max(${column}) > coalesce(pg_sequence_last_value($1::text::regclass), 0) as behind from ${table}`,
      [sequence],
    )
    if (row?.behind) behind.push(sequence)
  }
  return nothingIn(behind, `all ${owned.length}`, (count) => `${count} of ${owned.length} behind`)
}
