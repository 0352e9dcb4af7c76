import { z } from 'zod'
import { type WeightedChoice, weightedChoice } from '../../distributions.js'
import { Random, streamKey } from '../../random.js'
import { sampleValue } from '../../samples/values.js'
import { sharesOf } from '../expected.js'
import { type Built, defineGenerator, families, type Site, type Value } from '../generator.js'

const scalar = z.union([z.string(), z.number(), z.boolean()])
const scalarOrNull = z.union([z.string(), z.number(), z.boolean(), z.null()])

export const constant = defineGenerator({
  name: 'constant',
  summary: 'The same value in every row.',
  options: z.strictObject({
    value: z
      .union([scalar, z.array(z.unknown()), z.record(z.string(), z.unknown())])
      .describe('the value; a text is read as SQL reads it'),
  }),
  example: { value: 'EUR' },
  fills: families,
  build({ value }) {
    const text = literalText(value)
    return {
      finite: { size: 1, at: () => text, literal: true },
      value: () => text,
      expected: sharesOf({ [text]: 1 }),
    }
  },
})

export const nothing = defineGenerator({
  name: 'null',
  summary: 'No value at all.',
  options: z.strictObject({}),
  example: {},
  fills: families,
  build: () => ({ value: () => null }),
})

export const choice = defineGenerator({
  name: 'choice',
  summary: 'One of several values, by weight.',
  options: z.strictObject({
    values: z
      .union([
        z.array(scalarOrNull).min(1, 'must name a value'),
        z
          .record(z.string(), z.number().nonnegative())
          .refine((weights) => Object.values(weights).some((weight) => weight > 0), 'must have a weight above 0'),
      ])
      .describe(
        'a list of values that are as likely as each other, or an object of values and their weights; texts are read as SQL reads them',
      ),
    together: z
      .string()
      .optional()
      .describe(
        'a name: columns of the table with the same name take the value at the same place of their lists, such as a city and its country',
      ),
  }),
  example: { values: { paid: 80, open: 15, cancelled: 5 } },
  fills: families,
  build({ values, together }, site) {
    if (together !== undefined) return inStep(values, together, site)
    const weights = weightsOf(values)
    const texts = Object.keys(weights)
    const chosen = weightedChoice(Object.values(weights))
    return {
      finite: { size: texts.length, at: (index) => texts[index] ?? null, literal: true },
      pick: (row) => chosen.pick(site.at(row)),
      value: (row) => texts[chosen.pick(site.at(row))] ?? null,
      expected: sharesOf(weights),
    }
  },
})

type Choices = readonly (string | number | boolean | null)[] | Readonly<Record<string, number>>

/** Columns that go together draw the same place; their lists have nulls and repeat values. */
function inStep(values: Choices, group: string, site: Site): Built {
  if (!Array.isArray(values)) return site.refuse('takes a list of values, not weights, where columns go together')
  const list = (values as readonly (string | number | boolean | null)[]).map((value) =>
    value === null ? null : literalText(value),
  )
  const pick = (row: number) => site.shared(group, row).integer(list.length)
  return {
    finite: { size: list.length, at: (index) => list[index] ?? null, literal: true, isFixed: true },
    pick,
    value: (row) => list[pick(row)] ?? null,
  }
}

/** Weights by text, in the order in which they were written. */
function weightsOf(values: Choices): Record<string, number> {
  if (!Array.isArray(values)) return { ...(values as Readonly<Record<string, number>>) }
  const weights: Record<string, number> = {}
  for (const value of values as readonly unknown[])
    if (value !== null) weights[literalText(value)] = (weights[literalText(value)] ?? 0) + 1
  return weights
}

function literalText(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

export const boolean = defineGenerator({
  name: 'boolean',
  summary: 'True with a given share, else false.',
  options: z.strictObject({ share: z.number().min(0).max(1).default(0.5).describe('the share of true') }),
  example: { share: 0.9 },
  fills: ['boolean', 'integer', 'text'],
  build({ share }, site) {
    const forms: readonly Value[] =
      site.family === 'boolean' ? [false, true] : site.family === 'integer' ? [0, 1] : ['false', 'true']
    const shown = site.family === 'integer' ? ['0', '1'] : ['false', 'true']
    return {
      finite: { size: 2, at: (index) => forms[index] ?? null },
      value: (row) => forms[site.at(row).chance(share) ? 1 : 0] ?? null,
      expected: sharesOf({ [shown[1] ?? '']: share, [shown[0] ?? '']: 1 - share }),
    }
  },
})

export const sample = defineGenerator({
  name: 'sample',
  summary: 'Everyday values of whatever type the column has, within the conditions on it.',
  options: z.strictObject({
    count: z.int().min(1).max(10_000).default(100).describe('how many different values there are at most'),
  }),
  example: { count: 20 },
  fills: families,
  async prepare({ count }, site) {
    const key = streamKey(site.seedText, 'sample')
    const random = new Random()
    const texts = Array.from({ length: count * 2 }, (_, i) =>
      sampleValue(site.type, site.rules, { random: random.seat(key, i), flavour: i % 8 === 7 ? 'plain' : 'ordinary' }),
    )
    if (texts.includes(undefined)) return site.refuse('knows no value of such a type')
    const accepted = await site.accepted([...new Set(texts as readonly string[])])
    if (accepted.length === 0) return site.refuse('found no value that the conditions on the column admit')
    return accepted.slice(0, count)
  },
  build(_options, site) {
    const { prepared } = site
    const pick: WeightedChoice['pick'] = (random) => random.integer(prepared.length)
    return {
      finite: { size: prepared.length, at: (index) => prepared[index] ?? null, literal: true },
      pick: (row) => pick(site.at(row)),
      value: (row) => prepared[pick(site.at(row))] ?? null,
    }
  },
})
