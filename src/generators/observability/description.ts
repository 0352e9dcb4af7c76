import type { Expected } from '../library/expected.js'
import { sharesOf } from '../library/expected.js'
import type { ColumnDescription, TableDescription } from '../library/plan.js'
import type { RunSettings } from '../pack.js'
import { departments } from './departments.js'
import { environments } from './environments.js'
import { modelShares } from './models.js'
import { traceSourceOf } from './pack.js'
import { priceTable } from './prices.js'
import { environmentCodes, versions } from './profiles.js'
import {
  agentShares,
  departmentShares,
  environmentShares,
  failureKindShares,
  intentShares,
  timeCurve,
  tracesPerAgent,
} from './shares.js'
import { spanKinds } from './spans.js'
import { columnTypes, type TableName } from './table-columns.js'
import { tenantsOf } from './tenants.js'
import type { TraceSource } from './trace-source.js'
import { segmentShares } from './users.js'

/** What a column holds, beside its name and type. */
type Described = Pick<ColumnDescription, 'generator' | 'summary'> &
  Partial<Pick<ColumnDescription, 'options' | 'nulls' | 'distinct' | 'expected'>>

type Columns<Table extends TableName> = Readonly<Record<keyof (typeof columnTypes)[Table], Described>>

/**
 * Every table and column that a run fills, as it is declared: where values come from, and how they
 * are expected to be spread. `--explain` prints it, and what checks expect is read off it.
 *
 * Shares of columns that refer to departments and environments are given by their codes.
 */
export function describeRun(run: RunSettings): readonly TableDescription[] {
  const parts = tenantsOf(run).map(describeWorkspace)
  const [first = [], ...others] = parts
  if (others.length === 0) return first
  return first.map((table, place) =>
    united(
      table,
      parts.flatMap((tables) => tables[place] ?? []),
    ),
  )
}

function describeWorkspace(run: RunSettings): readonly TableDescription[] {
  const source = traceSourceOf(run)
  const { profile, population, volume } = source
  const { evaluations } = profile
  const traces = table('traces', volume.total, 'the plan of volumes by agent and day', traceColumns(source, run), {
    timeColumn: 'timestamp',
    keys: [['timestamp', 'trace_id']],
  })
  const facts = [
    { ...traces, columns: [numbered, ...traces.columns] },
    table('evaluations', undefined, `${evaluations.share * 100} of 100 traces are judged`, evaluationColumns(), {
      timeColumn: 'created_at',
      keys: [['workspace_id', 'created_at', 'id']],
    }),
    ...(run.spans ? [spansTable()] : []),
  ]
  return [
    table('workspaces', 1, 'the workspace', workspaceColumns(run), { keys: [['id']] }),
    table('departments', departments.length, 'the departments of every workspace', departmentColumns(), {
      keys: [['workspace_id', 'department_code']],
    }),
    table('environments', environments.length, 'the environments of every workspace', environmentColumns(), {
      keys: [['workspace_id', 'environment_code']],
    }),
    ...facts,
    table('agents', population.agents.length, 'the fleet of the profile', agentColumns(source), {
      keys: [['workspace_id', 'agent_id']],
    }),
    table('users', population.users.length, 'the users of the profile', userColumns(source), {
      keys: [['workspace_id', 'user_id']],
    }),
  ]
}

function table<Table extends TableName>(
  name: Table,
  rows: number | undefined,
  rowsFrom: string,
  columns: Columns<Table>,
  { keys, timeColumn }: Pick<TableDescription, 'keys' | 'timeColumn'>,
): TableDescription {
  const described: Readonly<Record<string, Described>> = columns
  return {
    ...{ table: name, rows, rowsFrom, timeColumn, keys },
    columns: Object.entries(columnTypes[name]).map(([column, type]) => {
      const own = described[column]
      if (!own) throw new Error(`${name}.${column} is not described`)
      return { name: column, type, options: {}, nulls: 0, distinct: false, ...own }
    }),
  }
}

