import type { Sql } from '../../database/connect.js'
import type { ObservabilityContext } from './facts.js'

/** A run of the generator in one workspace, as it was recorded when it finished. */
export interface SeedRun {
  readonly run_id: string
  readonly profile: string
  readonly seed: number
  readonly days: number
  readonly as_of: Date
  readonly ordinal: number
  readonly workspace_id: string
  /** What the rows of this workspace follow from, and its place by traffic, where the run fills several. */
  readonly part_id: string | null
  readonly rank: number | null
  readonly window_from: Date
  readonly window_to: Date
  readonly started_at: Date
  /** What the profile's volume was multiplied by. */
  readonly scale: number
  /** The run that made the users and agents, when it was an earlier one. */
  readonly population: RecordedPopulation | null
  readonly incidents: readonly { readonly from: string; readonly to: string; readonly summary: string }[]
}

export interface RecordedPopulation {
  readonly seed: number
  readonly profile: string
  readonly days: number
  /** An ISO time. */
  readonly asOf: string
}

/** The recorded runs, workspace by workspace, oldest first; none when nothing was ever seeded. */
export async function seedRuns({ session }: ObservabilityContext): Promise<readonly SeedRun[]> {
  if (!(await ledgerExists(session))) return []
  return session<SeedRun[]>`
    select r.run_id, r.profile, r.seed, r.days, r.as_of, r.ordinal, r.window_from, r.window_to, r.started_at,
           coalesce(part.workspace_id, r.workspace_id) as workspace_id, part.part_id, part.rank,
           coalesce(part.scale, (r.settings ->> 'scale')::float8, 1) as scale,
           nullif(r.settings -> 'population', 'null') as population,
           coalesce((
             select jsonb_agg(incident order by n) from jsonb_array_elements(r.incidents) with ordinality as i (incident, n)
             where part.workspace_id is null or (incident ->> 'workspace_id')::uuid = part.workspace_id
           ), '[]') as incidents
    from obs.seed_runs r
    left join lateral jsonb_to_recordset(case when jsonb_typeof(r.settings -> 'tenants') = 'array'
                                              then r.settings -> 'tenants' else '[]' end)
      as part (workspace_id uuid, part_id text, rank int, scale float8) on true
    order by r.started_at, r.run_id, part.rank`
}

/** The rows of a run: its mark, in its workspace. */
export function rowsOf({ session }: Pick<ObservabilityContext, 'session'>, run: SeedRun) {
  return session`metadata ->> 'obs_run' = ${run.run_id} and workspace_id = ${run.workspace_id}`
}

/** The digest of the fault manifest that a run was made with; null when it has no faults, undefined when there is no such run. */
export async function faultDigest(sql: Sql, runId: string): Promise<string | null | undefined> {
  if (!(await ledgerExists(sql))) return undefined
  const [row] = await sql<{ digest: string | null }[]>`
    select settings #>> '{faults,manifest_sha256}' as digest from obs.seed_runs where run_id = ${runId}`
  return row?.digest
}

async function ledgerExists(sql: Sql | ObservabilityContext['session']): Promise<boolean> {
  const [table] = await sql<{ exists: boolean }[]>`select to_regclass('obs.seed_runs') is not null as exists`
  return table?.exists === true
}
