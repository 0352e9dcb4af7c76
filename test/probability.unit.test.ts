import { describe, expect, it } from 'vitest'
import { chiSquareTail, kolmogorovTail, logGamma, normalCdf, regularizedGamma } from '../src/probability.js'

// The expected figures are closed forms and the quantiles that every table of statistics prints.
describe('the functions of probability', () => {
  it('know the normal distribution far into its tails', () => {
    expect(normalCdf(0)).toBe(0.5)
    expect(normalCdf(1)).toBeCloseTo(0.841344746068543, 12)
    expect(normalCdf(-1.959963984540054)).toBeCloseTo(0.025, 12)
    expect(normalCdf(6)).toBeCloseTo(0.999999999013412, 12)
  })

  it('know the gamma distribution on both sides of its mean', () => {
    expect(regularizedGamma(1, 2)).toBeCloseTo(1 - Math.exp(-2), 12)
    for (const x of [2, 9, 11, 40]) expect(regularizedGamma(10, x)).toBeCloseTo(1 - poissonBelow(10, x), 12)
    expect(regularizedGamma(3, 0)).toBe(0)
  })

  it('know how improbable a chi-square is', () => {
    expect(chiSquareTail(3.841458820694124, 1)).toBeCloseTo(0.05, 12)
    expect(chiSquareTail(100, 10) / 5.4e-17).toBeCloseTo(1, 1)
    expect(chiSquareTail(0, 5)).toBe(1)
  })

  it('know how improbable a Kolmogorov distance is', () => {
    expect(kolmogorovTail(1.3581)).toBeCloseTo(0.05, 4)
    expect(kolmogorovTail(0.1)).toBe(1)
  })

  it('know the logarithm of the gamma function', () => {
    expect(logGamma(1)).toBeCloseTo(0, 12)
    expect(logGamma(0.5)).toBeCloseTo(0.5723649429247, 12)
    expect(logGamma(101)).toBeCloseTo(363.739375555563, 9)
  })
})

/** The probability of fewer than `count` events where `mean` are expected. */
function poissonBelow(count: number, mean: number): number {
  let term = Math.exp(-mean)
  let sum = 0
  for (let k = 0; k < count; k++) {
    sum += term
    term *= mean / (k + 1)
  }
  return sum
}