function traceColumns(source: TraceSource, run: RunSettings): Columns<'traces'> {
  const { profile } = source
  const { targets, latency, sessions, rollout } = profile
  const perAgent = tracesPerAgent(source)
  const versionMix = targets.versions && { expected: sharesOf(targets.versions) }
  return {
    workspace_id: theWorkspace(run),
    agent_id: {
      generator: 'choice',
      summary: 'The agent that answered; few busy ones and many quiet ones (bounded Pareto distribution).',
      options: { per_agent_and_day: profile.volume.perAgentDay, exponent: profile.volume.exponent },
      expected: agentShares(perAgent),
    },
    department_id: {
      generator: 'copy',
      summary: 'The department of the agent.',
      options: { from: 'agents.department_id' },
      expected: departmentShares(perAgent),
    },
    environment_id: {
      generator: 'choice',
      summary: 'Where the agent ran; one that is not released yet never in production.',
      expected: environmentShares(profile),
    },
    tags: {
      generator: 'derive',
      summary: 'Department, type of the agent and environment.',
      options: { from: ['agent_id', 'environment_id'] },
    },
    trace_id: { generator: 'hash', summary: '128 bits of the run, the agent, the day and the number.', distinct: true },
    timestamp: {
      generator: 'timestamps',
      summary: 'When the request began: conversations by the curve of the day, further requests behind each answer.',
      options: { hours: profile.hours, weekend: profile.volume.weekend, growth: profile.volume.growth, ...sessions },
      expected: timeCurve(source),
    },
    latency_ms: {
      generator: 'log-normal',
      summary:
        'By model, tokens and intent; shifted by agent, environment, version, hour and incident, cut at the cap.',
      options: { mean: targets.meanLatencyMs, sigma: latency.sigma, min: latency.floorMs, max: latency.capMs },
    },
    version: {
      generator: 'adoption',
      summary: 'The release that the agent had reached: canary steps, then a logistic curve, behind it the late ones.',
      options: { releases: rollout.releases, ramp: rollout.ramp, canary: rollout.canary, rollback: rollout.rollback },
      ...versionMix,
    },
    intent_category: {
      generator: 'choice',
      summary: 'What a conversation is about: three quarters what its type of agent is for.',
      expected: intentShares(source, perAgent),
    },
    model: {
      generator: 'choice',
      summary: 'By version; another provider’s while one is down.',
      options: { by_version: Object.fromEntries(versions.map((version) => [version, modelShares(version)])) },
    },
    model_provider: { generator: 'derive', summary: 'Whose model it is.', options: { from: 'model' } },
    metadata: {
      generator: 'json',
      summary: 'The mark of the run, and what has no column, under the names of OpenTelemetry.',
      options: {
        fields: ['obs_run', 'prices', 'region', 'gen_ai.request.temperature', 'gen_ai.conversation.id'],
        of_some: [
          ...['gen_ai.response.model', 'gen_ai.request.model', 'gen_ai.response.time_to_first_chunk', 'error.type'],
          ...['gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.reasoning.output_tokens'],
          ...['obs.attempt', 'obs.retry_of'],
        ],
      },
    },
    input: {
      generator: 'template',
      summary: 'A prompt that fits department and intent, with a number of its own.',
      options: { per_intent: profile.texts.perIntent },
    },
    status: {
      generator: 'choice',
      summary: 'success, error or timeout; failures come in clusters and by version, environment and incident.',
      options: { failures: targets.failureShare, background: profile.failures },
    },
    error: {
      generator: 'derive',
      summary: 'Why it failed; the shares are those of failures outside of incidents.',
      options: { from: 'status' },
      nulls: 1 - targets.failureShare,
      expected: failureKindShares(profile),
    },
    output: {
      generator: 'template',
      summary: 'The answer as far as it was kept; a failure has none.',
      options: { per_intent: profile.texts.perIntent },
      nulls: targets.failureShare,
    },
    tokens_input: {
      generator: 'log-normal',
      summary: 'By intent, and more with every turn of a conversation.',
      options: targets.meanCostUsd === undefined ? {} : { mean_cost_usd: targets.meanCostUsd },
    },
    tokens_output: {
      generator: 'derive',
      summary: 'As many as fit between the first token and the latency, at the speed of the model.',
      options: { from: ['latency_ms', 'model'] },
    },
    tokens_total: {
      generator: 'derive',
      summary: 'Input and output.',
      options: { from: ['tokens_input', 'tokens_output'] },
    },
    cost_usd: {
      generator: 'derive',
      summary: 'Tokens times the price of the model, cached tokens at theirs, to the millionth.',
      options: { prices_as_of: priceTable.asOf, from: ['model', 'tokens_input', 'tokens_output', 'metadata'] },
    },
    user_id: {
      generator: 'references',
      summary: 'Who asked: of the department, present on the day, by Zipf’s law.',
      options: { column: 'users.user_id', spread: 'zipf', exponent: profile.users.exponent },
    },
    user_segment: { generator: 'copy', summary: 'The segment of the user.', options: { from: 'users.user_segment' } },
  }
}

