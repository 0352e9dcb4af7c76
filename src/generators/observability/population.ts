import { type Agent, makeAgents } from './agents.js'
import { type DayCurve, dayCurve } from './calendar.js'
import type { Profile } from './profiles.js'
import { makeUsers, type User } from './users.js'

/** Who and what is there, as opposed to what they do: shared by all runs of a workspace. */
export interface Population {
  /** What the population follows from, beside its profile and window. */
  readonly seed: number
  readonly agents: readonly Agent[]
  readonly users: readonly User[]
  readonly curve: DayCurve
}

export function makePopulation(profile: Profile, seed: number, from: number, to: number): Population {
  return {
    seed,
    agents: makeAgents(profile, seed),
    users: makeUsers(profile, seed, from, to),
    curve: dayCurve(profile.hours),
  }
}
