import { logNormalMu, normalQuantile, waitingTime, weightedChoice } from '../distributions.js'
import { blockSize, drawBlocks, finalMix, murmur3, Random, type StreamKey, streamKey } from '../random.js'
import type { Agent } from './agents.js'
import { environmentMix } from './agents.js'
import { dayMs, hourMs } from './calendar.js'
import type { Calibration } from './calibration.js'
import { intents } from './departments.js'
import { failureChoice, failureKinds } from './failures.js'
import type { Effect, PlannedIncident } from './incidents.js'
import { modelChoices, substituteOf, traitsByIntent, versionTraits } from './models.js'
import { costMicros, priceTable } from './prices.js'
import { environmentCodes, versions } from './profiles.js'
import { adoption, isRolledBack } from './rollout.js'
import { type Judgement, mostAttempts, regionCount, Trace } from './trace.js'
import type { TraceSource } from './trace-source.js'
import {
  byEnvironmentAndVersion,
  byIntentAndModel,
  conversationSizes,
  limitsOf,
  placeOf,
  rushHours,
} from './trace-tables.js'
import { Attendance } from './users.js'

/** Timestamps are drawn this fine, as PostgreSQL keeps them. */
const microsPerMs = 1000

/** Where the draws of a trace lie: each has a place of its own, so that one more leaves the others as they are. */
const lane = {
  // The first block is turned into normal numbers.
  ...{ latency: 0, firstToken: 1, input: 2, speed: 3 },
  ...{ version: 4, model: 5, outcome: 6, kind: 7 },
  ...{ prompt: 8, answer: 9, reference: 10, pause: 11 },
  ...{ pauseToo: 12, cached: 13, reasoning: 14, evaluated: 15 },
  ...{ score: 16, judged: 17, retry: 18, backoff: 19 },
} as const
const traceBlocks = 5

/** The same for a conversation, at the place of its first trace. */
const opening = {
  size: 0,
  user: 1,
  intent: 2,
  environment: 3,
  time: 4,
  timeToo: 5,
  region: 6,
  schedule: 7,
  id: 8,
} as const
const firstOpeningBlock = 8
const openingBlocks = 3

const unit = 2 ** -32
/** Quarters of an hour in which a provider is either well or not. */
const slotMs = hourMs / 4
const slotMicros = slotMs * microsPerMs
const slotsPerDay = dayMs / slotMs
/** One quarter of an hour in sixteen is rough: failures come in clusters. The mean over all is 1. */
const roughShare = 1 / 16
const roughPressure = 7
const calmPressure = (1 - roughShare * roughPressure) / (1 - roughShare)

const { models } = priceTable
const providers = [...new Set(models.map(({ provider }) => provider))]
const providerOf = Uint8Array.from(models, ({ provider }) => providers.indexOf(provider))
const isTransient = failureKinds.map((kind) => kind.isTransient)
const failureLatency = Float64Array.from(failureKinds, ({ latency }) => latency)

/**
 * Draws the traces of an agent's day, one after the other.
 *
 * A trace is a function of the run and its coordinates (day, agent and the agent's nth
 * of that day) alone, so that several tables can visit the same traces, and any day of
 * an agent can be made without the rest. Within the day they hang together: requests
 * come in conversations, and one that failed may be tried again.
 */
