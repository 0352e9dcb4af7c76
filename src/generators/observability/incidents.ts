import type { Incident, Stretch } from '../pack.js'
import { Random, type StreamKey, streamKey } from '../random.js'
import type { Agent } from './agents.js'
import { dayMs, epochDay, hourMs, isWeekend } from './calendar.js'
import { departments } from './departments.js'
import { priceTable } from './prices.js'
import type { Profile } from './profiles.js'

/** An incident with what it does to the requests it touches. */
export interface PlannedIncident {
  readonly incident: Incident
  readonly from: number
  readonly to: number
  /** Which requests are touched; what is undefined does not matter. */
  readonly agents?: ReadonlySet<number>
  readonly provider?: string
  readonly version?: string
  readonly effect: Effect
}

export interface Effect {
  /** Added to the probability of a failure. */
  readonly failures: number
  /** The kind of these failures. */
  readonly failureKind: 'rate_limit' | 'server_error' | 'tool_error'
  readonly latencyFactor: number
  readonly tokensFactor: number
  /** Added to quality scores. */
  readonly quality: number
  /** From this time on most requests go to the substitutes of the models they asked for. */
  readonly failoverFrom: number
}

const noEffect: Effect = {
  failoverFrom: Number.POSITIVE_INFINITY,
  failures: 0,
  failureKind: 'server_error',
  latencyFactor: 1,
  tokensFactor: 1,
  quality: 0,
}

/** No incident takes more of the window than this, so that a short window is not all incident. */
const longestShare = 1 / 40

/** One incident of each kind is planned for every stretch of this many days. */
const seasonDays = 90

/**
 * The incidents of a workspace in a run: a function of their keys, its window and its fleet, in order of time.
 *
 * @param mark of the run, which outages follow from: a provider is down for all workspaces at once.
 */
export function planIncidents(
  profile: Profile,
  agents: readonly Agent[],
  window: Stretch,
  { runId, mark }: { readonly runId: string; readonly mark: string },
): readonly PlannedIncident[] {
  const key = streamKey('incidents', runId)
  const common = streamKey('incidents', mark)
  const seasons = Math.max(1, Math.round((window.to - window.from) / (seasonDays * dayMs)))
  const recurring = Array.from({ length: seasons }, (_, season) => {
    const length = (window.to - window.from) / seasons
    const stretch = { from: window.from + season * length, to: window.from + (season + 1) * length }
    return [
      latencySpike(agents, stretch, seated(key, 0, season)),
      errorBurst(agents, stretch, seated(key, 1, season)),
      providerOutage(stretch, seated(common, 2, season)),
      costRunaway(agents, stretch, seated(key, 3, season)),
    ]
  })
  return [...badCanary(profile, window), ...recurring.flat()].sort((a, b) => a.from - b.from)
}

function latencySpike(agents: readonly Agent[], season: Stretch, random: Random): PlannedIncident {
  const department = random.integer(departments.length)
  const { code } = departments[department] ?? { code: '' }
  const { from, to } = workingHours(season, random.between(0.1, 0.2), 6)
  const members = agents.filter((agent) => agent.department === department)
  return {
    from,
    to,
    agents: indexes(members),
    effect: { ...noEffect, latencyFactor: 3.2, quality: -4 },
    incident: describe(
      'latency_spike',
      from,
      to,
      { department: code },
      `the agents of ${code} answered about three times slower than usual`,
    ),
  }
}

function errorBurst(agents: readonly Agent[], season: Stretch, random: Random): PlannedIncident {
  const department = random.integer(departments.length)
  const type = random.integer(3)
  const { code, types } = departments[department] ?? { code: '', types: [] }
  const members = agents.filter((agent) => agent.department === department && agent.type === type)
  const { from, to } = workingHours(season, random.between(0.3, 0.45), 4)
  return {
    from,
    to,
    agents: indexes(members),
    effect: { ...noEffect, failures: 0.35, failureKind: 'tool_error', quality: -10 },
    incident: describe(
      'error_burst',
      from,
      to,
      { department: code, agents: members.map(({ agentId }) => agentId) },
      `a third of the requests to the ${types[type]?.name} agents of ${code} failed with tool errors`,
    ),
  }
}

