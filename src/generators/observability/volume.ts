import { gamma, poisson } from '../distributions.js'
import type { Stretch } from '../pack.js'
import { Random, streamKey } from '../random.js'
import type { Agent } from './agents.js'
import { type DayCurve, dayMs, epochDay, isWeekend } from './calendar.js'
import { departments } from './departments.js'
import type { Profile } from './profiles.js'

/** How many traces each agent has on each UTC day of the window; known before any is generated. */
export interface Volume {
  readonly firstDay: number
  readonly dayCount: number
  readonly total: number
  count(agent: number, day: number): number
  /** The part of the day that lies in the window, as shares of the day's traffic. */
  part(day: number): Stretch
}

/**
 * Plans the counts.
 *
 * A working day of an agent stays within the profile's bounds, a weekend day is a
 * quarter of one, and a day that the window cuts has the part of its traffic that
 * falls inside. The days of a department vary together (gamma), those of its agents on
 * their own (Poisson). Fractions are rounded up or down at random, so that a small
 * scale thins the history evenly instead of emptying its quiet hours.
 */
export function planVolume(
  profile: Profile,
  agents: readonly Agent[],
  window: Stretch,
  curve: DayCurve,
  run: { readonly runId: string; readonly scale: number },
): Volume {
  const firstDay = epochDay(window.from)
  const dayCount = epochDay(window.to - 1) - firstDay + 1
  const part = (day: number) => partOf(day, window, curve)
  const wanted = expectedCounts(profile, agents, { firstDay, dayCount, part }, run.runId)
  const { exactly } = profile.volume
  const days = (window.to - window.from) / dayMs
  const counts = exactly
    ? exactCounts(profile, agents, wanted, Math.round((exactly.traces * run.scale * days) / exactly.days))
    : roundedCounts(wanted, run)
  return {
    firstDay,
    dayCount,
    total: counts.reduce((sum, count) => sum + count, 0),
    part,
    count: (agent, day) => counts[(day - firstDay) * agents.length + agent] ?? 0,
  }
}

/** Traces of each agent and day at scale 1, agents innermost; not whole numbers where a day is cut. */
function expectedCounts(
  profile: Profile,
  agents: readonly Agent[],
  { firstDay, dayCount, part }: Pick<Volume, 'firstDay' | 'dayCount' | 'part'>,
  runId: string,
): Float64Array {
  const key = streamKey('volume', runId)
  const random = new Random()
  const wanted = new Float64Array(dayCount * agents.length)
  for (let i = 0; i < dayCount; i++) {
    const day = firstDay + i
    const { from, to } = part(day)
    const trend = 1 + profile.volume.growth * ((i + 0.5) / dayCount - 0.5)
    const busy = departments.map((_, department) => gamma(random.seat(key, department, day, 1), profile.volume.shape))
    for (const agent of agents) {
      random.seat(key, agent.index, day)
      const mean = agent.volume * trend * (busy[agent.department] ?? 1)
      wanted[i * agents.length + agent.index] = wholeDay(profile, mean, isWeekend(day), random) * (to - from)
    }
  }
  return wanted
}

function roundedCounts(
  wanted: Float64Array,
  { runId, scale }: { readonly runId: string; readonly scale: number },
): Uint32Array {
  const key = streamKey('volume rounding', runId)
  const random = new Random()
  return Uint32Array.from(wanted, (count, i) => Math.floor(count * scale + random.seat(key, i).uniform()))
}

/** Exactly `total` traces, and of each department exactly its share, dealt out in proportion to what is wanted. */
function exactCounts({ volume }: Profile, agents: readonly Agent[], wanted: Float64Array, total: number): Uint32Array {
  const sums = departments.map(() => 0)
  const departmentOf = (i: number) => agents[i % agents.length]?.department ?? 0
  wanted.forEach((count, i) => {
    sums[departmentOf(i)] = (sums[departmentOf(i)] ?? 0) + count
  })
  const all = sums.reduce((sum, count) => sum + count, 0)
  const shares = departments.map(({ code }, i) => volume.departments?.[code] ?? (sums[i] ?? 0) / all)
  const totals = apportion(shares, total)
  // What is dealt out so far of a department, before and after rounding.
  const due = departments.map(() => 0)
  const dealt = departments.map(() => 0)
  return Uint32Array.from(wanted, (count, i) => {
    const department = departmentOf(i)
    due[department] = (due[department] ?? 0) + (count * (totals[department] ?? 0)) / (sums[department] || 1)
    const next = Math.round((due[department] ?? 0) - (dealt[department] ?? 0))
    dealt[department] = (dealt[department] ?? 0) + next
    return next
  })
}

/** Whole numbers in proportion to shares that add up to `total`, by the largest remainders. */
function apportion(shares: readonly number[], total: number): number[] {
  const all = shares.reduce((sum, share) => sum + share, 0)
  const exact = shares.map((share) => (share * total) / all)
  const whole = exact.map(Math.floor)
  const left = total - whole.reduce((sum, count) => sum + count, 0)
  const remainders = exact.map((value, i) => ({ i, rest: value - Math.floor(value) })).sort((a, b) => b.rest - a.rest)
  for (const { i } of remainders.slice(0, left)) whole[i] = (whole[i] ?? 0) + 1
  return whole
}

function wholeDay({ volume }: Profile, mean: number, weekend: boolean, random: Random): number {
  const [low, high] = volume.perAgentDay
  if (weekend) return poisson(random, mean * random.between(...volume.weekend))
  return Math.min(high, Math.max(low, poisson(random, mean)))
}

function partOf(day: number, window: Stretch, curve: DayCurve): Stretch {
  const midnight = day * dayMs
  return {
    from: window.from <= midnight ? 0 : curve.shareBefore(window.from - midnight),
    to: window.to >= midnight + dayMs ? 1 : curve.shareBefore(window.to - midnight),
  }
}
