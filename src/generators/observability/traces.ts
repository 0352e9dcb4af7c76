import { logNormalMu } from '../distributions.js'
import { finalMix, murmur3, Random, type StreamKey, streamKey } from '../random.js'
import type { Agent } from './agents.js'
import { environmentMix } from './agents.js'
import { dayMs } from './calendar.js'
import { departments, intents } from './departments.js'
import { failureChoice, failureKinds } from './failures.js'
import type { Effect, PlannedIncident } from './incidents.js'
import { modelChoices, traitsByIntent, versionTraits } from './models.js'
import type { Population } from './population.js'
import { costMicros, priceTable } from './prices.js'
import { environmentCodes, type Profile, versions } from './profiles.js'
import { adoption } from './rollout.js'
import { type Attendance, attendance } from './users.js'

export const statuses = ['success', 'error', 'timeout'] as const

/** One trace as numbers and indexes; the one instance is drawn over and over. */
export class Trace {
  /** The 128 bits of the trace id, as four words. */
  readonly id = new Uint32Array(4)
  agent = 0
  /** Milliseconds of midnight, and microseconds after it. */
  midnight = 0
  micros = 0
  /** Index into `environmentCodes`. */
  environment = 0
  /** Index into `versions`. */
  version = 0
  /** Index into `intents`. */
  intent = 0
  /** Index into the price table. */
  model = 0
  /** Index into `statuses`. */
  status = 0
  /** Index into `failureKinds` when the status is error. */
  failure = 0
  latencyMs = 0
  tokensInput = 0
  tokensOutput = 0
  costMicros = 0
  /** Index into the population's users. */
  user = 0
  prompt = 0
  answer = 0
  /** A ticket, order or document number for the texts. */
  reference = 0
  region = 0
  /** The score of an evaluated trace, in hundredths; -1 when nobody judged it. */
  scoreHundredths = -1
  /** Milliseconds from the trace to its evaluation. */
  judgedAfterMs = 0
}

export const regionCount = 4

/** Timestamps are drawn this fine, as PostgreSQL keeps them. */
const microsPerMs = 1000

/** What a run's traces depend on. */
export interface TraceSource {
  readonly runId: string
  readonly profile: Profile
  readonly population: Population
  readonly window: { readonly from: number; readonly to: number }
  readonly incidents: readonly PlannedIncident[]
  readonly part: (day: number) => { readonly from: number; readonly to: number }
}

/**
 * Draws traces by their coordinates: day, agent and the agent's nth of that day.
 *
 * A trace is a function of the run and its coordinates alone, so the evaluations can
 * visit the traces again after they were loaded, and any part of a run can be made
 * without the rest.
 */
export class TraceDrawer {
  readonly trace = new Trace()
  readonly #source: TraceSource
  readonly #random = new Random()
  readonly #key: StreamKey
  readonly #words: Uint32Array
  readonly #mix: ReturnType<typeof environmentMix>
  readonly #latencyMu: Float64Array
  #day = 0
  #part = { from: 0, to: 1 }
  #attendance: Attendance = { pick: () => 0 }
  #incidents: readonly PlannedIncident[] = []

  constructor(source: TraceSource) {
    this.#source = source
    this.#key = streamKey('traces', source.runId)
    this.#words = streamKey('trace ids', source.runId).words
    this.#mix = environmentMix(source.profile, source.population.agents)
    this.#latencyMu = latencyTable(source.profile)
  }

  /** Turns to a day (days since 1970); the traces drawn from here on are of that day. */
  openDay(day: number): void {
    const { population, incidents, part } = this.#source
    const midnight = day * dayMs
    this.#day = day
    this.#part = part(day)
    this.#attendance = attendance(population.users, population.seed, day)
    this.#incidents = incidents.filter(({ from, to }) => from < midnight + dayMs && to > midnight)
    this.trace.midnight = midnight
  }

  /** Whether the trace at these coordinates is evaluated, without drawing the rest of it. */
  isEvaluated(agent: Agent, n: number): boolean {
    return this.#random.seat(this.#key, agent.index, this.#day, n).chance(this.#source.profile.evaluations.share)
  }

  /** Draws the trace at these coordinates into `trace`. */
  draw(agent: Agent, n: number): Trace {
    const { trace } = this
    const isEvaluated = this.isEvaluated(agent, n)
    trace.agent = agent.index
    this.#drawId(agent.index, n)
    this.#drawTime()
    this.#drawRequest(agent)
    const effect = this.#effectOn(trace)
    this.#drawOutcome(agent, effect)
    this.#drawTexts(agent)
    trace.scoreHundredths = -1
    if (isEvaluated) this.#judge(effect)
    return trace
  }

  /**
   * The last 64 bits are the coordinates sent through a four-round Feistel network,
   * which is a permutation: two traces of a run never share an id. The first 64 tell
   * runs apart.
   */
  #drawId(agent: number, n: number): void {
    const { id } = this.trace
    const words = this.#words
    let left = ((this.#day << 12) | agent) >>> 0
    let right = n >>> 0
    for (let round = 0; round < 4; round++) {
      const mixed = (left ^ finalMix(right ^ at(words, round))) >>> 0
      left = right
      right = mixed
    }
    id[0] = murmur3(at(words, 4), left, right, 0)
    id[1] = murmur3(at(words, 5), left, right, 0)
    id[2] = left
    id[3] = right
  }

  #drawTime(): void {
    const { trace } = this
    const { window, population } = this.#source
    const { from, to } = this.#part
    const share = from + (to - from) * this.#random.uniform53()
    const micros = Math.floor(population.curve.offsetAt(share) * microsPerMs)
    const first = (window.from - trace.midnight) * microsPerMs
    const last = Math.min(window.to - trace.midnight, dayMs) * microsPerMs - 1
    trace.micros = Math.min(last, Math.max(first, micros))
  }

