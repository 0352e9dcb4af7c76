/** A number and how it compares with the period before; the last three are null when there is nothing to compare with. */
export interface Measure {
  readonly value: number | null
  readonly previous: number | null
  /** Now minus before, in the number's own unit. */
  readonly change: number | null
  /** The same in percent of before; null as well when before was zero. */
  readonly change_percent: number | null
}

/** Compares a number with what it was; `digits` is the precision of the number. */
export function measure(value: number | null, previous: number | null, digits: number): Measure {
  const now = rounded(value, digits)
  const before = rounded(previous, digits)
  if (now === null || before === null) return { value: now, previous: before, change: null, change_percent: null }
  return {
    value: now,
    previous: before,
    change: rounded(now - before, digits),
    change_percent: before === 0 ? null : rounded((100 * (now - before)) / Math.abs(before), 2),
  }
}

/** `part` in percent of `whole` to two decimals; null when there is no whole. */
export function percentOf(part: number, whole: number | null): number | null {
  return whole === null || whole === 0 ? null : rounded((100 * part) / whole, 2)
}

/** `sum / count`, null when there is nothing to divide by. */
export function quotient(sum: number, count: number): number | null {
  return count === 0 ? null : sum / count
}

/** Decimal places: latency in tenths of a millisecond, percentages and scores in hundredths, money in millionths. */
export const digits = { count: 0, ms: 1, percent: 2, score: 2, usd: 6 } as const

export function rounded(value: number, digits: number): number
export function rounded(value: number | null, digits: number): number | null
export function rounded(value: number | null, digits: number): number | null {
  if (value === null) return null
  const factor = 10 ** digits
  // Adding zero turns -0 into 0, which JSON and people expect.
  return Math.round(value * factor) / factor + 0
}

export function total<Row>(rows: readonly Row[], pick: (row: Row) => number): number {
  return rows.reduce((sum, row) => sum + pick(row), 0)
}
