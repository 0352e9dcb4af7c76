import type { Agent } from './agents.js'
import { type Calibration, uncalibrated } from './calibration.js'
import { intents } from './departments.js'
import type { Profile, Targets } from './profiles.js'
import { ageOfAdoption } from './rollout.js'
import type { TraceSource } from './trace-source.js'
import { limitsOf, placeOf } from './trace-tables.js'
import { TraceDrawer } from './traces.js'

/**
 * Tunes a history so that it adds up to the targets of its profile.
 *
 * The traces are drawn again and again with the same random numbers, each time with
 * what the last time was off by corrected, so that the result does not scatter as
 * independent draws would: a profile whose figures are known gets them with every
 * seed. Of a long history every so-manieth day of an agent is looked at.
 */
export function calibrate(source: Omit<TraceSource, 'calibration'>): Calibration {
  const { targets } = source.profile
  const isKnown = targets.versions !== undefined || targets.intents !== undefined || targets.meanCostUsd !== undefined
  let calibration: Calibration = { ...uncalibrated, intents: tuneIntents(source) }
  for (const most of isKnown ? knownRounds : roughRounds) {
    const sums = addUp({ ...source, calibration: () => calibration }, most)
    if (sums.traces === 0) return calibration
    calibration = { ...corrected(calibration, sums, targets), delays: delaysFor(sums, source.profile) }
  }
  return calibration
}

/** How many traces each round looks at, at most. */
const mostTraces = 500_000
const roughRounds = [20_000, 40_000]
const knownRounds = [20_000, 40_000, 40_000, mostTraces, mostTraces, mostTraces]

interface Sums {
  traces: number
  latencyMs: number
  failures: number
  costMicros: number
  /** Of each trace the two numbers that its version follows from. */
  readonly rolloutTimes: number[]
  readonly versionDraws: number[]
}

function addUp(source: TraceSource, most: number): Sums {
  const { volume, population, profile } = source
  const step = Math.max(1, Math.ceil(volume.total / most))
  const drawer = new TraceDrawer(source)
  const sums = { traces: 0, latencyMs: 0, failures: 0, costMicros: 0 }
  const lists = { rolloutTimes: [], versionDraws: [] }
  const result: Sums = { ...sums, ...lists }
  for (let i = 0; i < volume.dayCount; i++) {
    drawer.openDay(volume.firstDay + i)
    // Every agent has its turn on other days than its neighbour.
    for (const agent of population.agents) if ((agent.index + i) % step === 0) addDay(drawer, agent, profile, result)
  }
  return result
}

function addDay(drawer: TraceDrawer, agent: Agent, { targets }: Profile, sums: Sums): void {
  const count = drawer.openAgent(agent)
  for (let n = 0; n < count; n++) {
    const trace = drawer.draw()
    sums.latencyMs += trace.latencyMs
    sums.costMicros += trace.costMicros
    if (trace.status !== 0) sums.failures++
    if (!targets.versions) continue
    sums.rolloutTimes.push(trace.rolloutTime)
    sums.versionDraws.push(trace.versionDraw)
  }
  sums.traces += count
}

function corrected(calibration: Calibration, sums: Sums, targets: Targets): Calibration {
  const { meanLatencyMs, failureShare, meanCostUsd } = targets
  const better = (factor: number, wanted: number, sum: number) =>
    sum > 0 ? (factor * wanted * sums.traces) / sum : factor
  return {
    latency: better(calibration.latency, meanLatencyMs, sums.latencyMs),
    failures: better(calibration.failures, failureShare, sums.failures),
    input: meanCostUsd === undefined ? 1 : better(calibration.input, meanCostUsd * 1_000_000, sums.costMicros),
    intents: calibration.intents,
    delays: calibration.delays,
  }
}

/** How often the shares of the intents are corrected; each time leaves a small part of what was off. */
const intentRounds = 40

/**
 * The factors with which the intents have the shares that the profile knows.
 *
 * The intent of a conversation follows from one number, so the conversations are
 * looked at once and their numbers are then counted again and again.
 */
function tuneIntents(source: Omit<TraceSource, 'calibration'>): readonly number[] {
  const { targets } = source.profile
  if (!targets.intents) return uncalibrated.intents
  const { agents } = source.population
  const conversations = conversationsOf(source)
  let factors = uncalibrated.intents
  for (let round = 0; round < intentRounds; round++) {
    const limits = agents.map(({ intents: shares }) => limitsOf(shares, factors))
    const counts = intents.map(() => 0)
    for (let i = 0; i < conversations.draws.length; i++) {
      const intent = placeOf(limits[conversations.agents[i] ?? 0], conversations.draws[i] ?? 0)
      counts[intent] = (counts[intent] ?? 0) + (conversations.sizes[i] ?? 0)
    }
    const total = counts.reduce((sum, count) => sum + count, 0)
    factors = factors.map((factor, i) =>
      (counts[i] ?? 0) > 0 ? (factor * intentShare(targets, i) * total) / (counts[i] ?? 1) : factor,
    )
  }
  return factors
}

interface Conversations {
  readonly agents: number[]
  readonly draws: number[]
  readonly sizes: number[]
}

function conversationsOf(source: Omit<TraceSource, 'calibration'>): Conversations {
  const { volume, population } = source
  const step = Math.max(1, Math.ceil(volume.total / mostTraces))
  const drawer = new TraceDrawer({ ...source, calibration: () => uncalibrated })
  const found: Conversations = { agents: [], draws: [], sizes: [] }
  for (let i = 0; i < volume.dayCount; i++) {
    drawer.openDay(volume.firstDay + i)
    for (const agent of population.agents) {
      if ((agent.index + i) % step !== 0) continue
      drawer.openAgent(agent)
      for (let size = drawer.peek(); size > 0; size = drawer.peek()) {
        found.agents.push(agent.index)
        found.draws.push(drawer.trace.intentDraw)
        found.sizes.push(size)
        drawer.skip(size)
      }
    }
  }
  return found
}

/** The share that a profile with known shares wants; what it does not name shares the rest evenly. */
export function intentShare({ intents: wanted = {} }: Targets, index: number): number {
  const intent = intents[index] ?? 'general_assistance'
  const named = Object.values(wanted)
  const rest = 1 - named.reduce((sum, share) => sum + share, 0)
  return wanted[intent] ?? rest / (intents.length - named.length)
}

/**
 * The delays with which each version has exactly its share.
 *
 * For every trace there is one delay up to which it still runs a release; sorted, the
 * delay is the one that as many traces reach as are wanted.
 */
function delaysFor(sums: Sums, { rollout, targets }: Profile): readonly number[] {
  const wanted = targets.versions
  if (!wanted) return []
  return rollout.releases.map(({ at }, release) => {
    if (release === 0) return 0
    const later = rollout.releases.slice(release)
    const share = later.reduce((sum, { version }) => sum + (wanted[version] ?? 0), 0)
    const reach = Float64Array.from(
      sums.rolloutTimes,
      (time, i) => time - at - rollout.ramp * ageOfAdoption(rollout, sums.versionDraws[i] ?? 0),
    ).sort()
    return reach[reach.length - Math.round(share * reach.length)] ?? 0
  })
}
