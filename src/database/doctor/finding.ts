export type FindingStatus = 'ok' | 'warn' | 'fail'

/** One thing that was looked at. */
export interface Finding {
  /** Stable kebab-case name, for scripts. */
  readonly id: string
  readonly status: FindingStatus
  /** What there is, as a person would say it. */
  readonly observed: string
  /** What to do about it; null when nothing needs doing. */
  readonly remedy: string | null
}

export function ok(id: string, observed: string): Finding {
  return { id, status: 'ok', observed, remedy: null }
}

export function warn(id: string, observed: string, remedy: string): Finding {
  return { id, status: 'warn', observed, remedy }
}

export function fail(id: string, observed: string, remedy: string): Finding {
  return { id, status: 'fail', observed, remedy }
}
