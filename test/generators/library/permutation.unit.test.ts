import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { permutation } from '../../../src/generators/library/permutation.js'
import { streamKey } from '../../../src/generators/random.js'

describe('a permutation', () => {
  it('reaches every number below its size once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer(), (size, seed) => {
        const { at } = permutation(streamKey('test', seed), size)
        const reached = new Set(Array.from({ length: size }, (_, index) => at(index)))
        expect(reached.size).toBe(size)
        expect(Math.min(...reached)).toBe(0)
        expect(Math.max(...reached)).toBe(size - 1)
      }),
      { numRuns: 50 },
    )
  })

  it('stays below sizes that 32 bits cannot count', () => {
    const size = 2 ** 53
    const { at } = permutation(streamKey('test'), size)
    const reached = Array.from({ length: 10_000 }, (_, index) => at(index))
    expect(new Set(reached).size).toBe(10_000)
    expect(reached.every((value) => Number.isSafeInteger(value) && value >= 0 && value < size)).toBe(true)
    const mean = reached.reduce((sum, value) => sum + value / reached.length, 0)
    expect(Math.abs(mean / size - 0.5)).toBeLessThan(0.02)
  })

  it('is another one for every key and every tweak', () => {
    const first = (key: string, tweak: number) =>
      Array.from({ length: 20 }, (_, index) => permutation(streamKey(key), 1000).at(index, tweak)).join()
    expect(new Set([first('a', 0), first('b', 0), first('a', 1), first('a', 2)]).size).toBe(4)
  })
})
