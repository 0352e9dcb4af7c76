import type { Intent } from './departments.js'

/** The traits of a generated history; a profile is data and nothing else. */
export interface Profile {
  readonly name: ProfileName
  readonly description: string
  readonly fleet: {
    /** Agents of a department. */
    readonly perDepartment: readonly [low: number, high: number]
    /** Agents of all departments. */
    readonly total: readonly [low: number, high: number]
    /** What agents of a type are asked about, where it is not what `departments` says. */
    readonly intents?: Readonly<Record<string, Intent>>
  }
  /** Workspaces that are filled at once; one when it is missing. */
  readonly tenants?: {
    readonly count: number
    /** Of Zipf's law of traffic over the workspaces. */
    readonly exponent: number
    /** Fleets by the share of the traffic, largest first: the fleet of the first `from` that is reached. */
    readonly fleets: readonly {
      readonly from: number
      readonly perDepartment: readonly [low: number, high: number]
      readonly total: readonly [low: number, high: number]
    }[]
    /**
     * The users of the first workspace are those of the profile, of others fewer with the root of
     * their share; but 100 at least, of whom each department gets a power user who is always there.
     */
    readonly fewestUsers: number
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
    /** Shape of the gamma distribution of a department's days around their mean: the smaller, the more they differ. */
    readonly shape: number
    /** Exactly so many traces in so many days, whatever the fleet. */
    readonly exactly?: { readonly traces: number; readonly days: number }
    /** Exactly this share of the traces, by department code. */
    readonly departments?: Readonly<Record<string, number>>
  }
  /** Requests come in conversations. */
  readonly sessions: {
    /** Requests of a conversation beyond its first: negative binomial with this mean and shape, cut at the longest. */
    readonly further: number
    readonly shape: number
    readonly longest: number
    /** From an answer to the next request, on average: gamma-distributed with shape 2. */
    readonly pauseMs: number
  }
  /** Relative traffic of the 24 hours of a UTC day. */
  readonly hours: readonly number[]
  readonly environments: Readonly<Record<EnvironmentCode, EnvironmentTraits>>
  readonly rollout: Rollout
  readonly latency: {
    /** Standard deviation of the logarithm within one model and intent. */
    readonly sigma: number
    readonly floorMs: number
    /** A request is given up after this long. */
    readonly capMs: number
    /** How much slower than on average the busiest hour is. */
    readonly rush: number
  }
  /** Of the background failures, how many are errors and how many time-outs, in any unit. */
  readonly failures: { readonly error: number; readonly timeout: number }
  /** What the whole history adds up to, incidents included. */
  readonly targets: Targets
  readonly users: {
    readonly count: number
    /** Of Zipf's law of requests over the users of a department. */
    readonly exponent: number
  }
  readonly evaluations: { readonly share: number }
  /** Prompts, and answers, that one intent of one department draws from. */
  readonly texts: { readonly perIntent: number }
}

/** Sums and shares of a history that its generator is tuned to. */
export interface Targets {
  readonly meanLatencyMs: number
  /** Share of the traces that fail. */
  readonly failureShare: number
  /** Mean cost of a trace in US dollars; otherwise it is what the tokens cost. */
  readonly meanCostUsd?: number
  /** Exactly this share of the traces, by version; the dates of the rollout follow from them. */
  readonly versions?: Readonly<Partial<Record<Version, number>>>
  /** The share of the traces by intent. */
  readonly intents?: Readonly<Partial<Record<Intent, number>>>
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
  /** A release that was taken back for a while because its canary failed. */
  readonly rollback?: Rollback
}

/** Times are shares of the window. */
export interface Rollback {
  /** Index into the releases. */
  readonly release: number
  /** When its canary began to fail. */
  readonly failsFrom: number
  /** From here on nothing ran it, until it came back repaired. */
  readonly from: number
  readonly to: number
}

export const environmentCodes = ['production', 'staging', 'development'] as const
export type EnvironmentCode = (typeof environmentCodes)[number]

