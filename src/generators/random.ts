import { createHash } from 'node:crypto'
import { normalQuantile } from './distributions.js'

/** Names one independent stream of numbers; two keys made from different texts have nothing in common. */
export interface StreamKey {
  readonly words: Uint32Array
}

/** Derives the key of a stream from what identifies it, for example the seed, the run and the table. */
export function streamKey(...parts: readonly (string | number)[]): StreamKey {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest()
  return { words: Uint32Array.from({ length: 8 }, (_, i) => digest.readUInt32LE(i * 4)) }
}

/** Numbers that one block of a stream gives. */
export const blockSize = 4

const unit = 2 ** -32

/**
 * Writes numbers in [0, 1) with 32 random bits each: `count` blocks, from block `first`
 * on, of the point (x, y, z) of a stream.
 *
 * A counter-based generator: the numbers are a hash of the key and the four counters,
 * so that any of them can be had without those before it. The hash is pcg4d (M. Jarzynski
 * and M. Olano, Hash Functions for GPU Rendering, Journal of Computer Graphics
 * Techniques 9(3), 2020); half of the key is added to the counters and the other half
 * mixed in between its two rounds. Counters stay below 2²⁹: the highest bits of a
 * counter reach too few bits of the result.
 */
export function drawBlocks(
  { words }: StreamKey,
  x: number,
  y: number,
  z: number,
  first: number,
  count: number,
  target: Float64Array,
): void {
  const startA = (Math.imul((x + (words[0] ?? 0)) | 0, 1_664_525) + 1_013_904_223) | 0
  const startB = (Math.imul((y + (words[1] ?? 0)) | 0, 1_664_525) + 1_013_904_223) | 0
  const startC = (Math.imul((z + (words[2] ?? 0)) | 0, 1_664_525) + 1_013_904_223) | 0
  for (let block = 0; block < count; block++) {
    let d = (Math.imul((first + block + (words[3] ?? 0)) | 0, 1_664_525) + 1_013_904_223) | 0
    let a = (startA + Math.imul(startB, d)) | 0
    let b = (startB + Math.imul(startC, a)) | 0
    let c = (startC + Math.imul(a, b)) | 0
    d = (d + Math.imul(b, c)) | 0
    a ^= (a >>> 16) ^ (words[4] ?? 0)
    b ^= (b >>> 16) ^ (words[5] ?? 0)
    c ^= (c >>> 16) ^ (words[6] ?? 0)
    d ^= (d >>> 16) ^ (words[7] ?? 0)
    a = (a + Math.imul(b, d)) | 0
    b = (b + Math.imul(c, a)) | 0
    c = (c + Math.imul(a, b)) | 0
    d = (d + Math.imul(b, c)) | 0
    const offset = block * blockSize
    target[offset] = ((a ^ (a >>> 15)) >>> 0) * unit
    target[offset + 1] = ((b ^ (b >>> 15)) >>> 0) * unit
    target[offset + 2] = ((c ^ (c >>> 15)) >>> 0) * unit
    target[offset + 3] = ((d ^ (d >>> 15)) >>> 0) * unit
  }
}

/**
 * Random numbers that depend on coordinates and on nothing else.
 *
 * `seat` places the generator at a point of a stream; the draws that follow are a
 * function of the key and that point alone. A row therefore has the same values
 * whichever rows were generated before it, or whether any were. One instance is
 * reseated for millions of rows and allocates nothing.
 *
 * `Math.log`, `Math.exp` and `Math.cos`, which the continuous distributions need, are
 * V8's own software port of fdlibm and not the processor's, so they agree on every
 * machine.
 */
export class Random {
  readonly #block = new Float64Array(blockSize)
  #key: StreamKey = nowhere
  #x = 0
  #y = 0
  #z = 0
  #next = 0

  /** Places the generator at the point (x, y, z) of a stream; each is taken modulo 2³². */
  seat(key: StreamKey, x: number, y = 0, z = 0): this {
    this.#key = key
    this.#x = x
    this.#y = y
    this.#z = z
    this.#next = 0
    return this
  }

  /** An integer in [0, 2³²). */
  bits(): number {
    return this.uniform() * 2 ** 32
  }

  /** A number in [0, 1) with 32 random bits. */
  uniform(): number {
    const lane = this.#next & (blockSize - 1)
    if (lane === 0) drawBlocks(this.#key, this.#x, this.#y, this.#z, this.#next >>> 2, 1, this.#block)
    this.#next++
    return this.#block[lane] ?? 0
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

  /** A standard normal number, from one draw. */
  normal(): number {
    return normalQuantile(this.uniform() + unit / 2)
  }

  /** A number whose logarithm is normal with mean `mu` and standard deviation `sigma`. */
  logNormal(mu: number, sigma: number): number {
    return Math.exp(mu + sigma * this.normal())
  }
}

const nowhere: StreamKey = { words: new Uint32Array(8) }

/** MurmurHash3 x86_32 of three 32-bit words (Austin Appleby, https://github.com/aappleby/smhasher). */
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
