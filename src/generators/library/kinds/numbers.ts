import { z } from 'zod'
import {
  between,
  type Continuous,
  exponential as exponentialOf,
  gamma as gammaOf,
  logNormal as logNormalOf,
  normal as normalOf,
  pareto as paretoOf,
  zipf as zipfOf,
} from '../continuous.js'
import { rounded } from '../curve.js'
import { scaleOf } from '../encoders.js'
import { type Built, defineGenerator, type Site } from '../generator.js'

const numeric = ['integer', 'decimal', 'interval'] as const

export const integer = defineGenerator({
  name: 'integer',
  summary: 'Whole numbers, every one as likely as the next.',
  options: z
    .strictObject({
      min: z.int().default(1).describe('the least'),
      max: z.int().describe('the greatest'),
    })
    .refine(({ min, max }) => min <= max, 'max must be at least min'),
  example: { min: 1, max: 6 },
  fills: ['integer', 'decimal', 'text'],
  build({ min, max }, site) {
    const size = max - min + 1
    const shown = (value: number) => (site.family === 'text' ? String(value) : value)
    return {
      finite: { size, at: (index) => shown(min + index) },
      value: (row) => shown(min + Math.min(size - 1, Math.floor(site.at(row).uniform53() * size))),
      expected: {
        kind: 'curve',
        unit: 'number',
        range: [min, max],
        step: 1,
        words: `whole numbers from ${min} to ${max}`,
        cdf: (x) => Math.min(1, Math.max(0, (Math.floor(x) - min + 1) / size)),
      },
    }
  },
})

const limits = {
  min: z.number().optional().describe('values below are drawn again'),
  max: z.number().optional().describe('values above are drawn again'),
  scale: z
    .int()
    .min(0)
    .max(12)
    .optional()
    .describe('decimal places; by default those of the column, and 2 for a column without'),
}

export const decimal = defineGenerator({
  name: 'decimal',
  summary: 'Numbers with decimal places, every one as likely as the next.',
  options: z
    .strictObject({
      min: z.number().default(0).describe('the least'),
      max: z.number().describe('the greatest'),
      scale: limits.scale,
    })
    .refine(({ min, max }) => min <= max, 'max must be at least min'),
  example: { min: 0.5, max: 99.99 },
  fills: numeric,
  build: ({ min, max, scale }, site) => {
    const unit = 10 ** (scale ?? scaleOf(site.type) ?? 2)
    const low = Math.ceil(min * unit - 1e-6)
    const size = Math.floor(max * unit + 1e-6) - low + 1
    if (size < 1) return site.refuse(`has no value between ${min} and ${max} with so few decimal places`)
    const at = (index: number) => (low + index) / unit
    return {
      finite: { size, at },
      value: (row) => at(Math.min(size - 1, Math.floor(site.at(row).uniform53() * size))),
      expected: {
        kind: 'curve',
        unit: 'number',
        range: [at(0), at(size - 1)],
        step: 1 / unit,
        words: `uniform from ${at(0)} to ${at(size - 1)} in steps of ${1 / unit}`,
        cdf: (x) => Math.min(1, Math.max(0, (Math.floor(x * unit + 1e-6) - low + 1) / size)),
      },
    }
  },
})

export const normal = defineGenerator({
  name: 'normal',
  summary: 'Numbers around a mean, by the normal distribution.',
  options: z.strictObject({
    mean: z.number().describe('the mean'),
    deviation: z.number().positive().describe('the standard deviation'),
    ...limits,
  }),
  example: { mean: 170, deviation: 9, min: 120 },
  fills: numeric,
  build: ({ mean, deviation, ...options }, site) => fromCurve(normalOf(mean, deviation), options, site),
})

