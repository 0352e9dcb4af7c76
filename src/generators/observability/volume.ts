import { poisson } from '../distributions.js'
import type { Stretch } from '../pack.js'
import { Random, streamKey } from '../random.js'
import type { Agent } from './agents.js'
import { type DayCurve, dayMs, epochDay, isWeekend } from './calendar.js'
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
 * falls inside. Fractions are rounded up or down at random, so that a small scale
 * thins the history evenly instead of emptying its quiet hours.
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
  const key = streamKey('volume', run.runId)
  const random = new Random()
  const counts = new Uint32Array(dayCount * agents.length)
  const part = (day: number) => partOf(day, window, curve)
  let total = 0
  for (let i = 0; i < dayCount; i++) {
    const day = firstDay + i
    const { from, to } = part(day)
    const trend = 1 + profile.volume.growth * ((i + 0.5) / dayCount - 0.5)
    for (const agent of agents) {
      random.seat(key, agent.index, day)
      const whole = wholeDay(profile, agent.volume * trend, isWeekend(day), random)
      const count = Math.floor(whole * run.scale * (to - from) + random.uniform())
      counts[i * agents.length + agent.index] = count
      total += count
    }
  }
  return {
    firstDay,
    dayCount,
    total,
    part,
    count: (agent, day) => counts[(day - firstDay) * agents.length + agent] ?? 0,
  }
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
