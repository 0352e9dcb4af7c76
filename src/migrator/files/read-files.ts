import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** What a file says, without its byte order mark; undefined when it is not UTF-8. Or why it cannot be read. */
export type FileContent = { readonly text: string | undefined } | { readonly error: Error }

/** How many files are asked for at a time where they come slowly. */
const atOnce = 32

/**
 * Reads text files, in their order.
 *
 * A local disk answers faster than a file can be handed to another thread, so files are
 * read one after the other as long as they come quickly; a network or the disk of a
 * virtual machine is asked for many at a time.
 */
export async function readFiles(files: readonly string[]): Promise<readonly FileContent[]> {
  const contents: FileContent[] = []
  const started = performance.now()
  const buffer = Buffer.allocUnsafeSlow(usualSize)
  while (contents.length < files.length && performance.now() - started < patience(contents.length)) {
    contents.push(readNow(files[contents.length] as string, buffer))
  }
  const readOne = async (i: number) => {
    contents[i] = await readFile(files[i] as string).then(asText, asError)
  }
  let next = contents.length
  const readRest = async () => {
    while (next < files.length) await readOne(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, readRest))
  return contents
}

/** Milliseconds that so many files may have taken to count as quick. */
function patience(files: number): number {
  return 20 + files * 0.1
}

/** A migration is rarely longer; thousands of buffers of their own would keep the garbage collector busy. */
const usualSize = 64 * 1024

function readNow(file: string, buffer: Buffer): FileContent {
  try {
    const length = readInto(buffer, file)
    return asText(length < buffer.length ? buffer.subarray(0, length) : readFileSync(file))
  } catch (error) {
    return asError(error)
  }
}

/** Fills the buffer from the beginning of a file, and says how far. */
function readInto(buffer: Buffer, file: string): number {
  const descriptor = openSync(file, 'r')
  try {
    let length = 0
    while (length < buffer.length) {
      const read = readSync(descriptor, buffer, length, buffer.length - length, null)
      if (read === 0) break
      length += read
    }
    return length
  } finally {
    closeSync(descriptor)
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function asText(bytes: Uint8Array): FileContent {
  try {
    return { text: decoder.decode(bytes) }
  } catch {
    return { text: undefined }
  }
}

function asError(error: unknown): FileContent {
  return { error: error instanceof Error ? error : new Error(String(error)) }
}
