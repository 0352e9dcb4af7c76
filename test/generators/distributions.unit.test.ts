import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  boundedParetoQuantile,
  gamma,
  logistic,
  logNormalMu,
  negativeBinomialWeights,
  poisson,
  weightedChoice,
  zipfWeights,
} from '../../src/generators/distributions.js'
import { Random, streamKey } from '../../src/generators/random.js'
import { logGamma, regularizedGamma } from '../../src/probability.js'
import { chiSquare, chiSquareLimit, ksDistance, mean, variance } from './theory.js'

const key = streamKey('distributions')
const seated = (n: number) => new Random().seat(key, n)

describe('a weighted choice', () => {
  it('picks in proportion to any weights', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(weights, fc.nat(), (chosen, n) => {
        const total = chosen.reduce((sum, weight) => sum + weight)
        const picks = 20_000
        const counts = chosen.map(() => 0)
        const choice = weightedChoice(chosen)
        const random = seated(n)
        for (let i = 0; i < picks; i++) {
          const index = choice.pick(random)
          counts[index] = (counts[index] ?? 0) + 1
        }
        const expected = chosen.map((weight) => (picks * weight) / total)
        const common = expected.map((_, i) => i).filter((i) => (expected[i] ?? 0) > 5)
        const statistic = chiSquare(
          common.map((i) => counts[i] ?? 0),
          common.map((i) => expected[i] ?? 0),
        )
        expect(statistic).toBeLessThan(chiSquareLimit(Math.max(1, common.length)))
      }),
      { numRuns: 40, seed: 1 },
    )
  })

  it('never picks what has no weight', () => {
    const random = seated(1)
    const choice = weightedChoice([0, 3, 0, 1, 0])
    const picked = new Set(Array.from({ length: 5000 }, () => choice.pick(random)))
    expect([...picked].sort()).toEqual([1, 3])
  })

  it.each([[[]], [[0, 0]], [[1, -1]], [[Number.NaN]], [[Number.POSITIVE_INFINITY]]])(
    'refuses the weights %j',
    (weights) => {
      expect(() => weightedChoice(weights)).toThrow(RangeError)
    },
  )
})

describe('a Poisson count', () => {
  it.each([0.3, 4, 40, 63, 64, 200])('of mean %d has its mean and variance', (expected) => {
    const random = seated(2)
    const n = 20_000
    const counts = Array.from({ length: n }, () => poisson(random, expected))
    expect(counts.every((count) => Number.isInteger(count) && count >= 0)).toBe(true)
    expect(Math.abs(mean(counts) - expected)).toBeLessThan(5 * Math.sqrt(expected / n))
    expect(Math.abs(variance(counts) / expected - 1)).toBeLessThan(0.08)
  })

  it('of nothing is nothing', () => {
    expect(poisson(seated(3), 0)).toBe(0)
  })
})

describe('a gamma number of mean 1', () => {
  it.each([1, 2.5, 12, 120])('of shape %d follows its distribution function', (shape) => {
    const random = seated(5)
    const drawn = Array.from({ length: 20_000 }, () => gamma(random, shape))
    expect(ksDistance(drawn, (x) => regularizedGamma(shape, x * shape))).toBeLessThan(2.6)
    expect(Math.abs(mean(drawn) - 1)).toBeLessThan(5 / Math.sqrt(shape * drawn.length))
  })
})

describe('negative binomial weights', () => {
  it('are the probabilities of the textbook, up to a factor', () => {
    const [shape, expected] = [0.9, 1.8]
    const weights = negativeBinomialWeights(200, shape, expected)
    const step = expected / (expected + shape)
    const probability = (k: number) =>
      Math.exp(
        logGamma(k + shape) - logGamma(k + 1) - logGamma(shape) + k * Math.log(step) + shape * Math.log(1 - step),
      )
    for (const [k, weight] of weights.entries()) expect(weight * probability(0)).toBeCloseTo(probability(k), 12)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    expect(weights.reduce((sum, weight, k) => sum + k * weight, 0) / total).toBeCloseTo(expected, 6)
  })

  it('are those of Poisson counts whose means are gamma numbers', () => {
    const [shape, expected, n] = [2, 3, 40_000]
    const weights = negativeBinomialWeights(14, shape, expected)
    const random = seated(6)
    const counts = weights.map(() => 0)
    for (let i = 0; i < n; i++) {
      const count = poisson(random, expected * gamma(random, shape))
      if (count < counts.length) counts[count] = (counts[count] ?? 0) + 1
    }
    const drawn = counts.reduce((sum, count) => sum + count, 0)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const statistic = chiSquare(
      counts,
      weights.map((weight) => (drawn * weight) / total),
    )
    expect(statistic).toBeLessThan(chiSquareLimit(counts.length - 1))
  })
})

describe('a bounded Pareto quantile', () => {
  it('runs from the low bound to the high one without falling', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (first, second) => {
          const [a, b] = [Math.min(first, second), Math.max(first, second)]
          const [low, high] = [boundedParetoQuantile(a, 50, 200, 4), boundedParetoQuantile(b, 50, 200, 4)]
          expect(low).toBeLessThanOrEqual(high)
          expect(low).toBeGreaterThanOrEqual(49.999999)
          expect(high).toBeLessThanOrEqual(200.000001)
        },
      ),
    )
  })
})

it('gives a log-normal distribution the mean that was asked for', () => {
  const random = seated(4)
  const sample = Array.from({ length: 40_000 }, () => random.logNormal(logNormalMu(2500, 0.6), 0.6))
  expect(Math.abs(mean(sample) / 2500 - 1)).toBeLessThan(0.02)
})

it('weighs ranks by Zipf’s law', () => {
  expect(zipfWeights(4, 1)).toEqual([1, 1 / 2, 1 / 3, 1 / 4])
})

it('draws the logistic curve through its midpoint', () => {
  expect(logistic(5, 5, 2)).toBe(0.5)
  expect(logistic(7, 5, 2) + logistic(3, 5, 2)).toBeCloseTo(1, 12)
  expect(logistic(7, 5, 2)).toBeCloseTo(1 / (1 + Math.exp(-1)), 12)
})
