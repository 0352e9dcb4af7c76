import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** The bytes of a file, or why it cannot be read. */
export type FileContent = { readonly bytes: Uint8Array } | { readonly error: Error }

/** How many files are asked for at a time where they come slowly. */
const atOnce = 32

/**
 * Reads files, in their order.
 *
 * A local disk answers faster than a file can be handed to another thread, so files are
 * read one after the other as long as they come quickly; a network or the disk of a
 * virtual machine is asked for many at a time.
 */
export async function readFiles(files: readonly string[]): Promise<readonly FileContent[]> {
  const contents: FileContent[] = []
  const started = performance.now()
  while (contents.length < files.length && performance.now() - started < patience(contents.length)) {
    contents.push(readNow(files[contents.length] as string))
  }
  const readOne = async (i: number) => {
    contents[i] = await readFile(files[i] as string).then((bytes) => ({ bytes }), asError)
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

function readNow(file: string): FileContent {
  try {
    return { bytes: readFileSync(file) }
  } catch (error) {
    return asError(error)
  }
}

function asError(error: unknown): FileContent {
  return { error: error instanceof Error ? error : new Error(String(error)) }
}
