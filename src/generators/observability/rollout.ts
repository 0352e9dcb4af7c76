import { logistic } from '../distributions.js'
import type { Rollout } from './profiles.js'

/** Where in its ramp the last canary step gives way to general adoption, and how steep that is. */
const generalFrom = 0.4
const midpoint = 0.7
const width = 0.06

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
  let step = 0
  for (const { after, share } of rollout.canary) if (after <= age) step = share
  return age < generalFrom ? step : step + (1 - step) * logistic(age, midpoint, width)
}

/** When, as a share of the window, half of the traffic has moved to a release. */
export function generalAvailability(rollout: Rollout, release: number): number {
  return release === 0 ? 0 : (rollout.releases[release]?.at ?? 0) + rollout.ramp * midpoint
}
