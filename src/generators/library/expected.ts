/**
 * How the values of a column are expected to be spread, nulls left aside.
 *
 * What a generator promises is said once, here; `obs seed --explain`, `obs validate`
 * and the fidelity report compare it with what they find.
 */
export type Expected = ExpectedShares | ExpectedCurve

/** Few values, each with its share; the shares add up to 1. */
export interface ExpectedShares {
  readonly kind: 'shares'
  /** By the value as PostgreSQL writes it as text. */
  readonly shares: Readonly<Record<string, number>>
}

/** Numbers or times along a curve. */
export interface ExpectedCurve {
  readonly kind: 'curve'
  /** `time` is counted in microseconds since 1970, as PostgreSQL's timestamps are. */
  readonly unit: 'number' | 'time'
  /** No value lies outside; infinite where the distribution has no end. */
  readonly range: readonly [number, number]
  /** The share of values that are at most `x`. */
  cdf(x: number): number
  /** Values are multiples of this; 0 when they are not rounded. */
  readonly step: number
  /** The distribution in words, with its parameters. */
  readonly words: string
}

/** One piece of the range of a curve: above the edge before it, up to and including its own. */
export interface Bin {
  readonly upTo: number
  readonly share: number
}

/** Shares in proportion to weights. */
export function sharesOf(weights: Readonly<Record<string, number>>): ExpectedShares {
  const sum = Object.values(weights).reduce((total, weight) => total + weight, 0)
  return {
    kind: 'shares',
    shares: Object.fromEntries(Object.entries(weights).map(([value, weight]) => [value, weight / sum])),
  }
}

/**
 * Cuts a curve into at most `count` bins of about equal share.
 *
 * The edges are values that can occur, and the shares are those between the edges, so
 * that rounding costs bins and no accuracy. The last bin reaches to infinity.
 */
export function binsOf(curve: ExpectedCurve, count: number): readonly Bin[] {
  const bins: Bin[] = []
  let below = 0
  for (let i = 1; i < count; i++) {
    const edge = roundTo(quantile(curve, i / count), curve.step)
    const share = curve.cdf(edge)
    if (share - below < 1 / (4 * count) || share > 1 - 1 / (4 * count)) continue
    bins.push({ upTo: edge, share: share - below })
    below = share
  }
  return [...bins, { upTo: Number.POSITIVE_INFINITY, share: 1 - below }]
}

/** The value that a share `u` of a curve lies below, by bisection; 0 < u < 1. */
export function quantile(curve: ExpectedCurve, u: number): number {
  let [low, high] = finiteRange(curve, u)
  for (let i = 0; i < 200 && high - low > Math.abs(high) * 1e-15; i++) {
    const middle = low + (high - low) / 2
    if (curve.cdf(middle) < u) low = middle
    else high = middle
  }
  return high
}

/** Where there is no end, bounds that `u` lies between are looked for by doubling. */
function finiteRange({ range: [from, to], cdf }: ExpectedCurve, u: number): [number, number] {
  let high = Number.isFinite(to) ? to : 1
  while (!Number.isFinite(to) && cdf(high) < u && high < Number.MAX_VALUE / 2) high *= 2
  let low = Number.isFinite(from) ? from : -1
  while (!Number.isFinite(from) && cdf(low) > u && low > -Number.MAX_VALUE / 2) low *= 2
  return [low, high]
}

function roundTo(x: number, step: number): number {
  return step === 0 ? x : Math.round(x / step) * step
}
