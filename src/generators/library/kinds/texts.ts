import { z } from 'zod'
import { streamKey } from '../../random.js'
import { lengthOf } from '../encoders.js'
import { callFaker, checkMethod } from '../faker-methods.js'
import { type Built, defineGenerator, type Finite, type Site, type Value } from '../generator.js'
import { PatternError, parsePattern } from '../pattern.js'
import { words as commonWords } from '../words.js'

const reference = /\{([^{}]+)\}/g

export const template = defineGenerator({
  name: 'template',
  summary: 'A text put together from other columns: "{first_name}.{last_name}@example.com".',
  options: z.strictObject({
    text: z
      .string()
      .min(1)
      .describe(
        'the text; {column} stands for a column of the row, {reference.column} for one of the row referred to, {row} for the number of the row, {{ and }} for braces',
      ),
    case: z.enum(['lower', 'upper', 'as-is']).default('as-is').describe('the letters of the result'),
  }),
  example: { text: 'INV-{row}', case: 'as-is' },
  fills: ['text', 'json'],
  reads: ({ text }) => pathsOf(text),
  build({ text, case: letters }, site) {
    const parts = partsOf(text, site)
    const distinct = () => pathsOf(text, true).some((path) => path === 'row' || site.isDistinct(path))
    const write = (row: number) => {
      const written = parts.map((part) => part(row)).join('')
      return letters === 'lower' ? written.toLowerCase() : letters === 'upper' ? written.toUpperCase() : written
    }
    return { value: write, distinct }
  },
})

function pathsOf(text: string, withRow = false): readonly string[] {
  const bare = text.replaceAll('{{', '').replaceAll('}}', '')
  const paths = [...bare.matchAll(reference)].map(([, path = '']) => path.trim())
  return withRow ? paths : paths.filter((path) => path !== 'row')
}

function partsOf(text: string, site: Site): readonly ((row: number) => string)[] {
  const parts: ((row: number) => string)[] = []
  let at = 0
  for (const match of text.matchAll(/\{\{|\}\}|\{([^{}]+)\}/g)) {
    const before = text.slice(at, match.index)
    if (before) parts.push(() => before)
    at = match.index + match[0].length
    const path = match[1]?.trim()
    if (path === undefined) parts.push(() => match[0].slice(1))
    else if (path === 'row') parts.push((row) => String(row + 1))
    else parts.push(textOf(site.read(path)))
  }
  const rest = text.slice(at)
  if (rest) parts.push(() => rest)
  return parts
}

function textOf(read: (row: number) => Value): (row: number) => string {
  return (row) => {
    const value = read(row)
    if (value === null) return ''
    return typeof value === 'object' && !(value instanceof Date) ? JSON.stringify(value) : String(value)
  }
}

export const pattern = defineGenerator({
  name: 'pattern',
  summary: 'Codes in a form that a regular expression describes: [A-Z]{3}-[0-9]{4}.',
  options: z.strictObject({
    pattern: z
      .string()
      .min(1)
      .superRefine((source, context) => {
        try {
          parsePattern(source)
        } catch (error) {
          if (!(error instanceof PatternError)) throw error
          context.addIssue({ code: 'custom', message: error.message })
        }
      })
      .describe('literal characters, [A-Z0-9], \\d, \\w, groups with |, and the repeats {n}, {n,m}, ?, * and +'),
  }),
  example: { pattern: '[A-Z]{3}-\\d{4}' },
  fills: ['text', 'integer', 'decimal', 'uuid'],
  build: ({ pattern: source }, site) => evenly(parsePattern(source), site),
})

function evenly(finite: Finite, site: Site): Built {
  const pick = (row: number) => Math.min(finite.size - 1, Math.floor(site.at(row).uniform53() * finite.size))
  return { finite, pick, value: (row) => finite.at(pick(row)) }
}

export const words = defineGenerator({
  name: 'words',
  summary: 'A sentence of everyday words.',
  options: z
    .strictObject({
      min: z.int().min(1).default(3).describe('the fewest words'),
      max: z.int().min(1).max(10_000).default(12).describe('the most words'),
    })
    .refine(({ min, max }) => min <= max, 'max must be at least min'),
  example: { min: 5, max: 20 },
  fills: ['text'],
  build({ min, max }, site) {
    const longest = lengthOf(site.type)
    return {
      value(row) {
        const random = site.at(row)
        const count = min + random.integer(max - min + 1)
        let text = ''
        for (let i = 0; i < count && text.length < longest; i++) {
          const word = commonWords[random.integer(commonWords.length)] ?? ''
          text += i === 0 ? word.charAt(0).toUpperCase() + word.slice(1) : ` ${word}`
        }
        return [...text].slice(0, longest).join('').trimEnd()
      },
    }
  },
})

export const faker = defineGenerator({
  name: 'faker',
  summary: 'Names, addresses, products and the like from the Faker library, from a pool that is made once.',
  options: z.strictObject({
    method: z
      .string()
      .regex(/^[a-z]+\.[a-zA-Z0-9]+$/, 'must name a method, for example "person.fullName"')
      .describe('what to make, as in https://fakerjs.dev/api: "person.fullName", "internet.email", "location.city", …'),
    arguments: z.array(z.unknown()).default([]).describe('arguments of the method'),
    locale: z
      .string()
      .regex(/^[a-z]{2}(_[A-Za-z0-9_]+)?$/, 'must name a locale, for example "de" or "en_GB"')
      .default('en')
      .describe('the language'),
    pool: z.int().min(1).max(100_000).default(1000).describe('how many values are made; rows choose among them'),
  }),
  example: { method: 'person.fullName', pool: 500 },
  fills: ['text', 'integer', 'decimal', 'boolean', 'time', 'uuid', 'json', 'array'],
  async prepare(options, site) {
    const problem = await checkMethod(options.method, options.locale)
    if (problem) return site.refuse(problem)
    const [seed = 0] = streamKey(site.seedText, 'faker').words
    const made = await callFaker({ ...options, count: options.pool, seed, asOf: site.asOf })
    const longest = lengthOf(site.type)
    const fitting = made.filter((value) => typeof value !== 'string' || [...value].length <= longest)
    if (fitting.length === 0) return site.refuse(`makes nothing of at most ${longest} characters`)
    return fitting
  },
  build: (_options, site) => evenly({ size: site.prepared.length, at: (index) => site.prepared[index] ?? null }, site),
})
