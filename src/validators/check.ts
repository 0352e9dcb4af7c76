import type { Session } from '../database/connect.js'
import type { Platform } from '../database/platform.js'
import type { Bind, RowRule } from './rows.js'

/** How much a violated check matters, the gravest first; only errors fail a run. */
export const severities = ['error', 'warning', 'info'] as const
export type Severity = (typeof severities)[number]

/**
 * What a check saw.
 *
 * A sample names rows by id or key and never shows what they say: a report may be
 * read by people who must not read prompts.
 */
export type Observation =
  | { readonly outcome: 'passed'; readonly observed: string }
  | {
      readonly outcome: 'violated'
      readonly observed: string
      readonly rowsFailing?: number
      readonly sample?: readonly string[]
    }
  | { readonly outcome: 'skipped'; readonly reason: string }

/** Work whose result several checks share; its identity is the function itself. */
export type Probe<Facts, T> = (context: CheckContext<Facts>) => Promise<T>

/** What a check may lean on: one read-only snapshot of the database, and the facts of its pack. */
export interface CheckContext<Facts> {
  /** A session inside the run's transaction, whose search_path is the schema of the pack alone. */
  readonly session: Session
  readonly schema: string
  readonly platform: Platform
  /** What the pack's data is expected to look like, handed in by the caller. */
  readonly facts: Facts
  /** The time of the snapshot, which is "now" for every check of the run. */
  readonly now: Date
  /** The result of `probe`, worked out when it is first asked for and kept for the run. */
  once<T>(probe: Probe<Facts, T>): Promise<T>
}

/** Everything there is to know about a check; lists, help and documentation are derived from it. */
export interface Check<Facts = unknown> {
  /** Stable, `<suite>.<what_holds>`; part of the report's contract. */
  readonly id: string
  readonly severity: Severity
  /** What goes wrong for people when it does not hold, in one line. */
  readonly description: string
  /** What has to hold, in words. */
  readonly expected: string
  run(context: CheckContext<Facts>): Promise<Observation>
  /** Present on a check about single rows, so that the engine can fuse it with others of the same table. */
  readonly rule?: RowRule<Facts>
  /**
   * A query with a text column `key` for every failing row, where the check can name them
   * all; scoring compares them with what is known to be wrong.
   */
  failing?(context: CheckContext<Facts>, bind: Bind): Promise<string> | string
}

/** A named set of checks that are asked for together. */
export interface Suite<Facts = unknown> {
  readonly name: string
  readonly description: string
  readonly checks: readonly Check<Facts>[]
}

export function passed(observed: string): Observation {
  return { outcome: 'passed', observed }
}

export function violated(observed: string, rowsFailing?: number, sample?: readonly string[]): Observation {
  return {
    outcome: 'violated',
    observed,
    ...(rowsFailing === undefined ? {} : { rowsFailing }),
    ...(sample === undefined ? {} : { sample }),
  }
}

export function skipped(reason: string): Observation {
  return { outcome: 'skipped', reason }
}

/** How many failing rows a report names. */
export const sampleSize = 5

/** Passes when `failures` is empty, else names the first few of them. */
export function nothingIn(failures: readonly string[], good: string, bad: (count: number) => string): Observation {
  if (failures.length === 0) return passed(good)
  return violated(bad(failures.length), failures.length, failures.slice(0, sampleSize))
}
