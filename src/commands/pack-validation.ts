import { UsageError } from '../errors.js'
import type { RunSettings } from '../generators/pack.js'
import type { Pack } from '../packs.js'
import type { ObservabilityFacts, ObservabilitySuite } from '../validators/observability/facts.js'
import type { SeedRun } from '../validators/observability/seed-runs.js'

/** The suites of a pack, and what they have to know about its data. */
export interface PackValidation {
  readonly suites: readonly ObservabilitySuite[]
  readonly facts: ObservabilityFacts
}

/**
 * Brings together what validates a pack: its suites, and the facts that its generators know.
 *
 * @throws UsageError when the pack has no suites.
 */
export async function loadPackValidation(pack: Pack): Promise<PackValidation> {
  if (pack.name !== 'observability') {
    throw new UsageError(`the pack ${JSON.stringify(pack.name)} has no validation suites`, {
      code: 'no_suites',
      hint: 'Choose the pack observability with --pack.',
      details: { pack: pack.name },
    })
  }
  const { observabilitySuites } = await import('../validators/observability/index.js')
  return { suites: observabilitySuites, facts: await observabilityFacts() }
}

async function observabilityFacts(): Promise<ObservabilityFacts> {
  const { pricesPerThousand, priceTable } = await import('../generators/observability/prices.js')
  const { passingScore } = await import('../generators/observability/encode.js')
  const { expectedOf } = await import('../generators/observability/expected.js')
  return {
    prices: Object.entries(pricesPerThousand()).map(([model, price]) => ({
      ...{ model, ...price },
      provider: priceTable.models.find(({ name }) => name === model)?.provider ?? '',
    })),
    passingScore,
    expectedOf: memoized((run) => expectedOf(settingsOf(run))),
  }
}

/** A plan is worth keeping: several checks ask for the same run. */
function memoized<T>(work: (run: SeedRun) => T): (run: SeedRun) => T {
  const results = new Map<string, T>()
  return (run) => {
    const key = `${run.run_id} ${run.workspace_id}`
    if (!results.has(key)) results.set(key, work(run))
    return results.get(key) as T
  }
}

/** The settings that a recorded run, or what it has of one workspace, was made from. */
export function settingsOf(run: SeedRun): RunSettings {
  const { profile, seed, days, as_of: asOf, scale, ordinal, workspace_id: workspace, population } = run
  const origin = population ? { population: { ...population, asOf: new Date(population.asOf) } } : {}
  const tenant = run.rank === null ? {} : { tenant: { rank: run.rank, of: run.run_id } }
  return {
    runId: run.part_id ?? run.run_id,
    profile,
    seed,
    days,
    asOf,
    scale,
    ordinal,
    workspace,
    ...origin,
    ...tenant,
  }
}
