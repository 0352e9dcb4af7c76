import type { Check, CheckContext, Suite } from '../check.js'

/** What the observability suites know of the data that obs generates, handed in by the caller. */
export interface ObservabilityFacts {
  readonly prices: readonly ModelPrice[]
  /** What each profile promises, by its name. */
  readonly profiles: Readonly<Record<string, ProfileFacts>>
  /** The three intents that most requests of a department are about, by its code. */
  readonly primaryIntents: Readonly<Record<string, readonly string[]>>
  /** The score from which a judged answer passes. */
  readonly passingScore: number
}

/** US dollars for a thousand tokens. */
export interface ModelPrice {
  readonly model: string
  readonly provider: string
  readonly input: number
  readonly output: number
}

export type Range = readonly [low: number, high: number]

/** What the rows of a run are expected to look like. */
export interface ProfileFacts {
  readonly agents: Range
  readonly agentsPerDepartment: Range
  /** Traces of one agent on one working day, before the run's scale. */
  readonly perAgentDay: Range
  /** A weekend day relative to a working day. */
  readonly weekend: Range
  /** An hour from 9 to 17 on a working day relative to its other hours, at least. */
  readonly businessHours: number
  /** Share of the traces by environment code. */
  readonly environments: Readonly<Record<string, number>>
  readonly rollout: RolloutFacts
  /** Share of the traces that failed. */
  readonly failures: Range
  readonly meanLatencyMs: Range
  readonly users: { readonly count: number; readonly segments: Readonly<Record<string, number>> }
  /** Share of the traces that were evaluated. */
  readonly evaluations: number
}

/** How versions follow each other; times are shares of the window. */
export interface RolloutFacts {
  /** Oldest first. */
  readonly versions: readonly string[]
  /** The share that has moved to a version (by its place) or a later one; it never falls. */
  adoption(version: number, time: number): number
  /** When each version is first seen anywhere. */
  readonly firstSeen: readonly number[]
  /** No environment is earlier than the curve by more than this. */
  readonly earliest: number
  /** No agent is later than the curve by more than this. */
  readonly latest: number
}

export type ObservabilityContext = CheckContext<ObservabilityFacts>
export type ObservabilityCheck = Check<ObservabilityFacts>
export type ObservabilitySuite = Suite<ObservabilityFacts>