export class TraceDrawer {
  readonly trace = new Trace()
  readonly #source: TraceSource
  readonly #calibration: Calibration
  readonly #key: StreamKey
  readonly #weatherKey: StreamKey
  readonly #words: Uint32Array
  readonly #mix: ReturnType<typeof environmentMix>
  readonly #attendance: Attendance
  readonly #sizes: ReturnType<typeof weightedChoice>
  readonly #lanes = new Float64Array(traceBlocks * blockSize)
  readonly #normals = new Float64Array(blockSize)
  readonly #opening = new Float64Array(openingBlocks * blockSize)
  readonly #pressure = new Float64Array(providers.length * slotsPerDay)
  /** By intent and model: the logarithm of the usual latency, and the share of it before the first token. */
  readonly #latencyMu: Float64Array
  readonly #firstTokenShare: Float64Array
  readonly #inputMu: Float64Array
  readonly #rush: Float64Array
  /** By environment and version. */
  readonly #latencyFactor: Float64Array
  readonly #failureFactor: Float64Array
  readonly #intentLimits: readonly Float64Array[]
  /** What each release had of the traffic when the conversation began, with the later ones. */
  readonly #adopted: Float64Array
  readonly #releaseVersions: readonly number[]
  #day = 0
  #part = { from: 0, to: 1 }
  /** The microseconds of the day that traces may have. */
  #first = 0
  #last = 0
  #incidents: readonly PlannedIncident[] = []
  #agent: Agent | undefined
  #count = 0
  #next = 0
  #conversationEnd = 0
  #isRetry = false