function evaluationColumns(): Columns<'evaluations'> {
  return {
    workspace_id: ofTrace('workspace_id'),
    agent_id: ofTrace('agent_id'),
    evaluator: { generator: 'constant', summary: 'The judge.' },
    metric: { generator: 'constant', summary: 'quality.', options: { value: 'quality' } },
    metadata: mark,
    id: { generator: 'hash', summary: 'A UUID of version 8, of the id of the trace.', distinct: true },
    trace_id: ofTrace('trace_id'),
    trace_timestamp: ofTrace('timestamp'),
    score: {
      generator: 'normal',
      summary: 'Around the quality of version and intent, 0 to 100; lower in incidents, poor for a failure.',
      options: { sigma: 7, min: 0, max: 100 },
    },
    is_passing: {
      generator: 'derive',
      summary: 'Whether the score reaches the passing one.',
      options: { from: 'score' },
    },
    comment: { generator: 'derive', summary: 'What the judge says of such a score.', options: { from: 'score' } },
    created_at: {
      generator: 'after',
      summary: 'Within two minutes behind the answer.',
      options: { time: 'traces.timestamp', most: '120 seconds' },
    },
    updated_at: { generator: 'copy', summary: 'The same.', options: { from: 'created_at' } },
  }
}

function spansTable(): TableDescription {
  return table('spans', undefined, '4 to 25 for every trace', spanColumns(), {
    timeColumn: 'trace_timestamp',
    keys: [['workspace_id', 'trace_timestamp', 'trace_id', 'span_id']],
  })
}

function spanColumns(): Columns<'spans'> {
  const shared = (what: string): Described => ({
    generator: 'share',
    summary: `A part of the ${what} of the trace; only calls of models have one, and they add up.`,
    options: { of: `traces.${what}`, kind: 'llm' },
  })
  return {
    workspace_id: ofTrace('workspace_id'),
    agent_id: ofTrace('agent_id'),
    trace_id: ofTrace('trace_id'),
    trace_timestamp: ofTrace('timestamp'),
    span_id: { generator: 'hash', summary: '64 bits of the trace and the number of the step.' },
    parent_span_id: { generator: 'parent', summary: 'The step it is a part of; null for the whole.' },
    started_at: { generator: 'after', summary: 'Behind the step before, within the one it is a part of.' },
    duration_ms: { generator: 'share', summary: 'Its part of the time of the one it is a part of.' },
    kind: {
      generator: 'choice',
      summary: 'agent, llm, tool or retriever: a lookup first, tools between calls of models, one of these last.',
      options: { values: spanKinds },
    },
    operation: { generator: 'derive', summary: 'gen_ai.operation.name of the kind.', options: { from: 'kind' } },
    name: { generator: 'derive', summary: 'The operation and what it was done with.', options: { from: 'operation' } },
    tool_name: { generator: 'choice', summary: 'A tool that fits the intent; null for what is no tool.' },
    metadata: { ...mark, summary: 'The mark of the run, and attributes of the kind under the names of OpenTelemetry.' },
    status: { generator: 'derive', summary: 'A failure ends with the step that failed, and what that is a part of.' },
    error: { generator: 'derive', summary: 'That of the trace, on what failed.', options: { from: 'status' } },
    model: ofTrace('model'),
    model_provider: ofTrace('model_provider'),
    tokens_input: shared('tokens_input'),
    tokens_output: shared('tokens_output'),
    cost_usd: shared('cost_usd'),
  }
}

