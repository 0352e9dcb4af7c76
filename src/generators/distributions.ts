import type { Random } from './random.js'

/** Picks indexes in proportion to weights, in constant time. */
export interface WeightedChoice {
  readonly size: number
  /** The index that a draw falls on. */
  pick(random: Random): number
  /** The index that a number in [0, 1) falls on. */
  at(u: number): number
}

/**
 * Prepares a weighted choice as an alias table.
 *
 * A. J. Walker's method with M. D. Vose's linear-time set-up (IEEE Transactions on
 * Software Engineering 17, 1991): each column holds one index and its alias, so a pick
 * costs one draw whatever the number of weights: its integer part chooses the column
 * and what is left of it between the two.
 *
 * @throws RangeError when there is no weight, one is negative or not finite, or all are zero.
 */
export function weightedChoice(weights: readonly number[]): WeightedChoice {
  return new AliasTable(weights)
}

class AliasTable implements WeightedChoice {
  readonly size: number
  readonly #share: Float64Array
  readonly #alias: Uint32Array

  constructor(weights: readonly number[]) {
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
    this.size = size
    this.#share = share
    this.#alias = alias
  }

  pick(random: Random): number {
    return this.at(random.uniform())
  }

  at(u: number): number {
    const scaled = u * this.size
    const column = Math.floor(scaled)
    return scaled - column < (this.#share[column] ?? 0) ? column : (this.#alias[column] ?? 0)
  }
}

/**
 * The number that a share `p` of a standard normal distribution lies below, 0 < p < 1.
 *
 * M. J. Wichura's algorithm AS 241 in its form PPND7 (Applied Statistics 37, 1988),
 * good to about one part in 10⁷, which is finer than 32 random bits are.
 */
export function normalQuantile(p: number): number {
  const q = p - 0.5
  if (q >= -0.425 && q <= 0.425) {
    const r = 0.180625 - q * q
    return (
      (q * (((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179)) /
      (((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1)
    )
  }
  const tail = Math.sqrt(-Math.log(q < 0 ? p : 1 - p))
  const z = tail <= 5 ? nearTail(tail - 1.6) : farTail(tail - 5)
  return q < 0 ? -z : z
}

function nearTail(r: number): number {
  return (
    (((0.17023821103 * r + 1.3067284816) * r + 2.75681539) * r + 1.4234372777) /
    ((0.12021132975 * r + 0.7370016425) * r + 1)
  )
}

function farTail(r: number): number {
  return (
    (((0.017337203997 * r + 0.42868294337) * r + 3.081226386) * r + 6.657905115) /
    ((0.012258202635 * r + 0.24197894225) * r + 1)
  )
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

/**
 * A gamma variate of the given shape and mean 1, so that it scales what varies.
 *
 * G. Marsaglia and W. W. Tsang, A Simple Method for Generating Gamma Variables (ACM
 * Transactions on Mathematical Software 26, 2000), for shapes of at least 1.
 *
 * @throws RangeError when the shape is below 1.
 */
export function gamma(random: Random, shape: number): number {
  if (!(shape >= 1)) throw new RangeError('the shape of a gamma distribution must be at least 1')
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const z = random.normal()
    const v = (1 + c * z) ** 3
    if (v > 0 && Math.log(1 - random.uniform()) < (z * z) / 2 + d - d * v + d * Math.log(v)) return (d * v) / shape
  }
}

/**
 * What two numbers in [0, 1) give as a gamma variate of shape 2: the sum of two
 * exponential waiting times, which together last `mean` on average.
 */
export function waitingTime(u: number, v: number, mean: number): number {
  return (-mean / 2) * Math.log((1 - u) * (1 - v))
}

/**
 * The probabilities of 0, 1, …, size − 1 in a negative binomial distribution, up to a common factor.
 *
 * A Poisson count whose mean is itself gamma-distributed with the given shape: the
 * smaller the shape, the longer the tail. By the ratio of neighbouring terms,
 * https://en.wikipedia.org/wiki/Negative_binomial_distribution.
 */
export function negativeBinomialWeights(size: number, shape: number, mean: number): number[] {
  const step = mean / (mean + shape)
  const weights = [1]
  for (let k = 1; k < size; k++) weights.push((at(weights, k - 1) * step * (k - 1 + shape)) / k)
  return weights
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
