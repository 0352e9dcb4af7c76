import type { RunSettings } from '../pack.js'
import { longestLag, primaryIntents } from './agents.js'
import { isWeekend } from './calendar.js'
import { departments } from './departments.js'
import { describedColumn, describedShares, describeRun } from './description.js'
import { traceSourceOf } from './pack.js'
import { isProfileName, type Profile } from './profiles.js'
import { adoption, earliestLead, firstSeen } from './rollout.js'
import type { TraceSource } from './trace-source.js'
import { conversationSizes } from './trace-tables.js'

/** What the plan of a run promises of its rows. */
export interface ExpectedOfRun {
  readonly traces: number
  readonly agents: readonly [number, number]
  readonly agentsPerDepartment: readonly [number, number]
  readonly perAgentDay: readonly [number, number]
  readonly weekend: readonly [number, number]
  readonly businessHours: number
  readonly environments: Readonly<Record<string, number>>
  readonly departments: Readonly<Record<string, number>>
  readonly intents: Readonly<Record<string, number>>
  readonly primaryIntents: Readonly<Record<string, readonly string[]>>
  readonly rollout: {
    readonly versions: readonly string[]
    adoption(version: number, time: number): number
    readonly earliest: number
    readonly latest: number
    readonly firstSeen: readonly number[]
  }
  readonly failures: number
  readonly meanLatencyMs: number
  readonly meanCostUsd?: number | undefined
  readonly users: { readonly count: number; readonly segments: Readonly<Record<string, number>> }
  readonly evaluations: number
  readonly designEffect: number
}

/** Reads what a run promises off its plan; undefined for a profile that this version of obs does not know. */
export function expectedOf(run: RunSettings): ExpectedOfRun | undefined {
  if (!isProfileName(run.profile)) return undefined
  const source = traceSourceOf(run)
  const { profile, volume } = source
  const { targets } = profile
  const tables = describeRun(run)
  const sharesIn = (column: string) => describedShares(tables, 'traces', column)
  return {
    traces: volume.total,
    agents: profile.fleet.total,
    agentsPerDepartment: profile.fleet.perDepartment,
    perAgentDay: perAgentDay(source),
    weekend: profile.volume.weekend,
    businessHours: leastBusinessHours,
    environments: sharesIn('environment_id'),
    departments: sharesIn('department_id'),
    intents: sharesIn('intent_category'),
    primaryIntents: Object.fromEntries(
      departments.map(({ code }, i) => [code, [...new Set(primaryIntents(profile, i))]]),
    ),
    rollout: rolloutOf(source),
    failures: 1 - describedColumn(tables, 'traces', 'error').nulls,
    meanLatencyMs: targets.meanLatencyMs,
    meanCostUsd: targets.meanCostUsd,
    users: { count: profile.users.count, segments: describedShares(tables, 'users', 'user_segment') },
    evaluations: profile.evaluations.share,
    designEffect: designEffectOf(profile),
  }
}

/** People at work send at least so many times as much in an hour from 9 to 17 as in another of a working day. */
const leastBusinessHours = 1.5

/** The fewest and the most traces that an agent has on a working day that lies in the window as a whole. */
function perAgentDay({ volume, population }: TraceSource): [number, number] {
  let least = Number.POSITIVE_INFINITY
  let most = 0
  for (let day = volume.firstDay; day < volume.firstDay + volume.dayCount; day++) {
    const { from, to } = volume.part(day)
    if (isWeekend(day) || from > 0 || to < 1) continue
    for (const agent of population.agents) {
      const count = volume.count(agent.index, day)
      least = Math.min(least, count)
      most = Math.max(most, count)
    }
  }
  return [least === Number.POSITIVE_INFINITY ? 0 : least, most]
}

function rolloutOf({ profile, calibration }: TraceSource): ExpectedOfRun['rollout'] {
  const { rollout, environments } = profile
  const delayOf = (release: number) => calibration().delays[release] ?? 0
  return {
    versions: rollout.releases.map(({ version }) => version),
    adoption: (version, time) => adoption(rollout, version, time - delayOf(version)),
    earliest: earliestLead(environments),
    firstSeen: firstSeen(profile, calibration().delays),
    // While a release is rolled back it is behind the curve by as much more.
    latest: longestLag + (rollout.rollback ? rollout.rollback.to - rollout.rollback.from : 0),
  }
}

/**
 * The rows of a conversation share what they are about, so that shares scatter as if
 * there were fewer of them: by the mean size of the conversation that a row is in
 * (L. Kish, Survey Sampling, 1965). Agents and days add about as much again.
 */
function designEffectOf(profile: Profile): number {
  const sizes = conversationSizes(profile)
  const total = sizes.reduce((sum, weight, i) => sum + weight * (i + 1), 0)
  return (2 * sizes.reduce((sum, weight, i) => sum + weight * (i + 1) ** 2, 0)) / total
}
