/** What the plan of a run declares of its rows, handed in by the caller: shares add up to 1. */
export interface DeclaredRun {
  /** By hour of the week, Monday 0:00 UTC first. */
  readonly hoursOfWeek: readonly number[]
  readonly departments: Readonly<Record<string, number>>
  readonly environments: Readonly<Record<string, number>>
  readonly intents: Readonly<Record<string, number>>
  /** By agent id. */
  readonly agents: Readonly<Record<string, number>>
  /** By UTC date, `2026-11-10`. */
  readonly days: Readonly<Record<string, number>>
  /** By version, the share of each model in its traffic. */
  readonly models: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Share of the traces that fail. */
  readonly failures: number
  /** Kinds of the failures that are no incident's, time-outs among them. */
  readonly failureKinds: Readonly<Record<string, number>>
  readonly evaluated: number
  readonly segments: Readonly<Record<string, number>>
  readonly versions: readonly string[]
  /** The share of the traffic that runs a version (by its place) or a later one; `time` is a share of the window. */
  adopted(version: number, time: number): number
  /** Rows that say as much as one independent row. */
  readonly designEffect: number
}
