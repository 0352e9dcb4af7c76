/**
 * The share of a standard normal distribution below `z`.
 *
 * By the incomplete gamma function: erf(x) = P(½, x²).
 */
export function normalCdf(z: number): number {
  const half = regularizedGamma(0.5, (z * z) / 2) / 2
  return z < 0 ? 0.5 - half : 0.5 + half
}

/**
 * The regularised lower incomplete gamma function P(a, x), which is the distribution
 * function of a gamma distribution with shape a and scale 1.
 *
 * A series below a + 1 and a continued fraction above it: W. H. Press et al., Numerical
 * Recipes, 6.2. Good to about 10⁻¹³.
 */
export function regularizedGamma(a: number, x: number): number {
  if (!(x > 0)) return 0
  if (x === Number.POSITIVE_INFINITY) return 1
  const scale = Math.exp(-x + a * Math.log(x) - logGamma(a))
  return x < a + 1 ? scale * gammaSeries(a, x) : 1 - scale * gammaFraction(a, x)
}

/** How probable it is that χ² with this many degrees of freedom exceeds `statistic` by chance. */
export function chiSquareTail(statistic: number, degrees: number): number {
  if (degrees <= 0) return 1
  const [a, x] = [degrees / 2, statistic / 2]
  if (!(x > 0)) return 1
  // The upper part by itself, so that a probability of 10⁻³⁰ is not lost in 1 − 1.
  if (x < a + 1) return 1 - regularizedGamma(a, x)
  return Math.exp(-x + a * Math.log(x) - logGamma(a)) * gammaFraction(a, x)
}

/**
 * How probable it is that √n times the Kolmogorov–Smirnov distance exceeds `statistic` by
 * chance, for large n: 2 Σ (−1)^(k−1) exp(−2 k² x²) (Kolmogorov 1933).
 */
export function kolmogorovTail(statistic: number): number {
  if (statistic < 0.2) return 1
  let sum = 0
  for (let k = 1; k <= 100; k++) sum += (k % 2 === 1 ? 2 : -2) * Math.exp(-2 * k * k * statistic * statistic)
  return Math.min(1, Math.max(0, sum))
}

/** ln Γ(x) for x > 0, by the approximation of C. Lanczos (SIAM J. Numer. Anal. 1, 1964) with g = 7. */
export function logGamma(x: number): number {
  const [first = 0, ...others] = lanczos
  const sum = others.reduce((total, coefficient, i) => total + coefficient / (x + i), first)
  const t = x + 6.5
  return (x - 0.5) * Math.log(t) - t + Math.log(Math.sqrt(2 * Math.PI) * sum)
}

const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
]

function gammaSeries(a: number, x: number): number {
  let term = 1 / a
  let sum = term
  for (let n = 1; n < 10_000 && Math.abs(term) > Math.abs(sum) * 1e-16; n++) {
    term *= x / (a + n)
    sum += term
  }
  return sum
}

/** The continued fraction of Γ(a, x), by Lentz's method. */
function gammaFraction(a: number, x: number): number {
  const tiny = 1e-300
  let b = x + 1 - a
  let c = 1 / tiny
  let d = 1 / b
  let fraction = d
  for (let i = 1; i < 10_000; i++) {
    const numerator = -i * (i - a)
    b += 2
    d = numerator * d + b
    if (Math.abs(d) < tiny) d = tiny
    c = b + numerator / c
    if (Math.abs(c) < tiny) c = tiny
    d = 1 / d
    const change = d * c
    fraction *= change
    if (Math.abs(change - 1) < 1e-15) break
  }
  return fraction
}
