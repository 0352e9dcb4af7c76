/** A column as the newest migration leaves it; `type` as PostgreSQL's format_type writes it. */
export interface ExpectedColumn {
  readonly table: string
  readonly name: string
  readonly type: string
  readonly required: boolean
}

/**
 * Every table of the newest version with its columns, one a line.
 *
 * A database that was adopted may have wider types for the columns of the MVP, so
 * types are compared with `fits`, and columns beyond these are nobody's business.
 */
export const expectedColumns: readonly ExpectedColumn[] = [
  ...table(
    'traces',
    `id bigint not null
     trace_id character varying(64) not null
     workspace_id uuid not null
     agent_id character varying(128) not null
     timestamp timestamp with time zone not null
     latency_ms integer not null
     input text
     output text
     error text
     status character varying(20)
     model character varying(64)
     model_provider character varying(32)
     tokens_input integer
     tokens_output integer
     tokens_total integer
     cost_usd numeric(10,6)
     metadata jsonb
     tags character varying(64)[]
     user_id character varying(128)
     department_id uuid not null
     environment_id uuid not null
     version character varying(50) not null
     intent_category character varying(100) not null
     user_segment character varying(50)`,
  ),
  ...table(
    'events',
    `event_id character varying(64) not null
     workspace_id uuid
     agent_id character varying(128)
     timestamp timestamp with time zone not null
     event_type character varying(64)
     severity character varying(20)
     title character varying(255)
     description text
     metadata jsonb
     acknowledged boolean`,
  ),
  ...table(
    'performance_metrics',
    `timestamp timestamp with time zone not null
     workspace_id uuid
     agent_id character varying(128)
     metric_name character varying(128)
     value double precision
     unit character varying(32)
     metadata jsonb`,
  ),
  ...table(
    'departments',
    `id uuid not null
     workspace_id uuid not null
     department_code character varying(50) not null
     department_name character varying(255) not null
     description text
     monthly_budget_usd numeric(10,2)
     cost_center_code character varying(50)
     metadata jsonb not null
     created_at timestamp with time zone not null
     updated_at timestamp with time zone not null`,
  ),
  ...table(
    'environments',
    `id uuid not null
     workspace_id uuid not null
     environment_code character varying(50) not null
     environment_name character varying(255) not null
     description text
     is_production boolean not null
     requires_approval boolean not null
     metadata jsonb not null
     created_at timestamp with time zone not null
     updated_at timestamp with time zone not null`,
  ),
  ...table(
    'workspaces',
    `id uuid not null
     workspace_id uuid not null
     workspace_code character varying(50) not null
     workspace_name character varying(255) not null
     metadata jsonb not null
     created_at timestamp with time zone not null
     updated_at timestamp with time zone not null`,
  ),
  ...table(
    'users',
    `id uuid not null
     workspace_id uuid not null
     user_id character varying(128) not null
     display_name character varying(255)
     email character varying(255)
     user_segment character varying(50)
     department_id uuid
     signed_up_at timestamp with time zone
     last_seen_at timestamp with time zone
     metadata jsonb not null
     created_at timestamp with time zone not null
     updated_at timestamp with time zone not null`,
  ),
  ...table(
    'agents',
    `id uuid not null
     workspace_id uuid not null
     agent_id character varying(128) not null
     agent_name character varying(255) not null
     agent_type character varying(64)
     department_id uuid not null
     environment_id uuid not null
     version character varying(50) not null
     status character varying(20) not null
     owner_team character varying(128)
     last_deployed_at timestamp with time zone
     deprecation_date date
     replacement_agent_id character varying(128)
     metadata jsonb not null
     created_at timestamp with time zone not null
     updated_at timestamp with time zone not null`,
  ),
  ...table(
    'evaluations',
    `id uuid not null
     workspace_id uuid not null
     trace_id character varying(64) not null
     trace_timestamp timestamp with time zone not null
     agent_id character varying(128) not null
     evaluator character varying(64) not null
     metric character varying(64) not null
     score numeric(5,2) not null
     is_passing boolean not null
     comment text
     metadata jsonb not null
     created_at timestamp with time zone not null
     updated_at timestamp with time zone not null`,
  ),
  ...table(
    'spans',
    `workspace_id uuid not null
     trace_timestamp timestamp with time zone not null
     trace_id character varying(64) not null
     span_id character varying(16) not null
     parent_span_id character varying(16)
     started_at timestamp with time zone not null
     agent_id character varying(128) not null
     kind character varying(20) not null
     operation character varying(32) not null
     name character varying(255) not null
     duration_ms integer not null
     status character varying(20) not null
     error text
     model character varying(64)
     model_provider character varying(32)
     tokens_input integer
     tokens_output integer
     cost_usd numeric(10,6)
     tool_name character varying(128)
     metadata jsonb not null`,
  ),
]

/** The columns of both rollups; their types differ between a table and a continuous aggregate. */
export const rollupColumns: readonly string[] = `
  bucket workspace_id department_id environment_id agent_id version intent_category user_segment model model_provider
  trace_count success_count error_count timeout_count latency_sum_ms latency_min_ms latency_max_ms latency_avg_ms
  tokens_input tokens_output tokens_total cost_usd`
  .trim()
  .split(/\s+/)

