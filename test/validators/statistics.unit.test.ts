import { describe, expect, it } from 'vitest'
import { Random, streamKey } from '../../src/generators/random.js'
import { normalCdf } from '../../src/probability.js'
import { countTolerance, lilliefors, lillieforsLimit, shareTolerance } from '../../src/validators/statistics.js'

describe('the normal distribution', () => {
  it.each([
    [0, 0.5],
    [1, 0.841344746],
    [-1.959963985, 0.025],
    [4.89163848, 0.9999995],
  ])('has the share below %d that tables give', (z, share) => {
    expect(normalCdf(z)).toBeCloseTo(share, 6)
  })
})

describe('the tolerance of a share', () => {
  it('shrinks with the square root of the sample', () => {
    expect(shareTolerance(0.5, 40_000) / shareTolerance(0.5, 160_000)).toBeCloseTo(2, 1)
  })

  it('is wider for rows that resemble each other', () => {
    expect(shareTolerance(0.5, 1e6, 4)).toBeCloseTo(2 * shareTolerance(0.5, 1e6), 4)
  })

  it('lets nothing be said about nothing', () => {
    expect(shareTolerance(0.5, 0)).toBe(1)
    expect(countTolerance(0)).toBe(1)
  })

  it('holds fair coins and catches loaded ones', () => {
    const random = new Random().seat(streamKey('coins'), 0)
    const count = (chance: number) => Array.from({ length: 10_000 }, () => random.chance(chance)).filter(Boolean).length
    const tolerance = shareTolerance(0.5, 10_000)
    for (let i = 0; i < 200; i++) expect(Math.abs(count(0.5) / 10_000 - 0.5)).toBeLessThan(tolerance)
    expect(Math.abs(count(0.55) / 10_000 - 0.5)).toBeGreaterThan(tolerance)
  })
})

describe('the test for a normal distribution', () => {
  const random = new Random().seat(streamKey('lilliefors'), 0)
  const draw = (value: () => number) => Array.from({ length: 3000 }, value)

  it('accepts normal samples, whatever their mean and spread', () => {
    for (let i = 0; i < 100; i++) {
      const [mean, spread] = [random.between(-9, 9), random.between(0.1, 5)]
      expect(lilliefors(draw(() => mean + spread * random.normal()))).toBeLessThan(lillieforsLimit)
    }
  })

  it.each([
    ['uniform', () => random.uniform()],
    ['exponential', () => -Math.log(1 - random.uniform())],
    ['the logarithm of an exponential', () => Math.log(-Math.log(1 - random.uniform()))],
    ['the logarithm of a normal', () => Math.log(Math.max(1, 2500 + 800 * random.normal()))],
    ['two normals side by side', () => random.normal() + (random.chance(0.5) ? 3 : 0)],
    ['rounded to a handful of values', () => Math.round(random.normal())],
  ])('rejects %s', (_, value) => {
    expect(lilliefors(draw(value))).toBeGreaterThan(lillieforsLimit)
  })

  it('rejects a constant', () => {
    expect(lilliefors(draw(() => 7))).toBe(Number.POSITIVE_INFINITY)
  })
})
