import type { ObservabilityContext } from './facts.js'

/** A run of the generator, as it was recorded when it finished. */
export interface SeedRun {
  readonly run_id: string
  readonly profile: string
  readonly workspace_id: string
  readonly window_from: Date
  readonly window_to: Date
  readonly started_at: Date
  /** What the profile's volume was multiplied by. */
  readonly scale: number
  readonly incidents: readonly { readonly from: string; readonly to: string }[]
}

/** The recorded runs, oldest first; none when nothing was ever seeded. */
export async function seedRuns({ session }: ObservabilityContext): Promise<readonly SeedRun[]> {
  const [table] = await session<{ exists: boolean }[]>`select to_regclass('obs.seed_runs') is not null as exists`
  if (!table?.exists) return []
  return session<SeedRun[]>`
    select run_id, profile, workspace_id, window_from, window_to, started_at,
           coalesce((settings ->> 'scale')::float8, 1) as scale, coalesce(incidents, '[]') as incidents
    from obs.seed_runs
    order by started_at, run_id`
}
