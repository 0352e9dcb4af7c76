import { randomBytes } from 'node:crypto'
import { constants, copyFile, link, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf, ObsError } from '../../errors.js'

export interface NewFile {
  /** Absolute path. */
  readonly path: string
  readonly text: string
}

/**
 * Writes files that belong together: all of them or none, each whole, and never over one
 * that exists.
 *
 * @throws ObsError with the reason of the file system; then none of the files is there.
 */
export async function writeTogether(files: readonly NewFile[]): Promise<void> {
  const mark = randomBytes(4).toString('hex')
  const drafts = files.map((file) => ({ ...file, draft: join(dirname(file.path), `.${basename(file.path)}.${mark}`) }))
  const placed: string[] = []
  let current = ''
  try {
    for (const { draft, text, path } of drafts) {
      current = path
      await writeFile(draft, text, { flag: 'wx' })
    }
    for (const { draft, path } of drafts) {
      current = path
      await place(draft, path)
      placed.push(path)
    }
  } catch (error) {
    await Promise.all(placed.map((path) => rm(path, { force: true })))
    throw cannotWrite(current, error)
  } finally {
    await Promise.all(drafts.map(({ draft }) => rm(draft, { force: true })))
  }
}

/** A link, unlike a rename, fails where the name is taken; some file systems have none. */
async function place(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw error
    await copyFile(draft, path, constants.COPYFILE_EXCL)
  }
}

function cannotWrite(path: string, cause: unknown): ObsError {
  const taken = codeOf(cause) === 'EEXIST'
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new ObsError(taken ? `${path} exists already` : `cannot write ${path}: ${reason}`, {
    code: taken ? 'file_exists' : 'migration_not_written',
    hint: taken ? 'Choose another name; nothing was written.' : 'Look at the folder; nothing was written.',
    cause,
    details: { path },
  })
}