export const logNormal = defineGenerator({
  name: 'log-normal',
  summary: 'Positive numbers with a long tail: durations, sizes, prices.',
  options: z.strictObject({
    median: z.number().positive().describe('half of the values lie below'),
    sigma: z.number().positive().describe('the deviation of the logarithm: 0.5 is narrow, 2 has a very long tail'),
    ...limits,
  }),
  example: { median: 800, sigma: 0.9, max: 30_000 },
  fills: numeric,
  build: ({ median, sigma, ...options }, site) => fromCurve(logNormalOf(median, sigma), options, site),
})

export const exponential = defineGenerator({
  name: 'exponential',
  summary: 'Waiting times between events that do not know of each other.',
  options: z.strictObject({ mean: z.number().positive().describe('the mean'), ...limits }),
  example: { mean: 30 },
  fills: numeric,
  build: ({ mean, ...options }, site) => fromCurve(exponentialOf(mean), options, site),
})

export const pareto = defineGenerator({
  name: 'pareto',
  summary: 'Few very large values and many small ones: revenue by customer, size of files.',
  options: z.strictObject({
    low: z.number().positive().describe('the least value'),
    exponent: z.number().positive().describe('how fast large values get rare; 1.16 is the "80/20 rule"'),
    ...limits,
  }),
  example: { low: 10, exponent: 1.16, max: 100_000 },
  fills: numeric,
  build: ({ low, exponent, ...options }, site) => fromCurve(paretoOf(low, exponent), options, site),
})

export const gamma = defineGenerator({
  name: 'gamma',
  summary: 'Positive numbers between the exponential (shape 1) and the normal distribution (large shapes).',
  options: z.strictObject({
    shape: z.number().positive().describe('the shape'),
    mean: z.number().positive().describe('the mean, which is shape × scale'),
    ...limits,
  }),
  example: { shape: 2, mean: 45 },
  fills: numeric,
  build: ({ shape, mean, ...options }, site) => fromCurve(gammaOf(shape, mean / shape), options, site),
})

/** Ranks whose shares are worth a line each. */
const ranksShown = 1000

export const zipf = defineGenerator({
  name: 'zipf',
  summary: 'Ranks of which the first is the most frequent: rank k is k^−exponent times as likely as rank 1.',
  options: z.strictObject({
    size: z.int().positive().describe('the last rank'),
    exponent: z.number().positive().default(1).describe('how steep it is'),
  }),
  example: { size: 100, exponent: 1.1 },
  fills: ['integer', 'decimal'],
  build({ size, exponent }, site) {
    const draw = zipfOf(size, exponent)
    return {
      finite: { size, at: (index) => index + 1 },
      value: (row) => draw(site.at(row)),
      expected: size > ranksShown ? undefined : { kind: 'shares', shares: zipfShares(size, exponent) },
    }
  },
})

function zipfShares(size: number, exponent: number): Record<string, number> {
  const weights = Array.from({ length: size }, (_, rank) => (rank + 1) ** -exponent)
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return Object.fromEntries(weights.map((weight, rank) => [String(rank + 1), weight / sum]))
}

interface Limits {
  readonly min?: number | undefined
  readonly max?: number | undefined
  readonly scale?: number | undefined
}

/** Values along a curve, rounded to what the column keeps. */
function fromCurve(whole: Continuous, { min, max, scale }: Limits, site: Site): Built {
  const [low, high] = [min ?? Number.NEGATIVE_INFINITY, max ?? Number.POSITIVE_INFINITY]
  const inside = whole.cdf(Math.min(high, whole.range[1])) - whole.cdf(Math.max(low, whole.range[0]))
  if (!(low < high)) return site.refuse('max must be greater than min')
  if (!(inside > 0.001)) return site.refuse(`has next to no values between ${low} and ${high}`)
  const curve = between(whole, low, high)
  const unit = 10 ** (scale ?? scaleOf(site.type) ?? 2)
  return {
    value: (row) => Math.round(curve.draw(site.at(row)) * unit) / unit,
    expected: rounded(curve, 1 / unit),
  }
}
