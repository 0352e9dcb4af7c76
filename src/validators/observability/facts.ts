import type { Check, CheckContext, Suite } from '../check.js'
import type { SeedRun } from './seed-runs.js'

/** What the observability suites know of the data that obs generates, handed in by the caller. */
export interface ObservabilityFacts {
  readonly prices: readonly ModelPrice[]
  /** What the plan of a run promises of its rows; undefined when its profile is none of this version of obs. */
  readonly expectedOf: (run: SeedRun) => RunFacts | undefined
  /** The score from which a judged answer passes. */
  readonly passingScore: number
}

/** US dollars for a thousand tokens. */
export interface ModelPrice {
  readonly model: string
  readonly provider: string
  readonly input: number
  /** For input tokens that the provider had in its cache. */
  readonly cached_input: number
  readonly output: number
}

export type Range = readonly [low: number, high: number]

/** What the rows of a run are expected to look like; it follows from the plan that they were made by. */
export interface RunFacts {
  readonly traces: number
  readonly agents: Range
  readonly agentsPerDepartment: Range
  /** The fewest and the most traces that an agent has on a whole working day. */
  readonly perAgentDay: Range
  /** A weekend day relative to a working day. */
  readonly weekend: Range
  /** An hour from 9 to 17 on a working day relative to its other hours, at least. */
  readonly businessHours: number
  /** Share of the traces by environment code. */
  readonly environments: Readonly<Record<string, number>>
  /** Share of the traces by department code: exactly what was planned. */
  readonly departments: Readonly<Record<string, number>>
  /** Share of the traces by intent. */
  readonly intents: Readonly<Record<string, number>>
  /** The intents that most requests of a department are about, by its code. */
  readonly primaryIntents: Readonly<Record<string, readonly string[]>>
  readonly rollout: RolloutFacts
  /** Share of the traces that failed. */
  readonly failures: number
  readonly meanLatencyMs: number
  /** In US dollars, where the profile says so. */
  readonly meanCostUsd?: number | undefined
  readonly users: { readonly count: number; readonly segments: Readonly<Record<string, number>> }
  /** Share of the traces that were evaluated. */
  readonly evaluations: number
  /** How many times more than those of independent rows shares scatter, because requests come in conversations. */
  readonly designEffect: number
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