function providerOutage(season: Stretch, random: Random): PlannedIncident {
  const providers = [...new Set(priceTable.models.map(({ provider }) => provider))].slice(0, 3)
  const provider = providers[random.integer(providers.length)] ?? ''
  const { from, to } = workingHours(season, random.between(0.5, 0.6), 1.5)
  return {
    from,
    to,
    provider,
    effect: {
      ...noEffect,
      failures: 0.85,
      failureKind: 'server_error',
      latencyFactor: 1.5,
      failoverFrom: from + (to - from) * failoverAfter,
    },
    incident: describe(
      'provider_outage',
      from,
      to,
      { provider },
      `${provider} was down and most requests to its models failed, until a third of the way in most were sent to other providers`,
    ),
  }
}

function costRunaway(agents: readonly Agent[], season: Stretch, random: Random): PlannedIncident {
  const candidates = agents.filter(({ home }) => home === 'production')
  const agent = candidates[random.integer(candidates.length)]
  const agentId = agent?.agentId ?? ''
  const { from, to } = workingHours(season, random.between(0.78, 0.88), 36)
  return {
    from,
    to,
    agents: indexes(agent ? [agent] : []),
    effect: { ...noEffect, tokensFactor: 9, latencyFactor: 1.6 },
    incident: describe(
      'cost_runaway',
      from,
      to,
      { agents: [agentId] },
      `${agentId} resent its whole history with every request and cost about nine times as much`,
    ),
  }
}

/** The share of an outage that passes before requests are sent elsewhere. */
const failoverAfter = 1 / 3

/** A release whose canary fails and is rolled back, where the profile has one. */
function badCanary({ rollout }: Profile, window: Stretch): PlannedIncident[] {
  const { rollback, releases } = rollout
  if (!rollback) return []
  const version = releases[rollback.release]?.version ?? ''
  const at = (share: number) => Math.floor((window.from + share * (window.to - window.from)) / 1000) * 1000
  const [from, to] = [at(rollback.failsFrom), at(rollback.from)]
  const incident = describe(
    'bad_canary',
    from,
    to,
    { version },
    `the canary of ${version} failed more than a quarter of its requests and was rolled back; it came back repaired on ${minute(at(rollback.to))}`,
  )
  const effect: Effect = { ...noEffect, failures: 0.28, failureKind: 'tool_error', latencyFactor: 1.8, quality: -18 }
  return [{ from, to, version, effect, incident }]
}

function minute(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace('T', ' ')
}

/** `hours` from 9:00 UTC on the working day nearest after a point of the stretch, shortened to fit a short one. */
function workingHours(stretch: Stretch, share: number, hours: number): Stretch {
  const length = stretch.to - stretch.from
  const wanted = stretch.from + share * length
  const duration = Math.min(hours * hourMs, length * longestShare)
  let day = epochDay(wanted)
  while (isWeekend(day)) day++
  const nine = day * dayMs + 9 * hourMs
  const fits = nine >= stretch.from && nine + duration <= stretch.to
  const from = Math.floor((fits ? nine : wanted) / 1000) * 1000
  return { from, to: Math.floor(Math.min(from + duration, stretch.to) / 1000) * 1000 }
}

function describe(kind: string, from: number, to: number, affected: Incident['affected'], happened: string): Incident {
  const start = new Date(from).toISOString()
  const end = new Date(to).toISOString()
  const until = start.slice(0, 10) === end.slice(0, 10) ? end.slice(11, 16) : `${end.slice(0, 10)} ${end.slice(11, 16)}`
  return {
    kind,
    from: start,
    to: end,
    affected,
    summary: `On ${start.slice(0, 10)} from ${start.slice(11, 16)} to ${until} UTC ${happened}.`,
  }
}

function seated(key: StreamKey, kind: number, season: number): Random {
  return new Random().seat(key, kind, season)
}

function indexes(agents: readonly Agent[]): ReadonlySet<number> {
  return new Set(agents.map(({ index }) => index))
}
