import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { codeOf, ObsError } from '../errors.js'
import { isAlive } from '../is-alive.js'
import { chunkFor, type Encryption, type Stage, type WriteOptions, wayOut } from './file-stages.js'
import {
  checksumsName,
  formatChecksums,
  formatManifest,
  type Manifest,
  type ManifestFile,
  manifestName,
} from './manifest.js'

const partialSuffix = '.partial'
const deletingSuffix = '.deleting'
const ownerName = 'owner.json'
const ownerSchema = z.object({
  pid: z.int().positive(),
  host: z.string(),
  started_at: z.string(),
  session: z.string().optional(),
})

/** A backup in the making: a folder `<id>.partial` that becomes `<id>` when everything in it is true. */
export interface Archive {
  readonly id: string
  /** The folder while it is being written. */
  readonly folder: string
  /** What the sessions of a program are called that writes in the folder: it may outlive the process that makes the archive. */
  readonly session: string
  /**
   * Writes a file durably: compressed when that is asked for, encrypted when the archive is, hashed as
   * it goes to the disk. Its name there, which the answer holds, says what was done to it.
   */
  write(path: string, content: FileContent, options?: WriteOptions): Promise<ManifestFile>
  /** How its files are encrypted; undefined when they are not. */
  readonly encryption: Encryption | undefined
  /** Hashes a file that another program wrote, and makes it durable. */
  adopt(path: string): Promise<ManifestFile>
  /** Writes manifest and checksums, then gives the folder its final name. Returns its path. */
  finish(manifest: Manifest): Promise<string>
}

export type FileContent = AsyncIterable<Uint8Array> | string

/** Where an archive is made and under which name. */
export interface ArchivePlace {
  /** The folder that holds the backups. */
  readonly directory: string
  /** The database it is of. */
  readonly database: string
  readonly now: Date
  readonly encryption?: Encryption | undefined
}

/**
 * Makes a new archive in `directory`, gives it to `work`, and removes it when `work` throws.
 *
 * Only `finish` gives it its name, so a folder without `.partial` is always a whole backup.
 *
 * @throws ObsError `disk_full` or `cannot_write_backup`, after the partial folder is gone.
 */
export async function withArchive<T>(
  { directory, database, now, encryption }: ArchivePlace,
  work: (archive: Archive) => Promise<T>,
): Promise<T> {
  const archive = await createArchive(directory, archiveId(database, now), encryption).catch((error) => {
    throw explainWriteError(error, directory)
  })
  try {
    return await work(archive)
  } catch (error) {
    await rm(archive.folder, { recursive: true, force: true })
    throw explainWriteError(error, directory)
  }
}

const archivePattern = /^\d{8}T\d{6}Z-/

/** `20261122T093015Z-<database>`, with what a file system may object to replaced. */
function archiveId(database: string, now: Date): string {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '')
  const name = database.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, 40)
  return `${time}-${name || 'database'}`
}

/** A folder that a run left behind, or is still writing. */
export interface PartialArchive {
  readonly name: string
  readonly path: string
  /** `alive` while its process runs, `dead` when it does not, `unknown` when that was on another host. */
  readonly owner: 'alive' | 'dead' | 'unknown'
  /** What sessions on the server are called that a program of the run may still have. */
  readonly session: string | undefined
}

/** The partial folders of `directory`; a directory that does not exist has none. */
export async function partialArchives(directory: string): Promise<PartialArchive[]> {
  const names = (await folderNames(directory)).filter(
    (name) => archivePattern.test(name) && name.endsWith(partialSuffix),
  )
  return Promise.all(
    names.map(async (name) => {
      const path = join(directory, name)
      return { name, path, ...(await ownerOf(path)) }
    }),
  )
}

/**
 * Removes what dead runs left behind and returns their names; a live run's folder is left alone.
 *
 * A pg_dump whose obs was killed goes on writing: `endSessions` ends it on the server, and where that
 * cannot be done it finds no folder of the name any more.
 */