function agentColumns({ profile }: TraceSource): Columns<'agents'> {
  return {
    id: derivedId('agent_id'),
    workspace_id: constantWorkspace,
    agent_id: { generator: 'template', summary: '<department>-<type>-<n>, three types for each department.' },
    agent_name: { generator: 'derive', summary: 'The same in words.', options: { from: 'agent_id' } },
    agent_type: { generator: 'derive', summary: 'The type within the department.', options: { from: 'agent_id' } },
    department_id: {
      generator: 'references',
      summary: 'As many agents for each department as the profile says.',
      options: { column: 'departments.id', per_department: profile.fleet.perDepartment, total: profile.fleet.total },
    },
    environment_id: { generator: 'derive', summary: 'production; staging while in beta.', options: { from: 'status' } },
    version: { generator: 'adoption', summary: 'What most of its traffic runs when the window closes.' },
    status: {
      generator: 'choice',
      summary: 'The first of a type is active, of the others 8 % are in beta and 6 % deprecated.',
      options: { beta: 0.08, deprecated: 0.06 },
    },
    owner_team: { generator: 'derive', summary: 'The platform team of the department.', options: { from: 'agent_id' } },
    last_deployed_at: { generator: 'derive', summary: 'When it got its version.', options: { from: 'version' } },
    deprecation_date: {
      generator: 'date',
      summary: 'Two weeks to two and a half months ahead; of deprecated agents only.',
    },
    replacement_agent_id: { generator: 'derive', summary: 'The first of the type; of deprecated agents only.' },
    ...stamps,
  }
}

function userColumns({ profile }: TraceSource): Columns<'users'> {
  return {
    id: derivedId('user_id'),
    workspace_id: constantWorkspace,
    user_id: { generator: 'template', summary: 'member-<n>.', options: { count: profile.users.count } },
    display_name: { generator: 'faker', summary: 'A name.', options: { method: 'person.firstName, person.lastName' } },
    email: { generator: 'template', summary: 'The name and the number, at example.com.', distinct: true },
    user_segment: {
      generator: 'choice',
      summary: 'How much and how long somebody uses it.',
      expected: { kind: 'shares', shares: segmentShares },
    },
    department_id: { generator: 'references', summary: 'One of the ten.', options: { column: 'departments.id' } },
    signed_up_at: {
      generator: 'timestamp',
      summary: 'Before the window or within it, by segment; one in each department long before.',
    },
    last_seen_at: {
      generator: 'derive',
      summary: 'The last request of the run.',
      options: { from: 'traces.timestamp' },
    },
    ...stamps,
  }
}

function workspaceColumns(run: RunSettings): Columns<'workspaces'> {
  return {
    id: theWorkspace(run),
    workspace_id: { generator: 'copy', summary: 'The id.', options: { from: 'id' } },
    workspace_code: { generator: 'template', summary: 'ws-<id>.' },
    workspace_name: run.tenant
      ? { generator: 'faker', summary: 'A company.', options: { method: 'company.name' } }
      : { generator: 'constant', summary: 'Demo workspace, unless it has a name already.' },
    ...stamps,
  }
}

