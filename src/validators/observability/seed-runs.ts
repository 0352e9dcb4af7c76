import type { Sql } from '../../database/connect.js'
import type { ObservabilityContext } from './facts.js'

/** A run of the generator, as it was recorded when it finished. */
export interface SeedRun {
  readonly run_id: string
  readonly profile: string
  readonly seed: number
  readonly days: number
  readonly as_of: Date
  readonly ordinal: number
  readonly workspace_id: string
  readonly window_from: Date
  readonly window_to: Date
  readonly started_at: Date
  /** What the profile's volume was multiplied by. */
  readonly scale: number
  /** The run that made the users and agents, when it was an earlier one. */
  readonly population: RecordedPopulation | null
  readonly incidents: readonly { readonly from: string; readonly to: string }[]
}

export interface RecordedPopulation {
  readonly seed: number
  readonly profile: string
  readonly days: number
  /** An ISO time. */
  readonly asOf: string
}

/** The recorded runs, oldest first; none when nothing was ever seeded. */
export async function seedRuns({ session }: ObservabilityContext): Promise<readonly SeedRun[]> {
  const [table] = await session<{ exists: boolean }[]>`select to_regclass('obs.seed_runs') is not null as exists`
  if (!table?.exists) return []
  return session<SeedRun[]>`
    select run_id, profile, seed, days, as_of, ordinal, workspace_id, window_from, window_to, started_at,
           coalesce((settings ->> 'scale')::float8, 1) as scale,
           nullif(settings -> 'population', 'null') as population, coalesce(incidents, '[]') as incidents
    from obs.seed_runs
    order by started_at, run_id`
}

/** The digest of the fault manifest that a run was made with; null when it has no faults, undefined when there is no such run. */
export async function faultDigest(sql: Sql, runId: string): Promise<string | null | undefined> {
  const [table] = await sql<{ exists: boolean }[]>`select to_regclass('obs.seed_runs') is not null as exists`
  if (!table?.exists) return undefined
  const [row] = await sql<{ digest: string | null }[]>`
    select settings #>> '{faults,manifest_sha256}' as digest from obs.seed_runs where run_id = ${runId}`
  return row?.digest
}