export async function removeDeadPartials(
  directory: string,
  endSessions: (name: string) => Promise<unknown> = async () => undefined,
): Promise<string[]> {
  const dead = (await partialArchives(directory)).filter(({ owner }) => owner === 'dead')
  for (const { name, session } of dead) {
    if (session) await endSessions(session)
    await removeArchive(directory, name)
  }
  return dead.map(({ name }) => name)
}

/** The names of the finished backups of `directory`, in no particular order. */
export async function archiveNames(directory: string): Promise<string[]> {
  const isFinished = (name: string) => !name.endsWith(partialSuffix) && !name.endsWith(deletingSuffix)
  return (await folderNames(directory)).filter((name) => archivePattern.test(name) && isFinished(name))
}

/** The folders of backups whose removal was begun; what is in them is not whole any more. */
export async function deletingNames(directory: string): Promise<string[]> {
  return (await folderNames(directory)).filter((name) => archivePattern.test(name) && name.endsWith(deletingSuffix))
}

/**
 * Removes a backup, finished or not.
 *
 * It loses its name first, so that a run that dies on the way leaves nothing that looks like a backup.
 */
export async function removeArchive(directory: string, name: string): Promise<void> {
  const doomed = join(directory, name + deletingSuffix)
  await rename(join(directory, name), doomed)
  await syncFolder(directory)
  await rm(doomed, { recursive: true, force: true })
}

/** Finishes removals that died on the way and returns the names of their folders. */
export async function finishRemovals(directory: string): Promise<string[]> {
  const names = await deletingNames(directory)
  for (const name of names) await rm(join(directory, name), { recursive: true, force: true })
  return names
}

async function createArchive(directory: string, wanted: string, encryption: Encryption | undefined): Promise<Archive> {
  await mkdir(directory, { recursive: true })
  const { id, folder } = await claim(directory, wanted)
  const session = `obs pg_dump #${randomBytes(6).toString('hex')}`
  await writeOwner(folder, session)
  return {
    id,
    folder,
    session,
    encryption,
    write: (path, content, options = {}) => {
      const way = wayOut(path, options, encryption)
      return writeDurably(folder, way.path, content, way.stages)
    },
    adopt: (path) => hashDurably(folder, path),
    finish: (manifest) => finish(directory, folder, manifest),
  }
}

async function writeOwner(folder: string, session: string): Promise<void> {
  const owner = { pid: process.pid, host: hostname(), started_at: new Date().toISOString(), session }
  try {
    const draft = join(folder, `${ownerName}.draft`)
    await writeFile(draft, JSON.stringify(owner), { mode: 0o600 })
    await rename(draft, join(folder, ownerName))
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Two backups of one database in one second get different names. */
async function claim(directory: string, wanted: string): Promise<{ id: string; folder: string }> {
  for (let attempt = 1; ; attempt++) {
    const id = attempt === 1 ? wanted : `${wanted}-${attempt}`
    const folder = join(directory, id + partialSuffix)
    if (!(await makeFolder(folder))) continue
    // Looked at only now: whoever held the name before may just have finished.
    if (!(await exists(join(directory, id)))) return { id, folder }
    await rmdir(folder)
  }
}

/** Makes a folder, or says that somebody else has it. */
async function makeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 })
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    return false
  }
}

async function writeDurably(
  folder: string,
  path: string,
  content: FileContent,
  stages: readonly Stage[] = [],
): Promise<ManifestFile> {
  const target = join(folder, path)
  await mkdir(dirname(target), { recursive: true, mode: 0o700 })
  const hash = createHash('sha256')
  let bytes = 0
  let failure: { readonly error: unknown } | undefined
  const file = await open(target, 'wx', 0o600)
  const write = async (chunks: AsyncIterable<Uint8Array>) => {
    try {
      for await (const chunk of chunks) {
        hash.update(chunk)
        bytes += chunk.length
        await writeAll(file, chunk)
      }
    } catch (error) {
      failure = { error }
      throw error
    }
  }
  try {
    const source = Readable.from(typeof content === 'string' ? [Buffer.from(content)] : content, { objectMode: false })
    await pipeline([source, ...stages.map((stage) => stage()), Duplex.from(write)]).catch((error: unknown) => {
      // A pipeline may report that it was aborted rather than what aborted it.
      throw failure ? failure.error : error
    })
    await file.sync()
  } finally {
    await file.close()
  }
  return { path, bytes, sha256: hash.digest('hex') }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    written += (await file.write(chunk, written)).bytesWritten
  }
}

