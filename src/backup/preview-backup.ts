import { type Database, withSession, withTransaction } from '../database/connect.js'
import { codeOf } from '../errors.js'
import { type CreateBackupOptions, decide } from './create-backup.js'
import { readInventory } from './inventory.js'
import type { EngineName } from './manifest.js'

/** A backup as it would be made now. */
export interface BackupPreview {
  /** Backups are always of the whole database. */
  readonly scope: 'database'
  readonly engine: EngineName
  readonly reason: string
  readonly directory: string
  /** Bytes of the tables on the server; null when somebody holds a lock that hides them. */
  readonly tableBytes: number | null
  /** Bytes of the backup at most, as compressed rows go; null with `tableBytes`. */
  readonly estimatedBytes: number | null
}

/** Compressed rows take a third to a half of what they take in the database. */
const greatestShare = 0.5

/**
 * Says how `createBackup` would go about it, without writing anything.
 *
 * @throws UsageError when no engine can dump this server.
 */
export async function previewBackup(database: Database, options: CreateBackupOptions): Promise<BackupPreview> {
  const { choice } = await decide(database, options)
  const tableBytes = await bytesOfTables(database)
  const estimatedBytes = tableBytes === null ? null : Math.ceil(tableBytes * greatestShare)
  return { scope: 'database', ...choice, directory: options.directory, tableBytes, estimatedBytes }
}

/** The size of a table that somebody has locked exclusively cannot be asked for; a preview does not wait for it. */
async function bytesOfTables({ sql }: Database): Promise<number | null> {
  try {
    return await withSession(sql, (session) =>
      withTransaction(
        session,
        async () => {
          await session`set local lock_timeout to '500ms'`
          return (await readInventory(session)).tableBytes
        },
        'begin read only',
      ),
    )
  } catch (error) {
    if (codeOf(error) !== '55P03') throw error
    return null
  }
}
