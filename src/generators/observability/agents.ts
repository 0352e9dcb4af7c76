import { boundedParetoQuantile, type WeightedChoice, weightedChoice } from '../distributions.js'
import { Random, type StreamKey, streamKey } from '../random.js'
import { departments, type Intent, intents } from './departments.js'
import { type EnvironmentCode, environmentCodes, type Profile } from './profiles.js'
import { adoption } from './rollout.js'

/** One agent of the fleet. */
export interface Agent {
  readonly index: number
  /** `<department>-<type>-<n>`. */
  readonly agentId: string
  /** Index into `departments`. */
  readonly department: number
  /** Index into the department's types. */
  readonly type: number
  /** Counts the agents of one type from 1. */
  readonly number: number
  readonly status: 'active' | 'beta' | 'deprecated'
  /** The environment it is released to. */
  readonly home: EnvironmentCode
  /** Traces on a working day, over all environments. */
  readonly volume: number
  readonly latencyFactor: number
  /** Whether it works through lists that a clock hands to it. */
  readonly isScheduled: boolean
  /** How much later than the others it takes a new version, as a share of the window. */
  readonly lag: number
  /** Index into the rollout's releases: what most of its traffic runs when the window closes. */
  readonly release: number
  /** The share of its requests by intent, in the order of `intents`. */
  readonly intents: readonly number[]
}

/** The fleet: agents of every department, a function of the profile and the population's seed. */
export function makeAgents(profile: Profile, seed: number): readonly Agent[] {
  const key = streamKey('agents', profile.name, seed)
  const sizes = departmentSizes(profile, key)
  const members = sizes.flatMap((size, department) =>
    Array.from({ length: size }, (_, place) => ({ department, place })),
  )
  const volumes = spreadVolumes(profile, members.length, key)
  const random = new Random()
  return members.map(({ department, place }, index) => {
    const type = place % 3
    const number = Math.floor(place / 3) + 1
    const { lag, status, latencyFactor } = drawTraits(random.seat(key, 1, index), number)
    return {
      index,
      agentId: `${departments[department]?.code}-${departments[department]?.types[type]?.name}-${number}`,
      department,
      type,
      number,
      status,
      home: status === 'beta' ? 'staging' : 'production',
      volume: volumes[index] ?? 0,
      latencyFactor,
      isScheduled: primaryIntents(profile, department)[type] === 'automation',
      lag,
      release: releaseAtEnd(profile, lag),
      intents: intentShares(profile, department, type),
    }
  })
}

/**
 * Weights of the environments for agents that are released and for those that are not.
 *
 * A beta agent has no production traffic, so the others have a little more: over the
 * fleet the shares are those of the profile.
 */
export function environmentMix(profile: Profile, agents: readonly Agent[]): (agent: Agent) => WeightedChoice {
  const share = environmentCodes.map((code) => profile.environments[code].share)
  const volume = (members: readonly Agent[]) => members.reduce((sum, agent) => sum + agent.volume, 0)
  const betaVolume = volume(agents.filter(({ home }) => home === 'staging')) / volume(agents)
  const outside = 1 - (share[0] ?? 0)
  const beta = share.map((value, i) => (i === 0 ? 0 : value / outside))
  const released = share.map((value, i) => Math.max(0, value - betaVolume * (beta[i] ?? 0)))
  const choices = { beta: weightedChoice(beta), released: weightedChoice(released) }
  return (agent) => (agent.home === 'staging' ? choices.beta : choices.released)
}

/** Draws sizes again until the fleet has the size the profile asks for; the expectation does at once. */
function departmentSizes({ fleet }: Profile, key: StreamKey): number[] {
  const [low, high] = fleet.perDepartment
  const [least, most] = fleet.total
  const random = new Random()
  const sizeChoice = weightedChoice(Array.from({ length: high - low + 1 }, (_, i) => 0.6 ** i))
  for (let attempt = 0; ; attempt++) {
    const sizes = departments.map((_, i) => low + sizeChoice.pick(random.seat(key, 0, i, attempt)))
    const total = sizes.reduce((sum, size) => sum + size, 0)
    if (total >= least && total <= most) return sizes
  }
}

/**
 * Volumes of a few busy agents and many quiet ones.
 *
 * Quantiles of the distribution dealt out in random order rather than independent
 * draws, so that the size of a run hardly depends on the seed.
 */
function spreadVolumes({ volume }: Profile, size: number, key: StreamKey): number[] {
  const [low, high] = volume.perAgentDay
  const random = new Random()
  return Array.from({ length: size }, (_, rank) => ({ rank, order: random.seat(key, 2, rank).bits() }))
    .sort((a, b) => a.order - b.order)
    .map(({ rank }) => boundedParetoQuantile((rank + 0.5) / size, low, high, volume.exponent))
}

/** How much later than the others an agent may take a version, as a share of the window. */
export const longestLag = 0.12

function drawTraits(random: Random, number: number): Pick<Agent, 'lag' | 'status' | 'latencyFactor'> {
  const lag = random.chance(0.15) ? random.between(0.02, longestLag) : 0
  const latencyFactor = random.logNormal(0, 0.1)
  // The first of a type is what the others are compared with and replaced by.
  if (number === 1) return { lag, status: 'active', latencyFactor }
  const u = random.uniform()
  return { lag, status: u < 0.08 ? 'beta' : u < 0.14 ? 'deprecated' : 'active', latencyFactor }
}

function releaseAtEnd({ rollout }: Profile, lag: number): number {
  return rollout.releases.reduce((latest, _, i) => (adoption(rollout, i, 1 - lag) > 0.5 ? i : latest), 0)
}

/** The intents of the three types of a department, in the profile. */
export function primaryIntents({ fleet }: Profile, department: number): readonly Intent[] {
  return (departments[department]?.types ?? []).map(({ name, intent }) => fleet.intents?.[name] ?? intent)
}

/** Three quarters its own intent, most of the rest its department's other two, a little of everything. */
function intentShares(profile: Profile, department: number, type: number): readonly number[] {
  const primary = primaryIntents(profile, department)
  const weights = intents.map((intent) => {
    const own = primary.reduce((sum, one, i) => (one === intent ? sum + (i === type ? 0.75 : 0.11) : sum), 0)
    return Math.max(0.006, own)
  })
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}