  #drawRequest(agent: Agent): void {
    const { trace } = this
    const random = this.#random
    trace.environment = this.#mix(agent).pick(random)
    trace.version = this.#versionAt(random.uniform(), agent.lag)
    trace.intent = agent.intents.pick(random)
    trace.model = modelChoices[trace.version]?.pick(random) ?? 0
    trace.user = this.#attendance.pick(agent.department, random)
    trace.region = random.integer(regionCount)
  }

  /** The newest release whose adoption has reached `u`. */
  #versionAt(u: number, lag: number): number {
    const { trace } = this
    const { profile, window } = this.#source
    const code = environmentCodes[trace.environment] ?? 'production'
    const elapsed = (trace.midnight + trace.micros / microsPerMs - window.from) / (window.to - window.from)
    const time = elapsed - lag + profile.environments[code].lead
    for (let release = profile.rollout.releases.length - 1; release > 0; release--) {
      if (u < adoption(profile.rollout, release, time)) return release
    }
    return 0
  }

  #effectOn(trace: Trace): Effect | undefined {
    if (this.#incidents.length === 0) return undefined
    const time = trace.midnight + trace.micros / microsPerMs
    return this.#incidents.find((incident) => touches(incident, trace, time))?.effect
  }

  #drawOutcome(agent: Agent, effect: Effect | undefined): void {
    const { trace } = this
    const random = this.#random
    const { profile } = this.#source
    const traits = traitsByIntent[trace.intent]
    const environment = profile.environments[environmentCodes[trace.environment] ?? 'production']
    const version = versionTraits[versions[trace.version] ?? 'v2.1']
    const mu = at(this.#latencyMu, trace.intent * priceTable.models.length + trace.model)
    const pressure = environment.failureFactor * version.failures
    const u = random.uniform()
    const z = random.normal()
    const pace = agent.latencyFactor * environment.latencyFactor * version.latency * (effect?.latencyFactor ?? 1)
    const latency = Math.exp(mu + profile.latency.sigma * z) * pace

    const timeouts = profile.failures.timeout * pressure
    const background = timeouts + profile.failures.error * pressure
    const caused = background + (effect?.failures ?? 0)
    trace.status = u < timeouts || latency >= profile.latency.capMs ? 2 : u < caused ? 1 : 0
    trace.failure = u < background ? failureChoice.pick(random) : failureIndex(effect)
    trace.latencyMs = this.#latencyOf(latency)

    const tokensFactor = effect?.tokensFactor ?? 1
    trace.tokensInput = tokens(random.normal(), (traits?.tokensInput ?? 0) * tokensFactor)
    // A long answer takes long: the two share three fifths of their deviation.
    const answer = tokens(0.6 * z + 0.8 * random.normal(), (traits?.tokensOutput ?? 0) * Math.min(3, tokensFactor))
    trace.tokensOutput = trace.status === 0 ? answer : 0
    const model = priceTable.models[trace.model]
    trace.costMicros = model ? costMicros(model, trace.tokensInput, trace.tokensOutput) : 0
  }

  #latencyOf(latency: number): number {
    const { trace } = this
    const { floorMs, capMs } = this.#source.profile.latency
    if (trace.status === 2) return capMs
    const factor = trace.status === 1 ? (failureKinds[trace.failure]?.latency ?? 1) : 1
    return Math.min(capMs - 1, Math.max(floorMs, Math.round(latency * factor)))
  }

  #drawTexts(agent: Agent): void {
    const { trace } = this
    const random = this.#random
    const { perIntent } = this.#source.profile.texts
    const pool = (agent.department * intents.length + trace.intent) * perIntent
    trace.prompt = pool + random.integer(perIntent)
    trace.answer = pool + random.integer(perIntent)
    trace.reference = 10_000 + random.integer(90_000)
  }

  /** A failed request is judged poor, a good version better than the one before, an incident shows. */
  #judge(effect: Effect | undefined): void {
    const { trace } = this
    const random = this.#random
    const version = versionTraits[versions[trace.version] ?? 'v2.1']
    const base = trace.status === 0 ? version.quality + (traitsByIntent[trace.intent]?.quality ?? 0) : 32
    const score = base + (effect?.quality ?? 0) + 7 * random.normal()
    trace.scoreHundredths = Math.round(Math.min(100, Math.max(0, score)) * 100)
    trace.judgedAfterMs = trace.latencyMs + 1000 + random.integer(119_000)
  }
}

/** The names that the drawn indexes stand for. */
export const departmentCodes = departments.map(({ code }) => code)

function touches(incident: PlannedIncident, trace: Trace, time: number): boolean {
  if (time < incident.from || time >= incident.to) return false
  if (incident.agents && !incident.agents.has(trace.agent)) return false
  if (incident.provider && incident.provider !== priceTable.models[trace.model]?.provider) return false
  return !incident.version || incident.version === versions[trace.version]
}

function latencyTable({ latency }: Profile): Float64Array {
  return Float64Array.from(
    traitsByIntent.flatMap((traits) =>
      priceTable.models.map((model) => Math.log(latency.medianMs * traits.latency * model.pace)),
    ),
  )
}

/** Token counts are log-normal too, with this standard deviation of the logarithm. */
const tokensSigma = 0.6

function tokens(z: number, mean: number): number {
  return Math.max(1, Math.round(Math.exp(logNormalMu(mean, tokensSigma) + tokensSigma * z)))
}

function failureIndex(effect: Effect | undefined): number {
  return Math.max(
    0,
    failureKinds.findIndex(({ name }) => name === effect?.failureKind),
  )
}

function at(values: { readonly [index: number]: number }, index: number): number {
  return values[index] ?? 0
}
