import type { Severity } from './check.js'

export type Status = 'passed' | 'failed' | 'warned' | 'skipped'

/** What a run found; the JSON form of the report, word for word. */
export interface ValidationResult {
  readonly summary: {
    readonly passed: number
    readonly failed: number
    readonly warned: number
    readonly skipped: number
    readonly duration_ms: number
  }
  readonly checks: readonly CheckResult[]
}

export interface CheckResult {
  readonly id: string
  readonly suite: string
  readonly severity: Severity
  readonly status: Status
  /** Why it was skipped, or why it could not be carried out; null otherwise. */
  readonly reason: string | null
  readonly expected: string
  /** What was seen; null when nothing was. */
  readonly observed: string | null
  readonly rows_failing: number | null
  /** Ids or keys of up to five failing rows. */
  readonly sample: readonly string[]
  /** A scan that several checks share counts for the first of them. */
  readonly duration_ms: number
}
