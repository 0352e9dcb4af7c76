/** How well the rows of a run follow what was declared for them; the JSON form of the report, word for word. */
export interface FidelityReport {
  readonly run: {
    readonly run_id: string
    readonly profile: string
    readonly seed: number
    readonly scale: number
    readonly workspace_id: string
    readonly from: string
    readonly to: string
    readonly traces: number
    /** Faults that were planted into the run, so that it deviates on purpose. */
    readonly faults: readonly string[]
  }
  readonly summary: { readonly matches: number; readonly near: number; readonly off: number }
  readonly comparisons: readonly Comparison[]
  readonly pictures: Pictures
  readonly incidents: readonly { readonly from: string; readonly to: string; readonly summary: string }[]
}

/** `near` is a deviation that can be measured and hardly seen, `off` one that changes what the data say. */
export type FidelityVerdict = 'matches' | 'near' | 'off'

export interface Comparison {
  readonly id: string
  readonly title: string
  readonly bars: readonly Bar[]
  readonly statistic: { readonly name: 'χ²' | 'D'; readonly value: number; readonly degrees?: number }
  /** The chance of a statistic as large when the declared distribution holds. */
  readonly p: number
  /** How large the deviation is, whatever the number of rows. */
  readonly effect: { readonly name: 'w' | 'D'; readonly value: number; readonly near: number; readonly off: number }
  readonly verdict: FidelityVerdict
  /** What to know when reading it. */
  readonly note?: string
}

/** One value of a distribution, both as shares of 1. */
export interface Bar {
  readonly name: string
  readonly declared: number
  readonly landed: number
}

export interface Pictures {
  /** Traffic by hour of the week (Monday 0:00 UTC first), as shares of the week. */
  readonly hours: { readonly declared: readonly number[]; readonly landed: readonly number[] }
  /** Shares of the versions over the window. */
  readonly adoption: {
    readonly times: readonly string[]
    readonly versions: readonly {
      readonly name: string
      readonly declared: readonly number[]
      readonly landed: readonly number[]
    }[]
  }
  /** Traces by UTC day. */
  readonly days: { readonly dates: readonly string[]; readonly counts: readonly number[] }
  readonly latency: Histogram
  readonly tokensInput: Histogram
  readonly tokensOutput: Histogram
  /** Shares of the traffic that the busiest 1, 5, 10, 25 and 50 % of the users cause. */
  readonly users: readonly { readonly top: number; readonly share: number }[]
}

/** Counts between edges that grow by the same factor. */
export interface Histogram {
  /** One more than there are counts. */
  readonly edges: readonly number[]
  readonly counts: readonly number[]
  readonly median: number
  readonly p95: number
  readonly p99: number
  readonly unit: string
}
