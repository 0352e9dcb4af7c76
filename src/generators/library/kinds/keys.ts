import { z } from 'zod'
import { murmur3, streamKey } from '../../random.js'
import { defineGenerator } from '../generator.js'

export const sequence = defineGenerator({
  name: 'sequence',
  summary: 'Counts up, one number a row.',
  options: z.strictObject({
    start: z
      .int()
      .optional()
      .describe('the first number; by default the one behind the greatest that the table has or its sequence gave out'),
    step: z.int().positive().default(1).describe('the distance from one row to the next'),
  }),
  example: { start: 1000 },
  fills: ['integer', 'decimal', 'text'],
  build({ start, step }, site) {
    const base = start ?? site.sequenceStart - site.first * step
    const numberOf = (row: number) => base + row * step
    return {
      distinct: true,
      ascending: true,
      value: (row) => (site.family === 'text' ? String(numberOf(row)) : numberOf(row)),
    }
  },
})

export const uuid = defineGenerator({
  name: 'uuid',
  summary: 'A UUID of version 4 in form, derived from the seed and the row, so that it is the same in every run.',
  options: z.strictObject({}),
  example: {},
  fills: ['uuid', 'text'],
  build(_options, site) {
    const { words } = streamKey(site.seedText)
    return { distinct: true, value: (row) => uuidOf(words, row) }
  },
})

const rounds = 8

/**
 * A one-to-one function of the row's number: a Feistel network over the 122 bits that
 * version and variant leave free, in four words of 32, 26, 32 and 32 bits.
 */
function uuidOf(words: Uint32Array, row: number): string {
  let a = row % 0x1_0000_0000
  let b = Math.floor(row / 0x1_0000_0000) & 0x3ff_ffff
  let c = 0
  let d = 0
  for (let round = 0; round < rounds; round++) {
    const key = words[round % words.length] ?? 0
    c = (c ^ murmur3(key, a, b, round)) >>> 0
    d = (d ^ murmur3(key, b, c, round)) >>> 0
    a = (a ^ murmur3(key, c, d, round)) >>> 0
    b = (b ^ murmur3(key, d, a, round)) & 0x3ff_ffff
  }
  const low = (b & 0xfff) | 0x4000
  const middle = (b >>> 12) & 0x3fff
  return [
    hex(a, 8),
    hex((c >>> 16) & 0xffff, 4),
    hex(low, 4),
    hex(0x8000 | middle, 4),
    `${hex(c & 0xffff, 4)}${hex(d, 8)}`,
  ].join('-')
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0')
}

export const position = defineGenerator({
  name: 'position',
  summary: 'The number of the row among those of its parent: the line of an order, the try of a job.',
  options: z.strictObject({
    start: z.int().default(1).describe('the number of the first one'),
  }),
  example: {},
  fills: ['integer', 'decimal', 'text'],
  build({ start }, site) {
    const { parent } = site
    if (!parent) return site.refuse('counts rows per parent, and the table has no "rows": { "per": … }')
    const value = (row: number) => start + parent.nth(row)
    return { role: 'nth', value: (row) => (site.family === 'text' ? String(value(row)) : value(row)) }
  },
})
