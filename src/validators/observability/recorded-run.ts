import type { ObservabilityContext } from './facts.js'
import { type SeedRun, seedRuns } from './seed-runs.js'

/** A run, with what was done to it on purpose. */
export interface RecordedRun extends SeedRun {
  /** Names of the faults that were planted. */
  readonly faults: readonly string[]
  readonly stories: readonly { readonly from: string; readonly to: string; readonly summary: string }[]
}

/** The newest run whose id begins with `id`, or undefined. */
export async function recordedRun(context: ObservabilityContext, id = ''): Promise<RecordedRun | undefined> {
  const run = (await context.once(seedRuns)).filter(({ run_id }) => run_id.startsWith(id)).at(-1)
  if (!run) return undefined
  const [row] = await context.session<{ faults: string[]; stories: RecordedRun['stories'] }[]>`
    select array(select jsonb_object_keys(case when jsonb_typeof(settings #> '{faults,planted}') = 'object'
                                               then settings #> '{faults,planted}' else '{}' end)) as faults,
           coalesce(incidents, '[]') as stories
    from obs.seed_runs where run_id = ${run.run_id}`
  return { ...run, faults: row?.faults ?? [], stories: row?.stories ?? [] }
}
