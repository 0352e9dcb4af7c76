import type { CheckContext } from '../check.js'

/** What the recorded runs of a plan declare of the tables that they filled, handed in by the caller. */
export interface PlanFacts {
  readonly tables: readonly PlannedTable[]
}

export interface PlannedTable {
  readonly table: string
  /** Rows that the runs left, as the ledger has it. */
  readonly rows: number
  readonly columns: readonly PlannedColumn[]
}

export interface PlannedColumn {
  readonly name: string
  /** The generator and what it declares, in words. */
  readonly words: string
  /** The share of rows with null. */
  readonly nulls: number
  /** Undefined where a generator promises nothing of how its values are spread. */
  readonly spread?: PlannedShares | PlannedCurve | undefined
}

/** Few values, by their text, each with its share of the rows that have one. */
export interface PlannedShares {
  readonly kind: 'shares'
  readonly shares: Readonly<Record<string, number>>
}

export interface PlannedCurve {
  readonly kind: 'curve'
  /** Times are counted in microseconds since 1970. */
  readonly unit: 'number' | 'time'
  readonly range: readonly [number, number]
  /** The share of values that are at most `x`. */
  cdf(x: number): number
  /** Pieces of about equal share, in order; the last reaches to infinity. */
  readonly bins: readonly { readonly upTo: number; readonly share: number }[]
  /** Whether values are rounded so coarsely that several rows have the same. */
  readonly isRounded: boolean
}

export type PlanContext = CheckContext<PlanFacts>