/** The rollups, and the length of a bucket. */
export const rollups = [
  { name: 'traces_hourly', unit: 'hour' },
  { name: 'traces_daily', unit: 'day' },
] as const

/** At least this many indexes serve the questions asked of traces. */
export const fewestTraceIndexes = 18

/** The indexes of traces that have a name of their own. */
export const traceIndexes: readonly string[] = [
  'idx_traces_workspace_timestamp',
  'idx_traces_agent_timestamp',
  'idx_traces_status',
  'idx_traces_model',
  'idx_traces_tags',
  'idx_traces_trace_id_timestamp',
  'idx_traces_workspace_agent',
  'idx_traces_workspace_model',
  'idx_traces_workspace_status',
  'idx_traces_workspace_user',
  'idx_traces_department',
  'idx_traces_environment',
  'idx_traces_version',
  'idx_traces_intent',
  'idx_traces_user_segment',
  'idx_traces_workspace_dept_time',
  'idx_traces_workspace_env_time',
  'idx_traces_dept_env_time',
]

/** A constraint that has to exist: its kind as pg_constraint knows it, and its columns in order. */
export interface ExpectedConstraint {
  readonly table: string
  readonly kind: 'p' | 'u' | 'f'
  readonly columns: string
  /** The table a foreign key refers to. */
  readonly references?: string
}

/** The keys and references of the newest version, by what they say rather than by name. */
export const expectedConstraints: readonly ExpectedConstraint[] = [
  { table: 'traces', kind: 'p', columns: 'timestamp, trace_id' },
  { table: 'traces', kind: 'f', columns: 'workspace_id, department_id', references: 'departments' },
  { table: 'traces', kind: 'f', columns: 'workspace_id, environment_id', references: 'environments' },
  { table: 'departments', kind: 'p', columns: 'workspace_id, id' },
  { table: 'departments', kind: 'u', columns: 'workspace_id, department_code' },
  { table: 'environments', kind: 'p', columns: 'workspace_id, id' },
  { table: 'environments', kind: 'u', columns: 'workspace_id, environment_code' },
  { table: 'workspaces', kind: 'p', columns: 'id' },
  { table: 'users', kind: 'p', columns: 'workspace_id, id' },
  { table: 'users', kind: 'u', columns: 'workspace_id, user_id' },
  { table: 'users', kind: 'f', columns: 'workspace_id, department_id', references: 'departments' },
  { table: 'agents', kind: 'p', columns: 'workspace_id, id' },
  { table: 'agents', kind: 'u', columns: 'workspace_id, agent_id' },
  { table: 'agents', kind: 'f', columns: 'workspace_id, department_id', references: 'departments' },
  { table: 'agents', kind: 'f', columns: 'workspace_id, environment_id', references: 'environments' },
  { table: 'evaluations', kind: 'p', columns: 'workspace_id, created_at, id' },
  { table: 'spans', kind: 'p', columns: 'workspace_id, trace_timestamp, trace_id, span_id' },
]

/** The routines that obs and applications call. */
export const expectedRoutines = [
  'uuid_v5',
  'traces_ensure_partitions',
  'traces_refresh_rollups',
  'spans_ensure_partitions',
] as const

/**
 * Whether a column of type `found` holds whatever one of type `expected` holds.
 *
 * Wider is fine: text for varchar(64), bigint for integer, numeric for numeric(10,6).
 */
export function fits(found: string, expected: string): boolean {
  if (found === expected) return true
  const [foundName, foundSize] = takeApart(found)
  const [expectedName, expectedSize] = takeApart(expected)
  if (expectedName === 'integer') return foundName === 'bigint'
  if (expectedName === 'bigint') return false
  const texts = ['text', 'character varying']
  const sameKind = foundName === expectedName || (texts.includes(foundName) && texts.includes(expectedName))
  return sameKind && found.endsWith('[]') === expected.endsWith('[]') && holds(foundSize, expectedSize)
}

/** `numeric(10,6)` as its name and its digits before and after the point, `varchar(64)` as its name and length. */
function takeApart(type: string): [name: string, size: readonly number[] | undefined] {
  const [, name = type, size] = /^([^([]+?)(?:\(([\d,]+)\))?(?:\[\])?$/.exec(type) ?? []
  const [precision = 0, scale = 0] = size?.split(',').map(Number) ?? []
  return [name, size === undefined ? undefined : [precision - scale, scale]]
}

function holds(found: readonly number[] | undefined, expected: readonly number[] | undefined): boolean {
  if (found === undefined || expected === undefined) return found === undefined || expected === undefined
  return found.every((size, index) => size >= (expected[index] ?? 0))
}

function table(name: string, columns: string): ExpectedColumn[] {
  return columns.split('\n').map((line) => {
    const [, column = '', type = '', required] = /^\s*(\S+) (.+?)( not null)?$/.exec(line) ?? []
    return { table: name, name: column, type, required: required !== undefined }
  })
}
