import type { StreamKey } from '../random.js'
import { murmur3 } from '../random.js'

/** A one-to-one mapping of the numbers 0 to size − 1 onto themselves that looks random. */
export interface Permutation {
  readonly size: number
  /** `tweak` chooses among independent permutations. */
  at(index: number, tweak?: number): number
}

const rounds = 8

/**
 * Makes distinct values without remembering any: row n gets the nth element of a
 * permutation, so no two rows meet and none has to be drawn again.
 *
 * A Feistel network over pairs (left, right) with left < a and right < b, adding modulo
 * a and b in turn, which is one-to-one for every a and b (the FE1 construction of
 * Bellare, Ristenpart, Rogaway and Stegers, Format-Preserving Encryption, SAC 2009).
 * As a · b may exceed the size, a result that does is mapped again until it does not
 * ("cycle walking", Black and Rogaway, Ciphers with Arbitrary Finite Domains, CT-RSA
 * 2002); a · b < size + 2√size, so that is rare. The round function is MurmurHash3:
 * nobody is to be kept from guessing, only patterns are to be kept from showing.
 *
 * @param size at most 2⁵³
 */
export function permutation(key: StreamKey, size: number): Permutation {
  const a = Math.max(1, Math.ceil(Math.sqrt(size)))
  const b = Math.max(1, Math.ceil(size / a))
  const word = (round: number) => key.words[round % key.words.length] ?? 0
  const once = (index: number, tweak: number) => {
    let left = Math.floor(index / b)
    let right = index - left * b
    for (let round = 0; round < rounds; round++) {
      if (round % 2 === 0) left = (left + murmur3(word(round), right, tweak, round)) % a
      else right = (right + murmur3(word(round), left, tweak, round)) % b
    }
    return left * b + right
  }
  return {
    size,
    at(index, tweak = 0) {
      let mapped = once(index, tweak)
      while (mapped >= size) mapped = once(mapped, tweak)
      return mapped
    },
  }
}
