/** A timestamptz. */
type Time = Date
/** A numeric, which the driver hands over as text so that nothing is lost. */
type Numeric = string
/** A bigint: a number while that is exact. */
type Big = number | bigint

/** The tables of the observability pack as the KPIs read them; columns that no KPI reads are left out. */
export type ObservabilityTables = {
  readonly workspaces: {
    readonly id: string
    readonly workspace_id: string
    readonly workspace_code: string
    readonly workspace_name: string
  }
  readonly departments: {
    readonly id: string
    readonly workspace_id: string
    readonly department_code: string
    readonly department_name: string
    readonly monthly_budget_usd: Numeric | null
  }
  readonly environments: {
    readonly id: string
    readonly workspace_id: string
    readonly environment_code: string
    readonly environment_name: string
    readonly is_production: boolean
  }
  readonly agents: {
    readonly workspace_id: string
    readonly agent_id: string
    readonly agent_name: string
    readonly department_id: string | null
  }
  readonly evaluations: {
    readonly id: string
    readonly workspace_id: string
    readonly trace_id: string
    readonly trace_timestamp: Time
    readonly agent_id: string
    readonly metric: string
    readonly score: Numeric
    readonly is_passing: boolean
    readonly created_at: Time
  }
  readonly traces: {
    readonly trace_id: string
    readonly workspace_id: string
    readonly agent_id: string
    readonly timestamp: Time
    readonly latency_ms: number
    readonly error: string | null
    readonly status: string | null
    readonly model: string | null
    readonly model_provider: string | null
    readonly cost_usd: Numeric | null
    readonly metadata: unknown
    readonly department_id: string
    readonly environment_id: string
    readonly version: string
    readonly intent_category: string
    readonly user_segment: string | null
  }
  readonly traces_hourly: Rollup
  readonly traces_daily: Rollup
  readonly traces_rollup_changes: {
    readonly id: Big
    readonly bucket: Time
  }
}

type Rollup = {
  readonly bucket: Time
  readonly workspace_id: string
  readonly department_id: string
  readonly environment_id: string
  readonly agent_id: string
  readonly version: string
  readonly intent_category: string
  readonly user_segment: string | null
  readonly model: string | null
  readonly model_provider: string | null
  readonly trace_count: Big
  readonly success_count: Big
  readonly error_count: Big
  readonly timeout_count: Big
  readonly latency_sum_ms: Big
  readonly cost_usd: Numeric | null
}
