import { columns } from '../pack.js'

const stamps = { metadata: 'jsonb', created_at: 'timestamptz', updated_at: 'timestamptz' } as const

/** What is written of every table, with the name of its type in the words of pg_type, in the order of the rows. */
export const columnTypes = {
  workspaces: {
    ...{ id: 'uuid', workspace_id: 'uuid', workspace_code: 'varchar', workspace_name: 'varchar' },
    ...stamps,
  },
  departments: {
    ...{ id: 'uuid', workspace_id: 'uuid', department_code: 'varchar', department_name: 'varchar' },
    ...{ description: 'text', monthly_budget_usd: 'numeric(10,2)', cost_center_code: 'varchar', ...stamps },
  },
  environments: {
    ...{ id: 'uuid', workspace_id: 'uuid', environment_code: 'varchar', environment_name: 'varchar' },
    ...{ description: 'text', is_production: 'bool', requires_approval: 'bool', ...stamps },
  },
  // Of the tables with many rows, values that depend on the same thing stand together.
  traces: {
    ...{ workspace_id: 'uuid', agent_id: 'varchar', department_id: 'uuid', environment_id: 'uuid', tags: 'varchar[]' },
    ...{ trace_id: 'varchar', timestamp: 'timestamptz', latency_ms: 'int4' },
    ...{ version: 'varchar', intent_category: 'varchar', model: 'varchar', model_provider: 'varchar' },
    ...{ metadata: 'jsonb', input: 'text', status: 'varchar', error: 'text', output: 'text' },
    ...{ tokens_input: 'int4', tokens_output: 'int4', tokens_total: 'int4', cost_usd: 'numeric(10,6)' },
    ...{ user_id: 'varchar', user_segment: 'varchar' },
  },
  evaluations: {
    ...{ workspace_id: 'uuid', agent_id: 'varchar', evaluator: 'varchar', metric: 'varchar', metadata: 'jsonb' },
    ...{ id: 'uuid', trace_id: 'varchar', trace_timestamp: 'timestamptz', score: 'numeric(5,2)', is_passing: 'bool' },
    ...{ comment: 'text', created_at: 'timestamptz', updated_at: 'timestamptz' },
  },
  spans: {
    ...{ workspace_id: 'uuid', agent_id: 'varchar', trace_id: 'varchar', trace_timestamp: 'timestamptz' },
    ...{ span_id: 'varchar', parent_span_id: 'varchar', started_at: 'timestamptz', duration_ms: 'int4' },
    ...{ kind: 'varchar', operation: 'varchar', name: 'varchar', tool_name: 'varchar', metadata: 'jsonb' },
    ...{ status: 'varchar', error: 'text', model: 'varchar', model_provider: 'varchar' },
    ...{ tokens_input: 'int4', tokens_output: 'int4', cost_usd: 'numeric(10,6)' },
  },
  agents: {
    ...{ id: 'uuid', workspace_id: 'uuid', agent_id: 'varchar', agent_name: 'varchar', agent_type: 'varchar' },
    ...{ department_id: 'uuid', environment_id: 'uuid', version: 'varchar', status: 'varchar' },
    ...{ owner_team: 'varchar', last_deployed_at: 'timestamptz', deprecation_date: 'date' },
    ...{ replacement_agent_id: 'varchar', ...stamps },
  },
  users: {
    ...{ id: 'uuid', workspace_id: 'uuid', user_id: 'varchar', display_name: 'varchar', email: 'varchar' },
    ...{ user_segment: 'varchar', department_id: 'uuid', signed_up_at: 'timestamptz' },
    ...{ last_seen_at: 'timestamptz', ...stamps },
  },
} as const

export type TableName = keyof typeof columnTypes

/** The columns of a table in the order in which they are written. */
export function columnsOf(table: TableName) {
  return columns(columnTypes[table])
}
