/** Pearson's statistic: the squared deviations of counts from what was expected, in units of it. */
export function chiSquare(observed: readonly number[], expected: readonly number[]): number {
  return observed.reduce((sum, count, i) => sum + (count - (expected[i] ?? 0)) ** 2 / (expected[i] ?? 1), 0)
}

/**
 * The value that a χ² statistic exceeds in one of a million fair samples.
 *
 * Wilson and Hilferty's approximation with z = 4.753.
 */
export function chiSquareLimit(degrees: number): number {
  const spread = 2 / (9 * degrees)
  return degrees * (1 - spread + 4.753 * Math.sqrt(spread)) ** 3
}

/** The Kolmogorov–Smirnov distance between a sample and a distribution, times √n; 2.6 is exceeded once in a million. */
export function ksDistance(sample: readonly number[], distribution: (x: number) => number): number {
  const sorted = [...sample].sort((a, b) => a - b)
  const n = sorted.length
  const distances = sorted.map((x, i) => {
    const p = distribution(x)
    return Math.max((i + 1) / n - p, p - i / n)
  })
  return Math.max(...distances) * Math.sqrt(n)
}

/** The distribution function of the standard normal; Abramowitz and Stegun 7.1.26, good to 1.5e-7. */
export function normalCdf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x / Math.SQRT2))
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  const erf = 1 - series * Math.exp((-x * x) / 2)
  return (1 + Math.sign(x) * erf) / 2
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

export function variance(values: readonly number[]): number {
  const center = mean(values)
  return mean(values.map((value) => (value - center) ** 2))
}
