import { logistic } from '../distributions.js'
import type { Profile, Rollback, Rollout } from './profiles.js'

/** Where in its ramp the last canary step gives way to general adoption, and how steep that is. */
const generalFrom = 0.4
const midpoint = 0.7
const width = 0.06
const settledFrom = 2

/**
 * The share of traffic that has moved to a release or a later one.
 *
 * `time` and the release's date are shares of the window. Canary steps first, then a
 * logistic curve from the last step up to everybody: the S-curve of adoption (E. M.
 * Rogers, Diffusion of Innovations, 1962).
 */
export function adoption(rollout: Rollout, release: number, time: number): number {
  if (release === 0) return 1
  const age = (time - (rollout.releases[release]?.at ?? 0)) / rollout.ramp
  if (age < 0) return 0
  // The curve differs from 1 by less than a draw of 32 bits can tell.
  if (age >= settledFrom) return 1
  let step = 0
  for (const { after, share } of rollout.canary) if (after <= age) step = share
  return age < generalFrom ? step : step + (1 - step) * logistic(age, midpoint, width)
}

/** The age of a release, in ramps, from which on its adoption exceeds `share`: the inverse of the curve. */
export function ageOfAdoption({ canary }: Rollout, share: number): number {
  let step = 0
  for (const { after, share: next } of canary) {
    if (share < step) break
    if (share < next) return after
    step = next
  }
  const rest = (share - step) / (1 - step)
  const age = midpoint + width * Math.log(rest / (1 - rest))
  return Math.min(settledFrom, Math.max(generalFrom, age))
}

/** When, as a share of the window, each release is first seen anywhere. @param delays of the releases. */
export function firstSeen({ rollout, environments }: Profile, delays: readonly number[]): readonly number[] {
  const lead = earliestLead(environments)
  return rollout.releases.map(({ at }, release) => (release === 0 ? 0 : at + (delays[release] ?? 0) - lead))
}

/** How much earlier than production the earliest environment gets a version. */
export function earliestLead(environments: Profile['environments']): number {
  return Math.max(...Object.values(environments).map(({ lead }) => lead))
}

/** When, as a share of the window, half of the traffic has moved to a release. */
export function generalAvailability(rollout: Rollout, release: number): number {
  return release === 0 ? 0 : (rollout.releases[release]?.at ?? 0) + rollout.ramp * midpoint
}

/** Whether a release is rolled back at a time, everywhere at once. */
export function isRolledBack(rollback: Rollback | undefined, release: number, time: number): boolean {
  return rollback !== undefined && release === rollback.release && time >= rollback.from && time < rollback.to
}
