import { createReadStream, statSync } from 'node:fs'
import { join } from 'node:path'
import { Duplex, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Cipher } from './encryption.js'
import { chunkFor, storedName, wayBack } from './file-stages.js'
import type { Manifest } from './manifest.js'

/** Reads the files of a finished backup, decrypted and decompressed on the way. */
export interface ArchiveReader {
  /** The backup's folder. */
  readonly folder: string
  /** The content of a file under its name on the disk, to be piped through the steps that follow. */
  open(path: string): { readonly source: Readable; readonly steps: readonly Duplex[] }
  /** The same as one stream. */
  stream(path: string): Readable
  /** A whole file as text, by the name it has when nothing is encrypted: for definitions, never for rows. */
  text(name: string): Promise<string>
}

/** @param decrypt undoes the encryption that the manifest names. */
export function readerOf(folder: string, manifest: Pick<Manifest, 'encryption'>, decrypt?: Cipher): ArchiveReader {
  const open = (path: string) => {
    // A file that is missing is an error of its stream.
    const bytes = statSync(join(folder, path), { throwIfNoEntry: false })?.size ?? 0
    const stages = wayBack(path, bytes, decrypt)
    return {
      source: createReadStream(join(folder, path), { highWaterMark: chunkFor(bytes) }),
      steps: stages.map((stage) => stage()),
    }
  }
  return {
    folder,
    open,
    stream: (path) => {
      const { source, steps } = open(path)
      // An error of the file or of a step ends the last step with it, where the reader sees it.
      return steps.reduce<Readable>((before, step) => finish(before, step), source)
    },
    text: async (name) => {
      const { source, steps } = open(storedName(name, manifest.encryption))
      const parts: Uint8Array[] = []
      const collect = async (bytes: AsyncIterable<Uint8Array>) => {
        for await (const part of bytes) parts.push(part)
      }
      await pipeline([source, ...steps, Duplex.from(collect)])
      return Buffer.concat(parts).toString('utf8')
    },
  }
}

function finish(before: Readable, step: Duplex): Duplex {
  before.on('error', (error) => step.destroy(error))
  return before.pipe(step)
}