  constructor(source: TraceSource) {
    const { profile, population, runId } = source
    const calibration = source.calibration()
    this.#source = source
    this.#calibration = calibration
    this.#key = streamKey('traces', runId)
    this.#weatherKey = streamKey('weather', runId)
    this.#words = streamKey('trace ids', runId).words
    this.#mix = environmentMix(profile, population.agents)
    this.#attendance = new Attendance(population.users, population.seed)
    this.#sizes = weightedChoice(conversationSizes(profile))
    this.#latencyMu = byIntentAndModel((usual) => Math.log(usual.total))
    this.#firstTokenShare = byIntentAndModel((usual) => usual.firstToken / usual.total)
    this.#inputMu = Float64Array.from(traitsByIntent, ({ tokensInput }) =>
      logNormalMu(tokensInput * calibration.input, inputSigma),
    )
    this.#rush = rushHours(profile)
    this.#latencyFactor = byEnvironmentAndVersion(
      (environment, version) => profile.environments[environment].latencyFactor * version.latency * calibration.latency,
    )
    this.#failureFactor = byEnvironmentAndVersion(
      (environment, version) =>
        profile.environments[environment].failureFactor * version.failures * calibration.failures,
    )
    this.#intentLimits = population.agents.map(({ intents: shares }) => limitsOf(shares, calibration.intents))
    this.#adopted = new Float64Array(profile.rollout.releases.length)
    this.#releaseVersions = profile.rollout.releases.map(({ version }) => versions.indexOf(version))
  }

  /** Turns to a day (days since 1970); the agents opened from here on are on that day. */
  openDay(day: number): void {
    const { incidents, volume, window } = this.#source
    const midnight = day * dayMs
    this.#day = day
    this.#part = volume.part(day)
    this.#first = Math.max(0, window.from - midnight) * microsPerMs
    this.#last = Math.min(window.to - midnight, dayMs) * microsPerMs - 1
    this.#attendance.openDay(day)
    this.#incidents = incidents.filter(({ from, to }) => from < midnight + dayMs && to > midnight)
    this.#drawWeather()
    this.trace.midnight = midnight
  }

  /** Turns to an agent and gives back how many traces it has on the day. */
  openAgent(agent: Agent): number {
    this.#agent = agent
    this.#count = this.#source.volume.count(agent.index, this.#day)
    this.#next = 0
    this.#conversationEnd = 0
    this.#isRetry = false
    this.trace.agent = agent.index
    return this.#count
  }

  /** Draws the agent's next trace into `trace`. */
  draw(): Trace {
    const { trace } = this
    const agent = this.#agent
    if (!agent) throw new Error('open an agent first')
    const n = this.#next++
    const isFirst = n === this.#conversationEnd
    if (isFirst) this.#openConversation(agent, n)
    trace.n = n
    drawBlocks(this.#key, agent.index, this.#day, n, 0, traceBlocks, this.#lanes)
    normalsOf(this.#lanes, this.#normals)
    if (!isFirst) this.#follow()
    this.#drawId(agent.index, n)
    this.#drawRequest(agent)
    this.#drawOutcome(agent)
    this.#isRetry = this.#isTriedAgain(n)
    return trace
  }

  /**
   * Turns to the conversation that comes next and gives back how many traces it has;
   * `trace` then says whose it is, and `skip` leaves it out. 0 at the end of the day.
   */
  peek(): number {
    if (!this.#agent || this.#next >= this.#count) return 0
    this.#openConversation(this.#agent, this.#next)
    const size = this.#conversationEnd - this.#next
    // So that `draw` opens it itself.
    this.#conversationEnd = this.#next
    return size
  }

  skip(size: number): void {
    this.#next += size
    this.#conversationEnd = this.#next
  }

  /** How many traces of the agent's day are not drawn yet. */
  get left(): number {
    return this.#count - this.#next
  }

  /**
   * Leaves out the conversations of which nobody judged anything, and the rest of the one before.
   * Gives back how many traces are to be drawn up to the last that is judged; 0 at the end of the day.
   */
  findJudged(): number {
    this.#next = Math.max(this.#next, this.#conversationEnd)
    while (this.#agent && this.#next < this.#count) {
      const end = this.#endOfConversation(this.#agent, this.#next)
      for (let n = end - 1; n >= this.#next; n--) if (this.#isJudged(this.#agent, n)) return n + 1 - this.#next
      this.#next = end
      this.#conversationEnd = end
    }
    return 0
  }

  #endOfConversation(agent: Agent, n: number): number {
    drawBlocks(this.#key, agent.index, this.#day, n, firstOpeningBlock, 1, this.#opening)
    return Math.min(this.#count, n + 1 + this.#sizes.at(this.#opening[opening.size] ?? 0))
  }

  #isJudged(agent: Agent, n: number): boolean {
    drawBlocks(this.#key, agent.index, this.#day, n, Math.floor(lane.evaluated / blockSize), 1, this.#lanes)
    return (this.#lanes[lane.evaluated % blockSize] ?? 0) < this.#source.profile.evaluations.share
  }

  /** How good the drawn trace was: a failed request is judged poor, a good version better, an incident shows. */
  judge(into: Judgement): void {
    const { trace } = this
    const version = versionTraits[versions[trace.version] ?? 'v2.1']
    const base = trace.status === 0 ? version.quality + (traitsByIntent[trace.intent]?.quality ?? 0) : 32
    const score =
      base + (this.#effectOn(trace)?.quality ?? 0) + 7 * normalQuantile((this.#lanes[lane.score] ?? 0) + unit / 2)
    into.scoreHundredths = Math.round(Math.min(100, Math.max(0, score)) * 100)
    into.afterMs = trace.latencyMs + 1000 + Math.floor((this.#lanes[lane.judged] ?? 0) * 119_000)
  }

  #drawWeather(): void {
    const random = new Random()
    for (let slot = 0; slot < this.#pressure.length; slot++) {
      const isRough = random.seat(this.#weatherKey, slot, this.#day).chance(roughShare)
      this.#pressure[slot] = isRough ? roughPressure : calmPressure
    }
  }

  #openConversation(agent: Agent, n: number): void {
    const { trace } = this
    const draws = this.#opening
    drawBlocks(this.#key, agent.index, this.#day, n, firstOpeningBlock, openingBlocks, draws)
    const size = 1 + this.#sizes.at(draws[opening.size] ?? 0)
    this.#conversationEnd = Math.min(this.#count, n + size)
    trace.turn = 0
    trace.attempt = 1
    trace.user = this.#attendance.at(agent.department, draws[opening.user] ?? 0)
    trace.intentDraw = draws[opening.intent] ?? 0
    trace.intent = placeOf(this.#intentLimits[agent.index], trace.intentDraw)
    trace.environment = this.#mix(agent).at(draws[opening.environment] ?? 0)
    trace.region = Math.floor((draws[opening.region] ?? 0) * regionCount)
    trace.conversation[0] = (draws[opening.id] ?? 0) * 2 ** 32
    trace.conversation[1] = (draws[opening.id + 1] ?? 0) * 2 ** 32
    trace.micros = this.#startOf(agent)
    this.#adopt(agent)
    this.#isRetry = false
  }

  /** When a conversation begins: by the curve of the day, and where nobody waits, on the quarter of an hour. */
  #startOf(agent: Agent): number {
    const draws = this.#opening
    const { from, to } = this.#part
    const u = (draws[opening.time] ?? 0) + (draws[opening.timeToo] ?? 0) * unit
    const drawn = Math.floor(this.#source.population.curve.offsetAt(from + (to - from) * u) * microsPerMs)
    const micros = Math.min(this.#last, Math.max(this.#first, drawn))
    const schedule = draws[opening.schedule] ?? 0
    if (!agent.isScheduled || schedule >= scheduledShare) return micros
    const quarter = Math.floor(micros / slotMicros) * slotMicros
    const delay = Math.floor((schedule / scheduledShare) * longestDelayMs * microsPerMs)
    return quarter + delay < this.#first ? micros : Math.min(this.#last, quarter + delay)
  }

  #adopt(agent: Agent): void {
    const { trace } = this
    const { profile, window } = this.#source
    const { releases, rollback } = profile.rollout
    const code = environmentCodes[trace.environment] ?? 'production'
    const elapsed = (trace.midnight + trace.micros / microsPerMs - window.from) / (window.to - window.from)
    const time = elapsed - agent.lag + profile.environments[code].lead
    trace.rolloutTime = time
    for (let release = 1; release < releases.length; release++) {
      const isGone = rollback !== undefined && isRolledBack(rollback, release, elapsed)
      const shift = this.#calibration.delays[release] ?? 0
      this.#adopted[release] = isGone ? 0 : adoption(profile.rollout, release, time - shift)
    }
  }

  /** The request after another one of its conversation, or another attempt at the same. */
  #follow(): void {
    const { trace } = this
    const end = trace.micros + trace.latencyMs * microsPerMs
    if (this.#isRetry) {
      for (let word = 0; word < 4; word++) trace.retriedId[word] = trace.id[word] ?? 0
      trace.attempt++
      trace.micros = end + this.#backoff()
      return
    }
    trace.attempt = 1
    trace.turn++
    const mean = this.#source.profile.sessions.pauseMs * microsPerMs
    const pause = waitingTime(this.#lanes[lane.pause] ?? 0, this.#lanes[lane.pauseToo] ?? 0, mean)
    // What follows must still fit into the day, and into the window.
    const latest = trace.micros + (this.#last - trace.micros) / (this.#conversationEnd - trace.n + 1)
    trace.micros = Math.floor(Math.min(end + pause, latest))
  }

  /** Exponential, with jitter: about one second, then two, then four. */
  #backoff(): number {
    return Math.floor((0.5 + (this.#lanes[lane.backoff] ?? 0)) * 2 ** (this.trace.attempt - 1) * 1_000_000)
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
      const mixed = (left ^ finalMix(right ^ (words[round] ?? 0))) >>> 0
      left = right
      right = mixed
    }
    id[0] = murmur3(words[4] ?? 0, left, right, 0)
    id[1] = murmur3(words[5] ?? 0, left, right, 0)
    id[2] = left
    id[3] = right
  }

  #drawRequest(agent: Agent): void {
    const { trace } = this
    trace.isEvaluated = (this.#lanes[lane.evaluated] ?? 0) < this.#source.profile.evaluations.share
    if (this.#isRetry) return
    const { perIntent } = this.#source.profile.texts
    const pool = (agent.department * intents.length + trace.intent) * perIntent
    trace.versionDraw = this.#lanes[lane.version] ?? 0
    trace.version = this.#versionAt(trace.versionDraw)
    trace.requestedModel = modelChoices[trace.version]?.at(this.#lanes[lane.model] ?? 0) ?? 0
    trace.prompt = pool + Math.floor((this.#lanes[lane.prompt] ?? 0) * perIntent)
    trace.reference = 10_000 + Math.floor((this.#lanes[lane.reference] ?? 0) * 90_000)
  }

  /** The newest release whose adoption has reached `u`. */
  #versionAt(u: number): number {
    for (let release = this.#adopted.length - 1; release > 0; release--) {
      if (u < (this.#adopted[release] ?? 0)) return this.#releaseVersions[release] ?? 0
    }
    return this.#releaseVersions[0] ?? 0
  }

  #effectOn(trace: Trace): Effect | undefined {
    if (this.#incidents.length === 0) return undefined
    const time = trace.midnight + trace.micros / microsPerMs
    for (const incident of this.#incidents) if (touches(incident, trace, time)) return incident.effect
    return undefined
  }

  #drawOutcome(agent: Agent): void {
    const { trace } = this
    const { profile } = this.#source
    trace.model = trace.requestedModel
    const effect = this.#failOver(this.#effectOn(trace))
    const slot = Math.floor(trace.micros / slotMicros)
    const weather = this.#pressure[(providerOf[trace.model] ?? 0) * slotsPerDay + slot] ?? 1
    const traits = trace.environment * versions.length + trace.version
    const pressure = weather * (this.#failureFactor[traits] ?? 1)
    const factor = (this.#rush[slot >> 2] ?? 1) * (effect?.latencyFactor ?? 1)
    const pace = factor * agent.latencyFactor * (this.#latencyFactor[traits] ?? 1)

    const place = trace.intent * models.length + trace.model
    const usual = Math.exp((this.#latencyMu[place] ?? 0) + profile.latency.sigma * (this.#normals[lane.latency] ?? 0))
    const u = this.#lanes[lane.outcome] ?? 0
    const timeouts = profile.failures.timeout * pressure
    const background = timeouts + profile.failures.error * pressure
    const caused = background + (effect?.failures ?? 0)
    trace.status = u < timeouts || usual * pace >= profile.latency.capMs ? 2 : u < caused ? 1 : 0
    if (trace.status === 1)
      trace.failure = u < background ? failureChoice.at(this.#lanes[lane.kind] ?? 0) : failureIndex(effect)
    trace.latencyMs = this.#latencyOf(usual * pace)
    this.#drawTokens(place, usual, pace, effect?.tokensFactor ?? 1)
  }

  /** Sends a request elsewhere when its provider is down and that has been noticed; a tenth is never noticed. */
  #failOver(effect: Effect | undefined): Effect | undefined {
    if (effect === undefined || effect.failoverFrom === Number.POSITIVE_INFINITY) return effect
    const { trace } = this
    const isNoticed = trace.midnight + trace.micros / microsPerMs >= effect.failoverFrom
    if (!isNoticed || (this.#lanes[lane.retry] ?? 0) >= 0.9) return effect
    trace.model = substituteOf[trace.requestedModel] ?? trace.requestedModel
    return undefined
  }

  #latencyOf(latency: number): number {
    const { trace } = this
    const { floorMs, capMs } = this.#source.profile.latency
    if (trace.status === 2) return capMs
    const factor = trace.status === 1 ? (failureLatency[trace.failure] ?? 1) : 1
    return Math.min(capMs - 1, Math.max(floorMs, Math.round(latency * factor)))
  }

  /**
   * Tokens that agree with the latency: what is left of it behind the first token is
   * the time the others took, at the speed of the model. `usual` is the latency before
   * `pace`, by which agent, environment, version, hour and incident change it.
   */
  #drawTokens(place: number, usual: number, pace: number, tokensFactor: number): void {
    const { trace } = this
    const model = models[trace.model]
    if (!model) return
    if (!this.#isRetry) trace.tokensInput = this.#inputTokens(tokensFactor)
    trace.tokensCached = model.cachedMicros === undefined ? 0 : this.#cachedTokens()
    trace.firstTokenMs = 0
    trace.tokensOutput = 0
    trace.tokensReasoning = 0
    if (trace.status === 0) {
      const spread = Math.max(0.2, 1 + 0.2 * (this.#normals[lane.firstToken] ?? 0))
      const share = Math.min(0.95, (this.#firstTokenShare[place] ?? 0) * spread)
      const speed = model.tokensPerSecond * Math.max(0.5, 1 + 0.1 * (this.#normals[lane.speed] ?? 0))
      trace.firstTokenMs = Math.max(1, Math.min(trace.latencyMs - 1, Math.round(usual * share * pace)))
      trace.tokensOutput = Math.max(fewestOutputTokens, Math.round((usual * (1 - share) * speed) / 1000))
      if (model.reasoning !== undefined) {
        const thought = model.reasoning * (0.6 + 0.8 * (this.#lanes[lane.reasoning] ?? 0))
        trace.tokensReasoning = Math.floor((trace.tokensOutput - fewestOutputTokens) * thought)
      }
      trace.answerDraw = this.#lanes[lane.answer] ?? 0
    }
    trace.costMicros = costMicros(model, trace.tokensInput, trace.tokensCached, trace.tokensOutput)
  }

  /** Each further turn brings along what was said before. */
  #inputTokens(tokensFactor: number): number {
    const { trace } = this
    const mu = this.#inputMu[trace.intent] ?? 0
    const history = 1 + 0.22 * Math.min(8, trace.turn)
    return Math.max(
      1,
      Math.round(Math.exp(mu + inputSigma * (this.#normals[lane.input] ?? 0)) * history * tokensFactor),
    )
  }

  /** Instructions are in the cache when somebody asked a moment ago, and so is the conversation from its second turn on. */
  #cachedTokens(): number {
    const { trace } = this
    const chance = trace.turn > 0 || trace.attempt > 1 ? 0.85 : 0.4
    const u = (this.#lanes[lane.cached] ?? 0) / chance
    if (u >= 1 || trace.tokensInput < fewestCachedTokens) return 0
    return Math.floor((trace.tokensInput * (0.35 + 0.55 * u)) / cacheBlock) * cacheBlock
  }

  /** Whether the next trace is another attempt at this request: most failures that may pass are tried again. */
  #isTriedAgain(n: number): boolean {
    const { trace } = this
    if (trace.status === 0 || n + 1 >= this.#conversationEnd || trace.attempt >= mostAttempts) return false
    if (trace.status === 1 && !isTransient[trace.failure]) return false
    if (trace.micros + (trace.latencyMs + longestBackoffMs) * microsPerMs > this.#last) return false
    return (this.#lanes[lane.retry] ?? 0) < retriedShare
  }
}

const retriedShare = 0.85
const longestBackoffMs = 8_000

/** Of the conversations of agents that work through lists, so many are begun by a clock. */
const scheduledShare = 0.4
const longestDelayMs = 20_000

/** An answer has at least as many tokens as a sentence. */
export const fewestOutputTokens = 24

/** Providers cache prompts from a length on, in blocks. */
const fewestCachedTokens = 1024
const cacheBlock = 64

/** Standard deviation of the logarithm of input tokens within an intent. */
const inputSigma = 0.6

function touches(incident: PlannedIncident, trace: Trace, time: number): boolean {
  if (time < incident.from || time >= incident.to) return false
  if (incident.agents && !incident.agents.has(trace.agent)) return false
  if (incident.provider && incident.provider !== models[trace.requestedModel]?.provider) return false
  return !incident.version || incident.version === versions[trace.version]
}

/** The numbers of the first block as quantiles of the standard normal distribution. */
function normalsOf(lanes: Float64Array, normals: Float64Array): void {
  for (let i = 0; i < blockSize; i++) normals[i] = normalQuantile((lanes[i] ?? 0) + unit / 2)
}

function failureIndex(effect: Effect | undefined): number {
  return Math.max(
    0,
    failureKinds.findIndex(({ name }) => name === effect?.failureKind),
  )
}