function departmentColumns(): Columns<'departments'> {
  const codes = departments.map(({ code }) => code)
  return {
    id: derivedId('department_code'),
    workspace_id: constantWorkspace,
    department_code: { generator: 'constant', summary: 'One row for each.', options: { values: codes } },
    department_name: fixed('Its name.'),
    description: fixed('What it does.'),
    monthly_budget_usd: fixed('Its budget for a month.'),
    cost_center_code: fixed('Where it is booked.'),
    ...stamps,
  }
}

function environmentColumns(): Columns<'environments'> {
  return {
    id: derivedId('environment_code'),
    workspace_id: constantWorkspace,
    environment_code: { generator: 'constant', summary: 'One row for each.', options: { values: environmentCodes } },
    environment_name: fixed('Its name.'),
    description: fixed('What it is for.'),
    is_production: fixed('Whether customers see it.'),
    requires_approval: fixed('Whether somebody has to agree to a deployment.'),
    ...stamps,
  }
}

/** The column that no row brings along. */
const numbered: ColumnDescription = {
  ...{ name: 'id', type: 'int8', generator: 'sequence', options: {}, nulls: 0, distinct: true },
  summary: 'Counts on from where the sequence was when the run began.',
}

function ofTrace(column: string): Described {
  return { generator: 'copy', summary: 'That of the trace.', options: { from: `traces.${column}` } }
}

const mark: Described = { generator: 'json', summary: 'The mark of the run.', options: { fields: ['obs_run'] } }
const windowStart: Described = { generator: 'constant', summary: 'When the window of the people’s run begins.' }
const stamps = { metadata: mark, created_at: windowStart, updated_at: windowStart }
const constantWorkspace: Described = { generator: 'constant', summary: 'The workspace.' }

function theWorkspace({ workspace }: RunSettings): Described {
  return { ...constantWorkspace, expected: { kind: 'shares', shares: { [workspace]: 1 } } }
}

function derivedId(from: string): Described {
  return { generator: 'uuid', summary: 'Version 5, of the workspace and the code.', options: { from }, distinct: true }
}

function fixed(summary: string): Described {
  return { generator: 'constant', summary }
}

/** A table of several workspaces: shares are those over all of their rows, curves those of the first. */
function united(first: TableDescription, parts: readonly TableDescription[]): TableDescription {
  const rows = parts.map((part) => part.rows ?? 0)
  const total = rows.reduce((sum, count) => sum + count, 0)
  return {
    ...first,
    rows: first.rows === undefined ? undefined : total,
    rowsFrom: `${first.rowsFrom}, of ${parts.length} workspaces`,
    columns: first.columns.map((column, place) => ({
      ...column,
      expected: unitedExpected(
        column.expected,
        parts.map((part) => part.columns[place]?.expected),
        rows,
        total,
      ),
    })),
  }
}

function unitedExpected(
  first: Expected | undefined,
  parts: readonly (Expected | undefined)[],
  rows: readonly number[],
  total: number,
): Expected | undefined {
  if (first?.kind !== 'shares') return first
  const sums: Record<string, number> = {}
  for (const [i, part] of parts.entries()) {
    if (part?.kind !== 'shares') continue
    for (const [value, share] of Object.entries(part.shares)) {
      sums[value] = (sums[value] ?? 0) + (share * (rows[i] ?? 0)) / total
    }
  }
  return { kind: 'shares', shares: sums }
}

/** The shares that a table is described to have in a column; none where it has no such description. */
export function describedShares(
  tables: readonly TableDescription[],
  table: TableName,
  column: string,
): Readonly<Record<string, number>> {
  const expected = describedColumn(tables, table, column).expected
  return expected?.kind === 'shares' ? expected.shares : {}
}

export function describedColumn(
  tables: readonly TableDescription[],
  table: TableName,
  column: string,
): ColumnDescription {
  const found = tables.find((one) => one.table === table)?.columns.find(({ name }) => name === column)
  if (!found) throw new Error(`${table}.${column} is not described`)
  return found
}
