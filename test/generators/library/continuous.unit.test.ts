import { describe, expect, it } from 'vitest'
import { zipfWeights } from '../../../src/generators/distributions.js'
import {
  between,
  type Continuous,
  exponential,
  gamma,
  logNormal,
  normal,
  pareto,
  uniform,
  zipf,
} from '../../../src/generators/library/continuous.js'
import { Random, streamKey } from '../../../src/generators/random.js'
import { chiSquare, chiSquareLimit, ksDistance } from '../theory.js'

const n = 50_000

function sample(draw: (random: Random) => number): number[] {
  const random = new Random()
  const key = streamKey('theory')
  return Array.from({ length: n }, (_, i) => draw(random.seat(key, i)))
}

describe('a distribution', () => {
  it.each<Continuous>([
    uniform(-3, 12),
    normal(10, 2.5),
    logNormal(40, 1.2),
    exponential(7),
    pareto(2, 1.5),
    gamma(0.4, 3),
    gamma(1, 1),
    gamma(9, 0.5),
    between(normal(0, 1), -0.5, 2),
    between(pareto(1, 0.8), 1, 500),
    between(logNormal(40, 1.2), 10, 100),
  ])('$words draws what its distribution function says', (distribution) => {
    const drawn = sample((random) => distribution.draw(random))
    expect(ksDistance(drawn, (x) => distribution.cdf(x))).toBeLessThan(2.6)
    expect(drawn.every((x) => x >= distribution.range[0] && x <= distribution.range[1])).toBe(true)
  })

  it.each([
    [20, 1],
    [50, 0.7],
    [10, 2.5],
    [100, 1.0000001],
    [1, 1.1],
  ])('of %i ranks by Zipf with exponent %f has the shares of the law', (size, exponent) => {
    const draw = zipf(size, exponent)
    const counts = new Array<number>(size).fill(0)
    for (const rank of sample(draw)) counts[rank - 1] = (counts[rank - 1] ?? 0) + 1
    const weights = zipfWeights(size, exponent)
    const sum = weights.reduce((total, weight) => total + weight, 0)
    const expected = weights.map((weight) => (weight / sum) * n)
    expect(chiSquare(counts, expected)).toBeLessThan(size === 1 ? 1 : chiSquareLimit(size - 1))
  })

  it('of a billion ranks is drawn as fast as one of ten', () => {
    const ranks = sample(zipf(1e9, 1.1))
    expect(Math.max(...ranks)).toBeGreaterThan(1e6)
    expect(ranks.filter((rank) => rank === 1).length / n).toBeGreaterThan(0.05)
  })
})
