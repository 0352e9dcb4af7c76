import type { Expected } from '../library/expected.js'
import type { RunSettings } from '../pack.js'
import { dayMs, hourMs } from './calendar.js'
import { describedColumn, describedShares, describeRun } from './description.js'
import { expectedOf } from './expected.js'
import { modelShares } from './models.js'
import { traceSourceOf } from './pack.js'
import { environmentCodes, versions } from './profiles.js'
import { adoption, isRolledBack } from './rollout.js'
import type { TraceSource } from './trace-source.js'

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
  const tables = describeRun(run)
  const { expected: curve } = describedColumn(tables, 'traces', 'timestamp')
  return {
    hoursOfWeek: weekOf(curve, source),
    departments: expected.departments,
    environments: expected.environments,
    intents: expected.intents,
    agents: describedShares(tables, 'traces', 'agent_id'),
    days: daysOf(curve, source),
    models: Object.fromEntries(versions.map((version) => [version, modelShares(version)])),
    failures: expected.failures,
    failureKinds: describedShares(tables, 'traces', 'error'),
    evaluated: expected.evaluations,
    segments: expected.users.segments,
    versions: expected.rollout.versions,
    adopted: adoptedShare(source),
    designEffect: expected.designEffect,
  }
}

const hoursOfWeek = 7 * 24

/** What the described curve has in each hour of the week, over the whole window. */
function weekOf(curve: Expected | undefined, { window }: TraceSource): readonly number[] {
  const sums = Array.from({ length: hoursOfWeek }, () => 0)
  if (curve?.kind !== 'curve') return sums
  for (let hour = Math.floor(window.from / hourMs); hour * hourMs < window.to; hour++) {
    // 1970-01-01 was a Thursday.
    const place = (((hour + 3 * 24) % hoursOfWeek) + hoursOfWeek) % hoursOfWeek
    const share = curve.cdf((hour + 1) * hourMs * 1000) - curve.cdf(hour * hourMs * 1000)
    sums[place] = (sums[place] ?? 0) + share
  }
  return sums
}

function daysOf(curve: Expected | undefined, { volume }: TraceSource): Record<string, number> {
  if (curve?.kind !== 'curve') return {}
  const days = Array.from({ length: volume.dayCount }, (_, i) => volume.firstDay + i)
  const micros = dayMs * 1000
  return Object.fromEntries(
    days.map((day) => [
      new Date(day * dayMs).toISOString().slice(0, 10),
      curve.cdf((day + 1) * micros) - curve.cdf(day * micros),
    ]),
  )
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
