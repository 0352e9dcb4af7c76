import { z } from 'zod'
import { plainType } from '../encoders.js'
import { defineGenerator, type Value } from '../generator.js'

const spec = z.looseObject({ generator: z.string() })

export const json = defineGenerator({
  name: 'json',
  summary: 'An object whose members are made by generators.',
  options: z.strictObject({
    fields: z
      .record(z.string(), spec)
      .refine((fields) => Object.keys(fields).length > 0, 'must have a field')
      .describe('a generator by the name of the member'),
  }),
  example: {
    fields: { plan: { generator: 'choice', values: ['free', 'pro'] }, seats: { generator: 'integer', max: 40 } },
  },
  fills: ['json', 'text'],
  inner: ({ fields }) => fields,
  build({ fields }, site) {
    const members = Object.keys(fields).map((name) => [name, site.nested(name)] as const)
    const make = (row: number) => {
      const made: Record<string, unknown> = {}
      for (const [name, built] of members) made[name] = jsonValue(built.value(row))
      return made
    }
    return { value: (row) => (site.family === 'text' ? JSON.stringify(make(row)) : make(row)) }
  },
})

function jsonValue(value: Value): unknown {
  if (typeof value === 'bigint') return Number(value)
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}

export const array = defineGenerator({
  name: 'array',
  summary: 'A list of values of another generator.',
  options: z
    .strictObject({
      of: spec.describe('the generator of an element'),
      min: z.int().min(0).default(0).describe('the fewest elements'),
      max: z.int().min(0).max(1000).default(3).describe('the most elements'),
    })
    .refine(({ min, max }) => min <= max, 'max must be at least min'),
  example: { of: { generator: 'choice', values: ['new', 'sale', 'gift'] }, max: 2 },
  fills: ['array', 'json'],
  inner: ({ of }) => ({ of }),
  build({ min, max }, site) {
    const type = plainType(site.type)
    const element = site.nested('of', type.kind === 'array' ? type.element : undefined)
    return {
      value(row) {
        const length = min + site.at(row, 1).integer(max - min + 1)
        return Array.from({ length }, (_, i) => element.value(row * (max + 1) + i))
      },
    }
  },
})
