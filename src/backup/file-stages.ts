import { Duplex } from 'node:stream'
import { createGunzip, createGzip } from 'node:zlib'
import { UsageError } from '../errors.js'
import type { Cipher } from './encryption.js'
import type { EncryptionName } from './manifest.js'

/** Makes one step of a file's way: bytes in, bytes out. */
export type Stage = () => Duplex

/** How the files of a backup are made unreadable to others. */
export interface Encryption {
  readonly name: Exclude<EncryptionName, 'none'>
  readonly encrypt: Cipher
}

/** What is known of a file by the end of its name: `rows.copy.gz.age` was compressed, then encrypted. */
const suffixes = { gzip: '.gz', age: '.age' } as const

const largestChunk = 256 * 1024
const smallestChunk = 4 * 1024

/**
 * Bytes to handle at a time of content of `bytes`, where that is known: thousands of small files with a
 * large buffer each would be mostly work for the garbage collector.
 */
export function chunkFor(bytes = largestChunk): number {
  return Math.min(largestChunk, Math.max(smallestChunk, bytes))
}

/** The way of a file to the disk: its name there, and what its bytes go through. */
export interface WayOut {
  readonly path: string
  readonly stages: readonly Stage[]
}

/** How content goes to the disk. */
export interface WriteOptions {
  readonly compress?: boolean
  /** About how long the content is, where that is known. */
  readonly bytes?: number
}

/** Compress, then encrypt: what was encrypted cannot be compressed any more. */
export function wayOut(path: string, { compress, bytes }: WriteOptions, encryption: Encryption | undefined): WayOut {
  const compressed = compress ? { path: path + suffixes.gzip, stages: [gzip(bytes)] } : { path, stages: [] }
  if (encryption === undefined) return compressed
  return {
    path: compressed.path + suffixes[encryption.name],
    stages: [...compressed.stages, through(encryption.encrypt)],
  }
}

function through(cipher: Cipher): Stage {
  return () => Duplex.from(cipher)
}

/** Level 1: the disk is spared most of the bytes and the processor most of the work. */
const gzip =
  (bytes?: number): Stage =>
  () =>
    createGzip({ level: 1, chunkSize: chunkFor(bytes) })

/**
 * The way back from the disk of a file of `bytes`, as its name tells it.
 *
 * @throws UsageError `key_needed` for an encrypted file without a way to decrypt it.
 */
export function wayBack(path: string, bytes: number, decrypt: Cipher | undefined): readonly Stage[] {
  const encrypted = path.endsWith(suffixes.age)
  if (encrypted && decrypt === undefined) throw keyNeeded(path)
  const inner = encrypted ? path.slice(0, -suffixes.age.length) : path
  return [
    ...(encrypted && decrypt ? [through(decrypt)] : []),
    ...(inner.endsWith(suffixes.gzip) ? [gunzip(bytes)] : []),
  ]
}

/** Rows become four times as long, more or less. */
const gunzip =
  (bytes: number): Stage =>
  () =>
    createGunzip({ chunkSize: chunkFor(4 * bytes) })

function keyNeeded(path: string): UsageError {
  return new UsageError(`the backup is encrypted (${path}), and no key was given`, {
    code: 'key_needed',
    hint: 'Name the key file with --identity; nothing was changed.',
    details: { path },
  })
}

/** The name a file has in a backup that is encrypted like this. */
export function storedName(path: string, encryption: EncryptionName): string {
  return encryption === 'none' ? path : path + suffixes[encryption]
}
