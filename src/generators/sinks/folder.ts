import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { throwIfAborted } from '../../database/connect.js'
import { ObsError, UsageError } from '../../errors.js'
import { isAlive } from '../../is-alive.js'

/** A file of the folder, as its manifest describes it. */
export interface WrittenFile {
  readonly name: string
  readonly bytes: number
  readonly sha256: string
}

/** A folder of files that appear together, and only once all of them are complete and on the disk. */
export interface OutputFolder {
  /** Writes a file of these chunks, compressed by gzip when its name ends in `.gz`. */
  write(name: string, chunks: AsyncIterable<Buffer>, signal: AbortSignal): Promise<WrittenFile>
  /** Gives every file its name, `last` behind all others, since its presence says that they are complete. */
  publish(last: string): Promise<void>
}

const partialPrefix = '.obs-partial-'

/**
 * Hands `work` a folder to write files into.
 *
 * Until they are published, files lie in a folder of their own below `path`, named after
 * this process, which is removed whatever becomes of the work. What a killed process
 * left there is removed by the next one.
 *
 * @throws UsageError when `path` is a file, or holds one of `names` and `replaces` is false.
 */
export async function withOutputFolder<T>(
  path: string,
  names: readonly string[],
  replaces: boolean,
  work: (folder: OutputFolder) => Promise<T>,
): Promise<T> {
  await refuseTaken(path, names, replaces)
  const partial = join(path, `${partialPrefix}${process.pid}`)
  try {
    await mkdir(path, { recursive: true })
    await removeAbandoned(path)
    await mkdir(partial)
    return await work(folderAt(path, partial))
  } catch (error) {
    throw explained(path, error)
  } finally {
    await rm(partial, { recursive: true, force: true }).catch(() => undefined)
  }
}

function folderAt(path: string, partial: string): OutputFolder {
  const written: string[] = []
  return {
    async write(name, chunks, signal) {
      const handle = await open(join(partial, name), 'wx')
      try {
        const file = await fill(handle, name, chunks, signal)
        await handle.sync()
        written.push(name)
        return file
      } finally {
        await handle.close()
      }
    },
    async publish(last) {
      for (const name of [...written.filter((one) => one !== last), last]) {
        await rename(join(partial, name), join(path, name))
      }
      await syncFolder(path)
    },
  }
}

async function fill(
  handle: FileHandle,
  name: string,
  chunks: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<WrittenFile> {
  const hash = createHash('sha256')
  let bytes = 0
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      bytes += chunk.length
      done(null, chunk)
    },
  })
  const compress = name.endsWith('.gz') ? [createGzip()] : []
  const source = Readable.from(chunks, { objectMode: false })
  const target = new Writable({
    write(chunk: Buffer, _encoding, done) {
      // Unlike `write`, it goes on until all of the chunk is written.
      handle.appendFile(chunk).then(() => done(), done)
    },
  })
  await pipeline([source, ...compress, meter, target], { signal }).catch((error: unknown) => {
    throwIfAborted(signal)
    throw error
  })
  return { name, bytes, sha256: hash.digest('hex') }
}

async function refuseTaken(path: string, names: readonly string[], replaces: boolean): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found && !found.isDirectory()) {
    throw new UsageError(`--output names a file: ${path}`, {
      code: 'output_is_file',
      hint: 'Name a folder; the files get the names of their tables.',
      details: { path },
    })
  }
  const present = found ? await readdir(path) : []
  const taken = names.filter((name) => present.includes(name))
  if (taken.length === 0 || replaces) return
  throw new UsageError(`${path} holds ${taken.join(', ')} already`, {
    code: 'output_exists',
    hint: 'Name another folder, or write over these files with --replace; nothing was changed.',
    details: { path, files: taken },
  })
}

/** Folders of processes that are gone; those of one that runs are its own. */
async function removeAbandoned(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    const pid = Number(name.startsWith(partialPrefix) ? name.slice(partialPrefix.length) : Number.NaN)
    if (Number.isNaN(pid) || (pid !== process.pid && isAlive(pid))) continue
    await rm(join(path, name), { recursive: true, force: true })
  }
}

/** A rename is on the disk once its folder is; not every system can sync one. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}

/** What the file system says, in words that name the folder; anything else as it is. */
function explained(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || error instanceof ObsError) return error
  return new ObsError(`files could not be written to ${path}: ${error.message}`, {
    code: 'sink_failed',
    hint: 'Make room, or name another folder with --output; no file was left there.',
    cause: error,
    details: { path },
  })
}
