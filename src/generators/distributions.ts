import type { Random } from './random.js'

/** Picks indexes in proportion to weights, in constant time. */
export interface WeightedChoice {
  readonly size: number
  /** The index that two numbers in [0, 1) fall on. */
  pick(random: Random): number
}

/**
 * Prepares a weighted choice as an alias table.
 *
 * A. J. Walker's method with M. D. Vose's linear-time set-up (IEEE Transactions on
 * Software Engineering 17, 1991): each column holds one index and its alias, so a pick
 * costs two draws whatever the number of weights.
 *
 * @throws RangeError when there is no weight, one is negative or not finite, or all are zero.
 */
export function weightedChoice(weights: readonly number[]): WeightedChoice {
  const size = weights.length
  const sum = checkedSum(weights)
  const share = Float64Array.from(weights, (weight) => (weight * size) / sum)
  const alias = new Uint32Array(size)
  const small: number[] = []
  const large: number[] = []
  for (let i = 0; i < size; i++) (at(share, i) < 1 ? small : large).push(i)
  while (small.length > 0 && large.length > 0) {
    const less = small.pop() as number
    const more = large.pop() as number
    alias[less] = more
    share[more] = at(share, more) - (1 - at(share, less))
    ;(at(share, more) < 1 ? small : large).push(more)
  }
  // What is left over differs from 1 by rounding alone.
  for (const i of [...small, ...large]) share[i] = 1
  return {
    size,
    pick(random) {
      const column = random.integer(size)
      return random.uniform() < at(share, column) ? column : at(alias, column)
    },
  }
}

/** The `mu` of a log-normal distribution that has this mean: ln(mean) − sigma² / 2. */
export function logNormalMu(mean: number, sigma: number): number {
  return Math.log(mean) - (sigma * sigma) / 2
}

/** From here on a Poisson count is drawn as a rounded normal; the two differ by less than a count's own noise. */
const normalFrom = 64

/**
 * A count of independent events of which `mean` are expected.
 *
 * Small means by Knuth's product of uniforms (The Art of Computer Programming 2,
 * 3.4.1), large ones by the normal approximation rounded and kept from below zero.
 */
export function poisson(random: Random, mean: number): number {
  if (mean <= 0) return 0
  if (mean >= normalFrom) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()))
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = random.uniform(); product > limit; product *= random.uniform()) count++
  return count
}

/** The weights 1, 2^−s, 3^−s, … of Zipf's law for `size` ranks. */
export function zipfWeights(size: number, exponent: number): number[] {
  return Array.from({ length: size }, (_, rank) => (rank + 1) ** -exponent)
}

/** The logistic curve: 0 long before `midpoint`, ½ at it, 1 long after; `width` is the time constant. */
export function logistic(x: number, midpoint: number, width: number): number {
  return 1 / (1 + Math.exp(-(x - midpoint) / width))
}

/**
 * The value below which a share `u` of a Pareto distribution cut to [low, high] lies.
 *
 * https://en.wikipedia.org/wiki/Pareto_distribution#Bounded_Pareto_distribution
 */
export function boundedParetoQuantile(u: number, low: number, high: number, exponent: number): number {
  const cut = 1 - (low / high) ** exponent
  return low * (1 - u * cut) ** (-1 / exponent)
}

function checkedSum(weights: readonly number[]): number {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  if (weights.some((weight) => !(weight >= 0)) || !(sum > 0) || !Number.isFinite(sum)) {
    throw new RangeError('weights must be finite, not negative and not all zero')
  }
  return sum
}

function at(values: { readonly [index: number]: number }, index: number): number {
  return values[index] ?? 0
}
