/** The traits of a generated history; a profile is data and nothing else. */
export interface Profile {
  readonly name: ProfileName
  readonly description: string
  readonly fleet: {
    /** Agents of a department. */
    readonly perDepartment: readonly [low: number, high: number]
    /** Agents of all departments. */
    readonly total: readonly [low: number, high: number]
  }
  readonly volume: {
    /** Traces of one agent on one working day, over all environments. */
    readonly perAgentDay: readonly [low: number, high: number]
    /** Of the Pareto distribution of volume over agents: the larger, the fewer busy ones. */
    readonly exponent: number
    /** A weekend day relative to a working day. */
    readonly weekend: readonly [low: number, high: number]
    /** Relative growth from the first to the last day of the window. */
    readonly growth: number
  }
  /** Relative traffic of the 24 hours of a UTC day. */
  readonly hours: readonly number[]
  readonly environments: Readonly<Record<EnvironmentCode, EnvironmentTraits>>
  readonly rollout: Rollout
  readonly latency: {
    /** Standard deviation of the logarithm within one model and intent. */
    readonly sigma: number
    readonly medianMs: number
    readonly floorMs: number
    /** A request is given up after this long. */
    readonly capMs: number
  }
  /** Background failures as shares of all requests, before environment, version and incidents. */
  readonly failures: { readonly error: number; readonly timeout: number }
  readonly users: { readonly count: number }
  readonly evaluations: { readonly share: number }
  /** Prompts, and answers, that one intent of one department draws from. */
  readonly texts: { readonly perIntent: number }
}

export interface EnvironmentTraits {
  readonly share: number
  readonly failureFactor: number
  readonly latencyFactor: number
  /** How much earlier than production a version arrives, as a share of the window. */
  readonly lead: number
}

/** How versions follow each other; times are shares of the window. */
export interface Rollout {
  /** Oldest first; the first one runs everywhere when the window opens. */
  readonly releases: readonly { readonly version: Version; readonly at: number }[]
  /** From release to general adoption. */
  readonly ramp: number
  /** Traffic sent to a new version before it is trusted: from `after` (a share of the ramp) on, `share`. */
  readonly canary: readonly { readonly after: number; readonly share: number }[]
}

export const environmentCodes = ['production', 'staging', 'development'] as const
export type EnvironmentCode = (typeof environmentCodes)[number]

export const versions = ['v1.8', 'v1.9', 'v2.0', 'v2.1'] as const
export type Version = (typeof versions)[number]

export const profileNames = ['demo', 'load'] as const
export type ProfileName = (typeof profileNames)[number]

const demo: Profile = {
  name: 'demo',
  description: 'ten departments at work: 350,000 to 500,000 traces in 90 days, with incidents to find',
  fleet: { perDepartment: [8, 12], total: [80, 100] },
  volume: { perAgentDay: [50, 200], exponent: 4, weekend: [0.2, 0.3], growth: 0.1 },
  hours: [1, 0.8, 0.6, 0.6, 0.8, 1.5, 3, 5, 8.5, 9, 9.5, 9, 8.2, 8.6, 9.2, 8.8, 7, 5.5, 4, 3.2, 2.8, 2.3, 1.8, 1.3],
  environments: {
    production: { share: 0.7, failureFactor: 0.85, latencyFactor: 1, lead: 0 },
    staging: { share: 0.2, failureFactor: 1.2, latencyFactor: 1.05, lead: 0.025 },
    development: { share: 0.1, failureFactor: 1.6, latencyFactor: 1.1, lead: 0.05 },
  },
  rollout: {
    releases: [
      { version: 'v1.8', at: 0 },
      { version: 'v1.9', at: 0.06 },
      { version: 'v2.0', at: 0.34 },
      { version: 'v2.1', at: 0.64 },
    ],
    ramp: 0.22,
    canary: [
      { after: 0, share: 0.05 },
      { after: 0.2, share: 0.2 },
    ],
  },
  latency: { sigma: 0.55, medianMs: 2000, floorMs: 40, capMs: 30_000 },
  failures: { error: 0.022, timeout: 0.006 },
  users: { count: 500 },
  evaluations: { share: 0.1 },
  texts: { perIntent: 24 },
}

const load: Profile = {
  ...demo,
  name: 'load',
  description: 'the same history at twenty times the volume, with fewer texts: millions of traces',
  volume: { ...demo.volume, perAgentDay: [1000, 4000] },
  texts: { perIntent: 8 },
}

const profiles: Readonly<Record<ProfileName, Profile>> = { demo, load }

export function profileCalled(name: ProfileName): Profile {
  return profiles[name]
}

export function isProfileName(name: string): name is ProfileName {
  return Object.hasOwn(profiles, name)
}
