import type { ObservabilityContext } from './facts.js'
import { type SeedRun, seedRuns } from './seed-runs.js'

/** A run, with what was done to it on purpose. */
export interface RecordedRun extends SeedRun {
  /** Names of the faults that were planted. */
  readonly faults: readonly string[]
}

/**
 * The newest run whose id begins with `id`, or undefined.
 *
 * @param workspace which of the workspaces that it fills; by default the one with the most traffic.
 */
export async function recordedRun(
  context: ObservabilityContext,
  id = '',
  workspace?: string,
): Promise<RecordedRun | undefined> {
  const runs = (await context.once(seedRuns)).filter(
    (run) => run.run_id.startsWith(id) && (workspace === undefined || run.workspace_id === workspace),
  )
  const run = runs.find(({ run_id }) => run_id === runs.at(-1)?.run_id)
  if (!run) return undefined
  const [row] = await context.session<{ faults: string[] }[]>`
    select array(select jsonb_object_keys(case when jsonb_typeof(settings #> '{faults,planted}') = 'object'
                                               then settings #> '{faults,planted}' else '{}' end)) as faults
    from obs.seed_runs where run_id = ${run.run_id}`
  return { ...run, faults: row?.faults ?? [] }
}
