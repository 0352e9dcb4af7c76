import { normalCdf, regularizedGamma } from '../../probability.js'
import type { Random } from '../random.js'

/** A distribution over the real numbers. */
export interface Continuous {
  readonly range: readonly [number, number]
  readonly words: string
  draw(random: Random): number
  /** The share of values that are at most `x`. */
  cdf(x: number): number
}

const { POSITIVE_INFINITY, NEGATIVE_INFINITY } = Number

/** Every number between two others is as likely as the next. */
export function uniform(low: number, high: number): Continuous {
  return {
    range: [low, high],
    words: `uniform from ${low} to ${high}`,
    draw: (random) => low + (high - low) * random.uniform53(),
    cdf: (x) => Math.min(1, Math.max(0, (x - low) / (high - low))),
  }
}

/** https://en.wikipedia.org/wiki/Normal_distribution */
export function normal(mean: number, deviation: number): Continuous {
  return {
    range: [NEGATIVE_INFINITY, POSITIVE_INFINITY],
    words: `normal with mean ${mean} and deviation ${deviation}`,
    draw: (random) => mean + deviation * random.normal(),
    cdf: (x) => normalCdf((x - mean) / deviation),
  }
}

/** Numbers whose logarithm is normal: https://en.wikipedia.org/wiki/Log-normal_distribution */
export function logNormal(median: number, sigma: number): Continuous {
  const mu = Math.log(median)
  return {
    range: [0, POSITIVE_INFINITY],
    words: `log-normal with median ${median} and sigma ${sigma}`,
    draw: (random) => random.logNormal(mu, sigma),
    cdf: (x) => (x <= 0 ? 0 : normalCdf((Math.log(x) - mu) / sigma)),
  }
}

/** Waiting times without a memory: https://en.wikipedia.org/wiki/Exponential_distribution */
export function exponential(mean: number): Continuous {
  return {
    range: [0, POSITIVE_INFINITY],
    words: `exponential with mean ${mean}`,
    draw: (random) => -mean * Math.log(1 - random.uniform53()),
    cdf: (x) => (x <= 0 ? 0 : -Math.expm1(-x / mean)),
  }
}

/** Few large values and many small ones: https://en.wikipedia.org/wiki/Pareto_distribution */
export function pareto(low: number, exponent: number): Continuous {
  return {
    range: [low, POSITIVE_INFINITY],
    words: `Pareto from ${low} with exponent ${exponent}`,
    draw: (random) => low * (1 - random.uniform53()) ** (-1 / exponent),
    cdf: (x) => (x <= low ? 0 : 1 - (low / x) ** exponent),
  }
}

/**
 * https://en.wikipedia.org/wiki/Gamma_distribution, drawn by the method of G. Marsaglia
 * and W. W. Tsang (ACM Transactions on Mathematical Software 26, 2000).
 */
export function gamma(shape: number, scale: number): Continuous {
  return {
    range: [0, POSITIVE_INFINITY],
    words: `gamma with shape ${shape} and scale ${scale}`,
    draw: (random) => scale * standardGamma(random, shape),
    cdf: (x) => regularizedGamma(shape, x / scale),
  }
}

export function standardGamma(random: Random, shape: number): number {
  // Below 1 a gamma of shape + 1 is shrunk by a power of a uniform number (ibid., section 6).
  if (shape < 1) return standardGamma(random, shape + 1) * (1 - random.uniform53()) ** (1 / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = random.normal()
    const v = (1 + c * x) ** 3
    if (v <= 0) continue
    const u = 1 - random.uniform53()
    if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
  }
}

/** After this many values outside, the distribution has next to nothing between its bounds. */
const patience = 1000

/** The part of a distribution between two bounds; values outside are drawn again. */
export function between(whole: Continuous, low: number, high: number): Continuous {
  const range: [number, number] = [Math.max(low, whole.range[0]), Math.min(high, whole.range[1])]
  if (range[0] === whole.range[0] && range[1] === whole.range[1]) return whole
  const below = whole.cdf(range[0])
  const inside = whole.cdf(range[1]) - below
  return {
    range,
    words: `${whole.words}, between ${range[0]} and ${range[1]}`,
    draw(random) {
      for (let i = 0; i < patience; i++) {
        const x = whole.draw(random)
        if (x >= range[0] && x <= range[1]) return x
      }
      return range[0]
    },
    cdf: (x) => (x < range[0] ? 0 : x >= range[1] ? 1 : Math.min(1, (whole.cdf(x) - below) / inside)),
  }
}

/**
 * Ranks 1 to `size` by Zipf's law: rank k is k^−exponent times as likely as the first.
 *
 * Drawn by rejection-inversion (W. Hörmann and G. Derflinger, ACM Transactions on
 * Modeling and Computer Simulation 6, 1996), which needs no table, whatever the size.
 */
export function zipf(size: number, exponent: number): (random: Random) => number {
  const integral = (x: number) => helper((1 - exponent) * Math.log(x)) * Math.log(x)
  const density = (x: number) => Math.exp(-exponent * Math.log(x))
  const first = integral(1.5) - 1
  const last = integral(size + 0.5)
  const slack = 2 - inverse(integral(2.5) - density(2), exponent)
  return (random) => {
    for (;;) {
      const u = last + random.uniform53() * (first - last)
      const x = inverse(u, exponent)
      const k = Math.min(size, Math.max(1, Math.floor(x + 0.5)))
      if (k - x <= slack || u >= integral(k + 0.5) - density(k)) return k
    }
  }
}

/** (exp(x) − 1) / x, which is 1 at 0. */
function helper(x: number): number {
  return Math.abs(x) > 1e-8 ? Math.expm1(x) / x : 1 + x / 2
}

/** The inverse of the integral of x^−exponent from 1. */
function inverse(u: number, exponent: number): number {
  const t = Math.max(-1, u * (1 - exponent))
  return Math.exp((Math.abs(t) > 1e-8 ? Math.log1p(t) / t : 1 - t / 2) * u)
}