export const versions = ['v1.8', 'v1.9', 'v2.0', 'v2.1'] as const
export type Version = (typeof versions)[number]

export const profileNames = ['demo', 'phase1', 'load', 'multi-tenant'] as const
export type ProfileName = (typeof profileNames)[number]

const demo: Profile = {
  name: 'demo',
  description: 'ten departments at work: 350,000 to 500,000 traces in 90 days, with incidents to find',
  fleet: { perDepartment: [8, 12], total: [80, 100] },
  volume: { perAgentDay: [50, 200], exponent: 4, weekend: [0.2, 0.3], growth: 0.1, shape: 120 },
  sessions: { further: 1.8, shape: 0.9, longest: 16, pauseMs: 40_000 },
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
    rollback: { release: 2, failsFrom: 0.35, from: 0.36, to: 0.376 },
  },
  latency: { sigma: 0.55, floorMs: 40, capMs: 30_000, rush: 0.08 },
  failures: { error: 0.022, timeout: 0.006 },
  targets: { meanLatencyMs: 2450, failureShare: 0.035 },
  users: { count: 500, exponent: 1 },
  evaluations: { share: 0.1 },
  texts: { perIntent: 24 },
}

/** A run whose figures are known, and come out again. */
const phase1: Profile = {
  ...demo,
  name: 'phase1',
  description: 'a known run again: 87 agents and 346,262 traces in 90 days, with its shares, latency, errors and cost',
  fleet: {
    perDepartment: [8, 12],
    total: [87, 87],
    intents: {
      localizer: 'content_creation',
      'reply-translator': 'customer_support',
      'policy-helper': 'research',
      'policy-assistant': 'research',
    },
  },
  volume: {
    ...demo.volume,
    perAgentDay: [15, 200],
    exponent: 3,
    exactly: { traces: 346_262, days: 90 },
    departments: {
      ...{ operations: 0.1212, engineering: 0.1204, marketing: 0.1196, hr: 0.1106, product: 0.1074 },
      ...{ data: 0.0921, sales: 0.0896, support: 0.0867, finance: 0.0812, legal: 0.0712 },
    },
  },
  rollout: {
    releases: [
      { version: 'v1.9', at: 0 },
      { version: 'v2.0', at: -0.3 },
      { version: 'v2.1', at: -0.09 },
    ],
    ramp: 0.22,
    canary: demo.rollout.canary,
  },
  targets: {
    meanLatencyMs: 2626,
    failureShare: 0.0509,
    meanCostUsd: 7364.72 / 346_262,
    versions: { 'v2.1': 0.9219, 'v2.0': 0.0776, 'v1.9': 0.0005 },
    intents: {
      ...{ research: 0.2689, automation: 0.2392, data_analysis: 0.1956, content_creation: 0.1663 },
      ...{ code_generation: 0.0724, customer_support: 0.0517 },
    },
  },
}

const load: Profile = {
  ...demo,
  name: 'load',
  description: 'the same history at twenty times the volume, with fewer texts: millions of traces',
  volume: { ...demo.volume, perAgentDay: [1000, 4000] },
  texts: { perIntent: 8 },
}

/** Twenty customers: the first three have three fifths of the traffic. */
const multiTenant: Profile = {
  ...demo,
  name: 'multi-tenant',
  description: 'twenty workspaces, a few of them with most of the traffic: together about as much as the demo',
  tenants: {
    count: 20,
    exponent: 1.2,
    fleets: [
      { from: 0.08, perDepartment: [8, 12], total: [80, 100] },
      { from: 0.03, perDepartment: [5, 7], total: [50, 70] },
      { from: 0, perDepartment: [3, 4], total: [30, 40] },
    ],
    fewestUsers: 100,
  },
  texts: { perIntent: 8 },
}

const profiles: Readonly<Record<ProfileName, Profile>> = { demo, phase1, load, 'multi-tenant': multiTenant }

export function profileCalled(name: ProfileName): Profile {
  return profiles[name]
}

export function isProfileName(name: string): name is ProfileName {
  return Object.hasOwn(profiles, name)
}
