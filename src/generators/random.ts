import { createHash } from 'node:crypto'

/** Names one independent stream of numbers; two keys made from different texts have nothing in common. */
export interface StreamKey {
  readonly words: Uint32Array
}

/** Derives the key of a stream from what identifies it, for example the seed, the run and the table. */
export function streamKey(...parts: readonly (string | number)[]): StreamKey {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest()
  return { words: Uint32Array.from({ length: 8 }, (_, i) => digest.readUInt32LE(i * 4)) }
}

/**
 * Random numbers that depend on coordinates and on nothing else.
 *
 * `seat` places the generator at a point of a stream; the draws that follow are a
 * function of the key and that point alone. A row therefore has the same values
 * whichever rows were generated before it, or whether any were. One instance is
 * reseated for millions of rows and allocates nothing.
 *
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand,
 * https://pracrand.sourceforge.net/RNG_engines.txt): 128 bits of state, of which 96
 * are seeded and 32 count, run for twelve rounds before its first output as its
 * author does. Coordinates become state through MurmurHash3 x86_32 (Austin Appleby,
 * https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp).
 *
 * `Math.log`, `Math.exp` and `Math.cos`, which the continuous distributions need, are
 * V8's own software port of fdlibm and not the processor's, so they agree on every
 * machine.
 */
export class Random {
  #a = 0
  #b = 0
  #c = 0
  #counter = 1

  /** Places the generator at the point (x, y, z) of a stream; each is taken modulo 2³². */
  seat(key: StreamKey, x: number, y = 0, z = 0): this {
    const { words } = key
    this.#a = murmur3(words[0] ?? 0, x, y, z)
    this.#b = murmur3(words[1] ?? 0, x, y, z)
    this.#c = murmur3(words[2] ?? 0, x, y, z)
    this.#counter = 1
    for (let round = 0; round < 12; round++) this.bits()
    return this
  }

  /** An integer in [0, 2³²). */
  bits(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** A number in [0, 1) with 32 random bits. */
  uniform(): number {
    return this.bits() * 2 ** -32
  }

  /** A number in [0, 1) with 53 random bits, for ranges that 32 bits are too coarse for. */
  uniform53(): number {
    return ((this.bits() >>> 5) * 67_108_864 + (this.bits() >>> 6)) * 2 ** -53
  }

  /** An integer in [0, n), n at most 2³¹; the bias of scaling 32 bits is below n / 2³². */
  integer(n: number): number {
    return Math.floor(this.uniform() * n)
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform()
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability
  }

  /** A standard normal number, by Box and Muller (Ann. Math. Statist. 29, 1958). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    return radius * Math.cos(2 * Math.PI * this.uniform())
  }

  /** A number whose logarithm is normal with mean `mu` and standard deviation `sigma`. */
  logNormal(mu: number, sigma: number): number {
    return Math.exp(mu + sigma * this.normal())
  }
}

/** MurmurHash3 x86_32 of three 32-bit words. */
export function murmur3(seed: number, x: number, y: number, z: number): number {
  const hash = round(round(round(seed, x), y), z) ^ 12
  return finalMix(hash)
}

/** The finaliser of MurmurHash3: every input bit reaches every output bit, and no two inputs meet. */
export function finalMix(word: number): number {
  let hash = word
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function round(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e_2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b87_3593)
  const mixed = hash ^ k
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe654_6b64) | 0
}
