import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { finalMix, Random, streamKey } from '../../src/generators/random.js'
import { chiSquare, chiSquareLimit, ksDistance, mean, normalCdf } from './theory.js'

const key = streamKey('test', 1)
const word = fc.integer({ min: 0, max: 0xffff_ffff })

describe('a seated generator', () => {
  it('depends on the key and the coordinates and on nothing drawn before', () => {
    fc.assert(
      fc.property(word, word, word, fc.nat(20), (x, y, z, before) => {
        const used = new Random()
        for (let i = 0; i < before; i++) used.seat(key, z, x).normal()
        expect(draws(used.seat(key, x, y, z))).toEqual(draws(new Random().seat(key, x, y, z)))
      }),
    )
  })

  it('differs in every coordinate and in the key', () => {
    const points = [
      [key, 1, 2, 3],
      [key, 2, 2, 3],
      [key, 1, 3, 3],
      [key, 1, 2, 4],
      [key, 2, 1, 3],
      [streamKey('test', 2), 1, 2, 3],
    ] as const
    const firsts = points.map(([stream, x, y, z]) => new Random().seat(stream, x, y, z).bits())
    expect(new Set(firsts).size).toBe(points.length)
  })

  it('gives the numbers it always gave', () => {
    expect(draws(new Random().seat(key, 7, 8, 9))).toMatchInlineSnapshot(`
      [
        740869069,
        0.48647321737371385,
        208,
        -0.3477854689216128,
      ]
    `)
  })
})

describe.each([
  ['along the first coordinate', (i: number) => [i, 0, 0]],
  ['along the second', (i: number) => [5, i, 0]],
  ['along the third', (i: number) => [5, 5, i]],
])('first draws %s', (_, at) => {
  const random = new Random()
  const sample = Array.from({ length: 40_000 }, (_, i) => {
    const [x = 0, y = 0, z = 0] = at(i)
    return random.seat(key, x, y, z).uniform()
  })

  it('are uniform', () => {
    const counts = histogram(sample, 64)
    expect(chiSquare(counts, Array(64).fill(sample.length / 64))).toBeLessThan(chiSquareLimit(63))
  })

  it('say nothing about their neighbours', () => {
    const pairs = histogram(
      sample.slice(1).map((value, i) => (Math.floor(value * 8) * 8 + Math.floor((sample[i] ?? 0) * 8)) / 64),
      64,
    )
    expect(chiSquare(pairs, Array(64).fill((sample.length - 1) / 64))).toBeLessThan(chiSquareLimit(63))
  })
})

describe('the distributions', () => {
  const random = new Random().seat(key, 1)
  const normals = Array.from({ length: 20_000 }, () => random.normal())

  it('have a normal that is normal', () => {
    expect(ksDistance(normals, normalCdf)).toBeLessThan(2.6)
  })

  it('have a log-normal whose logarithm is', () => {
    const logs = Array.from({ length: 20_000 }, () => (Math.log(random.logNormal(7, 0.5)) - 7) / 0.5)
    expect(ksDistance(logs, normalCdf)).toBeLessThan(2.6)
  })

  it('have integers that are even and stay below their bound', () => {
    const sample = Array.from({ length: 21_000 }, () => random.integer(7))
    const counts = Array.from({ length: 7 }, (_, face) => sample.filter((value) => value === face).length)
    expect(counts.reduce((sum, count) => sum + count)).toBe(sample.length)
    expect(chiSquare(counts, Array(7).fill(3000))).toBeLessThan(chiSquareLimit(6))
  })

  it('have 53-bit numbers below 1 with the mean of a uniform one', () => {
    const sample = Array.from({ length: 20_000 }, () => random.uniform53())
    expect(Math.max(...sample)).toBeLessThan(1)
    expect(Math.abs(mean(sample) - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / sample.length))
  })
})

describe('the final mix', () => {
  it('is a permutation: what it did can be undone', () => {
    fc.assert(
      fc.property(word, (value) => {
        expect(unmix(finalMix(value))).toBe(value)
      }),
    )
  })
})

function draws(random: Random): number[] {
  return [random.bits(), random.uniform(), random.integer(1000), random.normal()]
}

function histogram(sample: readonly number[], bins: number): number[] {
  const counts = Array<number>(bins).fill(0)
  for (const value of sample) {
    const bin = Math.floor(value * bins)
    counts[bin] = (counts[bin] ?? 0) + 1
  }
  return counts
}

/** The inverse of MurmurHash3's finaliser: the multiplicative inverses modulo 2³², in reverse. */
function unmix(hash: number): number {
  let word = hash
  word ^= word >>> 16
  word = Math.imul(word, 0x7ed1b41d)
  word ^= (word >>> 13) ^ (word >>> 26)
  word = Math.imul(word, 0xa5cb9243)
  return (word ^ (word >>> 16)) >>> 0
}