async function hashDurably(folder: string, path: string): Promise<ManifestFile> {
  const file = await open(join(folder, path), 'r+')
  try {
    await file.chmod(0o600)
    await file.sync()
    return { path, ...(await hashFile(file)) }
  } finally {
    await file.close()
  }
}

/** Size and SHA-256 of an open file, read once from its start. */
export async function hashFile(file: FileHandle): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  const highWaterMark = chunkFor((await file.stat()).size)
  for await (const chunk of file.createReadStream({ autoClose: false, start: 0, highWaterMark })) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { bytes, sha256: hash.digest('hex') }
}

/**
 * The rename is the moment the backup exists.
 *
 * Folders are synced before and after it, because a rename that reached the disk
 * before the names inside the folder would be a backup of nothing after a power cut.
 */
async function finish(directory: string, folder: string, manifest: Manifest): Promise<string> {
  const text = formatManifest(manifest)
  await writeDurably(folder, manifestName, text)
  await writeDurably(folder, checksumsName, formatChecksums(text, manifest.files))
  await rm(join(folder, ownerName))
  const folders = new Set(manifest.files.map((file) => dirname(join(folder, file.path))))
  for (const path of folders) await syncFolder(path)
  await syncFolder(folder)
  const path = join(directory, manifest.id)
  await rename(folder, path)
  await syncFolder(directory)
  return path
}

/** Windows cannot open a folder to sync it, and does not need to. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** A folder has no owner file for a moment after it is made and before it is renamed. */
const ownerlessGrace = 60_000

async function ownerOf(path: string): Promise<Pick<PartialArchive, 'owner' | 'session'>> {
  const { data } = ownerSchema.safeParse(await readOwner(path))
  if (!data) {
    const isFresh = Date.now() - (await changedAt(path)) < ownerlessGrace
    return { owner: isFresh ? 'alive' : 'dead', session: undefined }
  }
  const { host, pid, session } = data
  if (host !== hostname()) return { owner: 'unknown', session }
  return { owner: isAlive(pid) ? 'alive' : 'dead', session }
}

async function changedAt(path: string): Promise<number> {
  return stat(path).then(
    (entry) => entry.mtimeMs,
    () => Date.now(),
  )
}

async function readOwner(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(join(path, ownerName), 'utf8'))
  } catch {
    return undefined
  }
}

async function folderNames(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw explainReadError(error, directory)
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

function explainReadError(error: unknown, directory: string): unknown {
  return new ObsError(`the backups in ${directory} cannot be read: ${messageOf(error)}`, {
    code: 'cannot_read_backups',
    hint: 'Check the folder and its rights, or name another with OBS_BACKUPS.',
    cause: error,
    details: { directory },
  })
}

const fullDisk = new Set(['ENOSPC', 'EDQUOT'])
const unwritable = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'EIO', 'EMFILE'])

/** Says what a file system's refusal means for the backup; other errors pass through. */
export function explainWriteError(error: unknown, directory: string): unknown {
  if (error instanceof ObsError) return error
  const code = codeOf(error)
  if (fullDisk.has(code)) return diskFull(directory, error)
  if (!unwritable.has(code)) return error
  return new ObsError(`the backup cannot be written in ${directory}: ${messageOf(error)}`, {
    code: 'cannot_write_backup',
    hint: 'Check the folder and its rights, or name another with OBS_BACKUPS; the database was only read.',
    cause: error,
    details: { directory, reason: code },
  })
}

/** The disk that holds `directory` took no more. */
function diskFull(directory: string, cause: unknown): ObsError {
  return new ObsError(`the disk that holds ${directory} is full; the unfinished backup was removed`, {
    code: 'disk_full',
    hint: 'Free some space or name a folder on another disk with OBS_BACKUPS; the database was only read.',
    cause,
    details: { directory },
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
