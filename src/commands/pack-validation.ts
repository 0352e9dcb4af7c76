import { UsageError } from '../errors.js'
import type { Pack } from '../packs.js'
import type { ObservabilityFacts, ObservabilitySuite, ProfileFacts } from '../validators/observability/facts.js'

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
  const { profileCalled, profileNames } = await import('../generators/observability/profiles.js')
  const { departments } = await import('../generators/observability/departments.js')
  const { adoption } = await import('../generators/observability/rollout.js')
  const { longestLag } = await import('../generators/observability/agents.js')
  const { segmentShares } = await import('../generators/observability/users.js')
  const { passingScore } = await import('../generators/observability/encode.js')
  type Profile = ReturnType<typeof profileCalled>
  const earliestLead = ({ environments }: Profile) => Math.max(...Object.values(environments).map(({ lead }) => lead))
  const facts = (profile: Profile): ProfileFacts => ({
    ...promised,
    agents: profile.fleet.total,
    agentsPerDepartment: profile.fleet.perDepartment,
    perAgentDay: profile.volume.perAgentDay,
    weekend: profile.volume.weekend,
    environments: Object.fromEntries(Object.entries(profile.environments).map(([code, { share }]) => [code, share])),
    rollout: {
      versions: profile.rollout.releases.map(({ version }) => version),
      adoption: (version, time) => adoption(profile.rollout, version, time),
      earliest: earliestLead(profile),
      firstSeen: profile.rollout.releases.map(({ at }, place) => (place === 0 ? 0 : at - earliestLead(profile))),
      latest: longestLag,
    },
    users: { count: profile.users.count, segments: segmentShares },
    evaluations: profile.evaluations.share,
  })
  return {
    prices: Object.entries(pricesPerThousand()).map(([model, price]) => ({
      ...{ model, ...price },
      provider: priceTable.models.find(({ name }) => name === model)?.provider ?? '',
    })),
    passingScore,
    profiles: Object.fromEntries(profileNames.map((name) => [name, facts(profileCalled(name))])),
    primaryIntents: Object.fromEntries(departments.map(({ code, types }) => [code, types.map(({ intent }) => intent)])),
  }
}

/** What every profile promises and none has a setting for. */
const promised = { failures: [0.02, 0.05], meanLatencyMs: [2000, 3000], businessHours: 1.5 } as const
