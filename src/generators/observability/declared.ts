import type { RunSettings } from '../pack.js'
import { dayMs, hourMs } from './calendar.js'
import { expectedOf } from './expected.js'
import { failureKinds } from './failures.js'
import { modelShares } from './models.js'
import { traceSourceOf } from './pack.js'
import { environmentCodes, versions } from './profiles.js'
import { adoption, isRolledBack } from './rollout.js'
import type { TraceSource } from './traces.js'

/** What the plan of a run declares of its rows, distribution by distribution; shares add up to 1. */
export interface Declared {
  /** By hour of the week, Monday 0:00 UTC first. */
  readonly hoursOfWeek: readonly number[]
  readonly departments: Readonly<Record<string, number>>
  readonly environments: Readonly<Record<string, number>>
  readonly intents: Readonly<Record<string, number>>
  readonly agents: Readonly<Record<string, number>>
  readonly days: Readonly<Record<string, number>>
  readonly models: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly failures: number
  readonly failureKinds: Readonly<Record<string, number>>
  readonly evaluated: number
  readonly segments: Readonly<Record<string, number>>
  readonly versions: readonly string[]
  adopted(version: number, time: number): number
  readonly designEffect: number
}

/** Reads what a run declares off its plan; undefined for a profile that this version of obs does not know. */
export function declaredOf(run: RunSettings): Declared | undefined {
  const expected = expectedOf(run)
  if (!expected) return undefined
  const source = traceSourceOf(run)
  const { profile, population, volume } = source
  const days = Array.from({ length: volume.dayCount }, (_, i) => volume.firstDay + i)
  const total = (day: number) => population.agents.reduce((sum, { index }) => sum + volume.count(index, day), 0)
  return {
    hoursOfWeek: hoursOfWeek(source, days, total),
    departments: expected.departments,
    environments: expected.environments,
    intents: expected.intents,
    agents: shares(
      population.agents.map(({ agentId, index }) => [
        agentId,
        days.reduce((sum, day) => sum + volume.count(index, day), 0),
      ]),
    ),
    days: shares(days.map((day) => [new Date(day * dayMs).toISOString().slice(0, 10), total(day)])),
    models: Object.fromEntries(versions.map((version) => [version, modelShares(version)])),
    failures: expected.failures,
    failureKinds: kindsOf(profile.failures),
    evaluated: expected.evaluations,
    segments: expected.users.segments,
    versions: expected.rollout.versions,
    adopted: adoptedShare(source),
    designEffect: expected.designEffect,
  }
}

const hoursADay = 24

/** The planned traces of each day, spread over its hours as the profile says. */
function hoursOfWeek(
  { population, volume }: TraceSource,
  days: readonly number[],
  total: (day: number) => number,
): readonly number[] {
  const sums = Array.from({ length: 7 * hoursADay }, () => 0)
  for (const day of days) {
    const part = volume.part(day)
    // 1970-01-01 was a Thursday.
    const weekday = (((day + 3) % 7) + 7) % 7
    for (let hour = 0; hour < hoursADay; hour++) {
      const from = Math.max(part.from, population.curve.shareBefore(hour * hourMs))
      const to = Math.min(part.to, population.curve.shareBefore((hour + 1) * hourMs))
      const place = weekday * hoursADay + hour
      sums[place] = (sums[place] ?? 0) + (total(day) * Math.max(0, to - from)) / (part.to - part.from)
    }
  }
  const all = sums.reduce((sum, value) => sum + value, 0)
  return sums.map((value) => (all > 0 ? value / all : 0))
}

function kindsOf({ error, timeout }: { readonly error: number; readonly timeout: number }): Record<string, number> {
  const weights = failureKinds.reduce((sum, { weight }) => sum + weight, 0)
  return shares([
    ...failureKinds.map(({ name, weight }): [string, number] => [name, (error * weight) / weights]),
    ['timeout', timeout],
  ])
}

/** The share of the fleet that runs a release or a later one: the curve, for every agent's lag and environment's lead. */
function adoptedShare({ profile, population, calibration }: TraceSource): Declared['adopted'] {
  const { rollout, environments } = profile
  const lags = new Map<number, number>()
  for (const { lag, volume } of population.agents) lags.set(lag, (lags.get(lag) ?? 0) + volume)
  const all = [...lags.values()].reduce((sum, volume) => sum + volume, 0)
  const released = (release: number, elapsed: number, shift: number) => {
    if (isRolledBack(rollout.rollback, release, elapsed)) return 0
    return adoption(rollout, release, elapsed + shift - (calibration().delays[release] ?? 0))
  }
  return (version, time) => {
    const later = rollout.releases.map((_, release) => release).slice(version)
    let sum = 0
    for (const [lag, volume] of lags) {
      for (const code of environmentCodes) {
        const { share, lead } = environments[code]
        const most = later.reduce((greatest, release) => Math.max(greatest, released(release, time, lead - lag)), 0)
        sum += (volume / all) * share * most
      }
    }
    return sum
  }
}

function shares(counts: readonly (readonly [name: string, count: number])[]): Record<string, number> {
  const total = counts.reduce((sum, [, count]) => sum + count, 0)
  return Object.fromEntries(counts.map(([name, count]) => [name, total > 0 ? count / total : 0]))
}
