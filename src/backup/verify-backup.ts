import { open, readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { codeOf, ObsError } from '../errors.js'
import { hashFile } from './archive.js'
import { findBackup } from './find-backup.js'
import { checksumsName, type Manifest, type ManifestFile, manifestName, proofName, readManifest } from './manifest.js'
import { together } from './read-in-units.js'

/** One thing that is wrong with a backup. */
export interface Damage {
  readonly path: string
  readonly problem: 'missing' | 'truncated' | 'grown' | 'changed' | 'unreadable' | 'not part of the backup'
}

export interface VerifyResult {
  readonly id: string
  readonly path: string
  readonly files: number
  readonly bytes: number
  readonly verified: true
  readonly manifest: Manifest
}

/**
 * Reads every file of a backup again and compares it with the manifest.
 *
 * @param id the backup's name, or `latest`.
 * @throws ObsError `damaged_backup` naming every file that is missing, changed, shorter, longer
 * or added, and `damaged_manifest` when the manifest itself was touched.
 */
export async function verifyBackup(directory: string, id: string): Promise<VerifyResult> {
  const path = await findBackup(directory, id)
  const manifest = await readManifest(path)
  const damages = [...(await damagesOf(path, manifest.files)), ...(await strangers(path, manifest))]
  if (damages.length > 0) throw damagedBackup(path, damages)
  return { id: manifest.id, path, files: manifest.files.length, bytes: manifest.bytes, verified: true, manifest }
}

/**
 * Reads `files` below `folder` and compares size and hash.
 *
 * @throws ObsError `damaged_backup` naming every one that differs.
 */
export async function verifyFiles(folder: string, files: readonly ManifestFile[]): Promise<void> {
  const damages = await damagesOf(folder, files)
  if (damages.length > 0) throw damagedBackup(folder, damages)
}

/** Files that are read at the same time. */
const filesAtATime = 4

async function damagesOf(folder: string, files: readonly ManifestFile[]): Promise<Damage[]> {
  const waiting = [...files.entries()]
  const problems = new Map<number, Damage>()
  await together(Math.min(filesAtATime, files.length), async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, file] = next
      const problem = await problemOf(join(folder, file.path), file)
      if (problem) problems.set(at, { path: file.path, problem })
    }
  })
  return [...problems].sort(([a], [b]) => a - b).map(([, damage]) => damage)
}

async function problemOf(path: string, expected: ManifestFile): Promise<Damage['problem'] | undefined> {
  const found = await hashOf(path)
  if (typeof found === 'string') return found
  if (found.bytes < expected.bytes) return 'truncated'
  if (found.bytes > expected.bytes) return 'grown'
  return found.sha256 === expected.sha256 ? undefined : 'changed'
}

async function hashOf(path: string): Promise<{ bytes: number; sha256: string } | 'missing' | 'unreadable'> {
  try {
    await using file = await open(path)
    return await hashFile(file)
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'missing' : 'unreadable'
  }
}

/** Files in the folder that no manifest speaks of: whoever restores by hand might take them for real. */
async function strangers(folder: string, manifest: Manifest): Promise<Damage[]> {
  const known = new Set([manifestName, checksumsName, proofName, ...manifest.files.map((file) => file.path)])
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !known.has(path))
    .sort()
    .map((path) => ({ path, problem: 'not part of the backup' }))
}

function damagedBackup(path: string, damages: readonly Damage[]): ObsError {
  const list = damages.map((damage) => `${damage.path}: ${damage.problem}`).join(', ')
  return new ObsError(`the backup in ${path} is damaged: ${list}`, {
    code: 'damaged_backup',
    hint: 'Choose another backup from obs backup list; nothing was changed.',
    details: { path, damages },
  })
}
