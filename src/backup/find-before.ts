import { UsageError } from '../errors.js'
import type { BackupEntry } from './list-backups.js'

/** A migration, and the database it was run on. */
export interface MigrationPoint {
  readonly pack: string
  readonly version: number
  readonly database: string
}

/** What the history says about the last time that the migration was applied. */
export interface RecordedApplication {
  /** Null when none was made. */
  readonly backupId: string | null
  readonly at: Date
}

export interface FoundBackup {
  readonly backup: BackupEntry
  /** How it was found, as a person would say it. */
  readonly how: string
}

/**
 * Finds the backup that holds a database as it was before a migration.
 *
 * The history names it. Where it names none, or the database with its history is gone, the manifests
 * are asked: the newest backup of that database at a lower version, of everything where there is one.
 *
 * @throws UsageError when there is none, or the one that the history names is not in the folder any more.
 */
export function backupBefore(
  backups: readonly BackupEntry[],
  point: MigrationPoint,
  recorded: RecordedApplication | undefined,
): FoundBackup {
  if (recorded?.backupId) return named(backups, point, recorded.backupId)
  const limit = recorded?.at.getTime() ?? Number.POSITIVE_INFINITY
  const candidates = backups
    .filter((backup) => backup.state === 'complete' && backup.database === point.database)
    .filter(({ created_at }) => Date.parse(created_at ?? '') <= limit)
    .filter(({ migrations }) => Number(migrations[point.pack] ?? 0) < point.version)
  const backup = candidates.find(({ scope }) => scope === 'full') ?? candidates[0]
  if (!backup) throw noneBefore(point)
  const at = `at ${point.pack} ${backup.migrations[point.pack] ?? 0}, of ${backup.created_at}`
  const how = recorded
    ? `no backup was made for ${point.version}; this is the newest one before it, ${at}`
    : `the newest one below version ${point.version}, ${at}, as its manifest says`
  return { backup, how }
}

function named(backups: readonly BackupEntry[], point: MigrationPoint, id: string): FoundBackup {
  const backup = backups.find((one) => one.id === id)
  if (backup?.state === 'complete') return { backup, how: `made before ${point.pack} ${point.version} was applied` }
  const state = backup ? `is ${backup.state}` : 'is not in the folder of backups'
  throw new UsageError(`the backup ${id} that was made before ${point.pack} ${point.version} ${state}`, {
    code: 'unknown_backup',
    hint: 'Name the folder it is in with --directory, or choose another one from obs backup list; nothing was changed.',
    details: { id, ...point },
  })
}

function noneBefore({ pack, version, database }: MigrationPoint): UsageError {
  return new UsageError(`there is no backup of ${JSON.stringify(database)} from before ${pack} ${version}`, {
    code: 'unknown_backup',
    hint: 'Look at obs backup list, or name another folder with --directory; nothing was changed.',
    details: { pack, version, database },
  })
}
