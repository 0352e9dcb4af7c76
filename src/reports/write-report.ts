import { randomBytes } from 'node:crypto'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ObsError, UsageError } from '../errors.js'

/**
 * Writes a report to `path`, whole or not at all; the folder is made when it is missing.
 *
 * @throws ObsError with the reason of the file system, an earlier report at `path` being as it was.
 */
export async function writeReport(path: string, text: string): Promise<void> {
  const partial = `${path}.${randomBytes(4).toString('hex')}.partial`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(partial, `${text}\n`)
    await rename(partial, path)
  } catch (cause) {
    await rm(partial, { force: true }).catch(() => undefined)
    throw cannotWrite(path, cause)
  }
}

/**
 * Refuses a path that can be no file, before any work is done for it.
 *
 * @throws UsageError when `path` is a folder.
 */
export async function refuseFolder(path: string, flag = '--output'): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (!found?.isDirectory()) return
  throw new UsageError(`${flag} names a folder: ${path}`, {
    code: 'output_is_folder',
    hint: 'Name a file in it.',
    details: { path },
  })
}

function cannotWrite(path: string, cause: unknown): ObsError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new ObsError(`the report could not be written to ${path}: ${reason}`, {
    code: 'report_not_written',
    hint: 'Name a file that can be written with --output; nothing else was changed.',
    cause,
    details: { path },
  })
}
