import { join } from 'node:path'
import { ObsError } from '../errors.js'
import { archiveNames, deletingNames, partialArchives } from './archive.js'
import { type EncryptionName, type EngineName, readManifest, type ScopeName } from './manifest.js'
import { type ProofLevel, readProof } from './proof.js'

/** One folder of the backup directory, as `obs backup list` shows it. */
export interface BackupEntry {
  readonly id: string
  readonly path: string
  /**
   * `complete`; `damaged` when the manifest cannot be trusted; `writing` while a run is at it; `partial` after
   * one died; `deleting` when its removal was begun and not finished.
   */
  readonly state: 'complete' | 'damaged' | 'writing' | 'partial' | 'deleting'
  readonly created_at: string | null
  readonly database: string | null
  readonly engine: EngineName | null
  readonly scope: ScopeName | null
  readonly encryption: EncryptionName | null
  /** How well it is proven, when, and by which command; `create` reads every file back and compares its hash. */
  readonly proof: { readonly level: ProofLevel; readonly at: string; readonly by: string } | null
  readonly bytes: number | null
  readonly rows: number | null
  /** Migration version by pack. */
  readonly migrations: Readonly<Record<string, string>>
  /** What is wrong with a damaged one. */
  readonly problem: string | null
}

/** What is in a backup directory, newest first. Manifests are checked, the files they name are not read. */
export async function listBackups(directory: string): Promise<BackupEntry[]> {
  const names = await archiveNames(directory)
  const finished = await Promise.all(names.map((name) => describe(directory, name)))
  const partial = (await partialArchives(directory)).map(
    ({ name, path, owner }): BackupEntry => ({
      ...unknown,
      id: name,
      path,
      state: owner === 'alive' ? 'writing' : 'partial',
      problem: owner === 'unknown' ? 'written from another host, which may still be at it' : null,
    }),
  )
  const deleting = (await deletingNames(directory)).map(
    (name): BackupEntry => ({ ...unknown, id: name, path: join(directory, name), state: 'deleting' }),
  )
  return [...finished, ...partial, ...deleting].sort((a, b) => (a.id < b.id ? 1 : -1))
}

const unknown = {
  created_at: null,
  database: null,
  engine: null,
  scope: null,
  encryption: null,
  proof: null,
  bytes: null,
  rows: null,
  migrations: {},
  problem: null,
} as const

async function describe(directory: string, name: string): Promise<BackupEntry> {
  const path = join(directory, name)
  try {
    const { created_at, database, engine, scope, encryption, bytes, rows, migrations } = await readManifest(path)
    const proof = await readProof(path)
    return {
      ...unknown,
      id: name,
      path,
      state: 'complete',
      created_at,
      database: database.name,
      engine,
      scope,
      encryption,
      proof: proof
        ? { level: proof.level, at: proof.at, by: proof.by }
        : { level: 'hashed', at: created_at, by: 'create' },
      bytes,
      rows,
      migrations,
    }
  } catch (error) {
    if (!(error instanceof ObsError)) throw error
    return {
      ...unknown,
      id: name,
      path,
      state: 'damaged',
      problem: String(error.details?.['problem'] ?? error.message),
    }
  }
}
