import { z } from 'zod'
import { exponential, logNormal, standardGamma, uniform } from '../continuous.js'
import { duration, microsecondsOf, parseTime, pointInTime } from '../durations.js'
import { microsOf } from '../encoders.js'
import { type Built, defineGenerator, type Site } from '../generator.js'
import { type Intensity, intensity } from '../intensity.js'

const weights = (count: number) =>
  z
    .array(z.number().nonnegative())
    .length(count, `must hold ${count} weights`)
    .refine((list) => list.some((weight) => weight > 0), 'must have a weight above 0')

/** Shares of the hours of a day in which people at work keep a system busy. */
const businessHours = [2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 19, 18, 15, 17, 18, 17, 14, 10, 7, 5, 4, 4, 3, 3]
const workingWeek = [20, 21, 21, 20, 18, 5, 5]

/** How far arrivals are from even: the shape of the gamma distribution of the gaps. */
const shapes = { even: Number.POSITIVE_INFINITY, poisson: 1, bursty: 0.25 } as const

export const timestamps = defineGenerator({
  name: 'timestamps',
  summary: 'Times within the window of the run, with the rhythm of days and weeks.',
  options: z.strictObject({
    from: pointInTime.optional().describe('the beginning; by default that of the run'),
    to: pointInTime.optional().describe('the end, exclusive; by default that of the run'),
    rhythm: z
      .enum(['flat', 'business'])
      .default('flat')
      .describe('flat: the same at any time; business: working days and hours in UTC'),
    hours: weights(24).optional().describe('24 weights by hour of the day in UTC, in the place of the rhythm'),
    weekdays: weights(7).optional().describe('7 weights from Monday to Sunday, in the place of the rhythm'),
    growth: z.number().positive().default(1).describe('how many times the first day the last day has'),
    order: z
      .enum(['rows', 'random'])
      .default('rows')
      .describe('rows: from row to row times never go back; random: rows are in no order'),
    arrivals: z
      .enum(['even', 'poisson', 'bursty'])
      .default('poisson')
      .describe('how regular the gaps between rows in order are'),
  }),
  example: { rhythm: 'business', growth: 1.5 },
  fills: ['time'],
  build(options, site) {
    const from = options.from === undefined ? site.window.from : parseTime(options.from)
    const to = options.to === undefined ? site.window.to : parseTime(options.to)
    if (from >= to) return site.refuse('the end must lie behind the beginning')
    const isBusiness = options.rhythm === 'business'
    const spread = intensity(from, to, {
      hours: options.hours ?? (isBusiness ? businessHours : undefined),
      weekdays: options.weekdays ?? (isBusiness ? workingWeek : undefined),
      growth: options.growth,
    })
    const step = site.typeName === 'date' ? microsecondsOf('1 day') : 1
    const rhythm = options.hours || options.weekdays ? 'weighted by hour and weekday' : `${options.rhythm} rhythm`
    return {
      finite: { size: Math.max(1, Math.floor((to - from) / step)), at: (index) => from + index * step },
      ...(options.order === 'random' ? anyOrder(spread, site) : inOrder(spread, shapes[options.arrivals], site)),
      expected: {
        kind: 'curve',
        unit: 'time',
        range: [from, to - 1],
        step,
        words: `from ${isoOf(from)} to ${isoOf(to)}, ${rhythm}`,
        cdf: (x) => spread.cdf((Math.floor(x / step) + 1) * step),
      },
    }
  },
})

function isoOf(micros: number): string {
  return new Date(micros / 1000).toISOString().slice(0, 16)
}

function anyOrder(spread: Intensity, site: Site): Built {
  return { value: (row) => spread.quantile(site.at(row).uniform53()) }
}

/** Rows whose gaps are drawn together; the first row of each block lies where an even spread would have it. */
const block = 64

/**
 * Times that follow each other from row to row, each a function of its row alone.
 *
 * The rows are taken in blocks, and a block has the share of the window that its rows
 * are of the table. Within it the gaps are independent gamma numbers scaled to fill it:
 * with shape 1 the arrivals of a Poisson process of which the count is known, with less
 * shape bursts and silences.
 */
function inOrder(spread: Intensity, shape: number, site: Site): Built {
  const { rows, first } = site
  const places = new Float64Array(block)
  let current = -1
  return {
    ascending: true,
    value(row) {
      const index = row - first
      if (shape === Number.POSITIVE_INFINITY) return spread.quantile((index + 0.5) / rows)
      const number = Math.floor(index / block)
      const inBlock = Math.min(block, rows - number * block)
      if (number !== current) placeBlock(places, inBlock, shape, site, first + number * block)
      current = number
      const place = places[index - number * block] ?? 0
      return spread.quantile((number * block + place * inBlock) / rows)
    },
  }
}

function placeBlock(places: Float64Array, count: number, shape: number, site: Site, firstRow: number): void {
  const random = site.at(firstRow)
  let sum = 0
  for (let i = 0; i < count; i++) {
    sum += standardGamma(random, shape)
    places[i] = sum
  }
  // The gap behind the last row belongs to the block as well.
  sum += standardGamma(random, shape)
  for (let i = 0; i < count; i++) places[i] = (places[i] ?? 0) / sum
}

export const after = defineGenerator({
  name: 'after',
  summary: 'A time some while after another one: of the same row, or of the row that it refers to.',
  options: z.strictObject({
    time: z
      .string()
      .min(1)
      .describe('the column that it follows: "created_at", or "customer_id.created_at" of the row referred to'),
    delay: duration.default('1 day').describe('how long after, typically'),
    spread: z
      .enum(['exponential', 'log-normal', 'uniform', 'exact'])
      .default('exponential')
      .describe(
        'how delays differ: exponential and log-normal have a long tail, uniform lies between 0 and twice the delay',
      ),
    within: z
      .boolean()
      .default(true)
      .describe('times stay within the window: a delay that leads out of it is drawn evenly from what is left of it'),
  }),
  example: { time: 'ordered_at', delay: '3 days' },
  fills: ['time'],
  reads: ({ time }) => [time],
  build({ time, delay, spread, within }, site) {
    const read = site.read(time)
    const typical = microsecondsOf(delay)
    const curve = {
      exponential: exponential(typical),
      'log-normal': logNormal(typical, 0.8),
      uniform: uniform(0, 2 * typical),
      exact: undefined,
    }[spread]
    return {
      value(row) {
        const start = read(row)
        if (start === null) return null
        const from = microsOf(start)
        const random = site.at(row)
        const to = from + Math.round(curve?.draw(random) ?? typical)
        if (!within || to < site.window.to) return to
        return from + 1 + Math.floor(Math.max(0, site.window.to - from - 1) * random.uniform53())
      },
    }
  },
})
