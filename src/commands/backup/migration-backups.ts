import type { RecordedApplication } from '../../backup/find-before.js'
import type { ServerAddress } from '../../database/address.js'
import { withDatabase } from '../../database/connect.js'
import { ConnectionError } from '../../database/explain-error.js'
import { findHistories } from '../../database/history-table.js'
import { ObsError } from '../../errors.js'
import { readHistory } from '../../migrator/history/history.js'
import { type Invocation, targetAddress } from '../invocation.js'

/**
 * The backups that were made before the newest migration of every pack, with the reason why they are
 * needed. When the database cannot be asked, that is said and nothing is known.
 */
export async function backupsOfNewestMigrations(invocation: Invocation<unknown>): Promise<ReadonlyMap<string, string>> {
  const { context, settings } = invocation
  const address = await targetAddress(invocation)
  try {
    return await withDatabase(
      address,
      context,
      async ({ sql }) => {
        const needed = new Map<string, string>()
        for (const history of await findHistories(sql)) {
          const rows = await sql.unsafe<{ pack: string; version: string; backup: string }[]>(
            `select distinct on (pack) pack, version::text as version, backup_id as backup from ${history}
             where backup_id is not null order by pack, id desc`,
          )
          for (const { pack, version, backup } of rows) needed.set(backup, `the way back from ${pack} ${version}`)
        }
        return needed
      },
      { connections: 1, purpose: 'backup prune', readOnly: true },
    )
  } catch (error) {
    if (!isUnreachable(error)) throw error
    context.progress.warn(
      `the migration history could not be asked (${error.message}), so what it needs in ${settings.backups} is not known`,
    )
    return new Map()
  }
}

/**
 * What the history of a database says about the last time that a version was applied; undefined when it
 * says nothing, or the database is gone.
 */
export async function recordedApplication(
  { settings, context }: Invocation<unknown>,
  address: ServerAddress,
  version: number,
): Promise<RecordedApplication | undefined> {
  const ask = () =>
    withDatabase(address, context, ({ sql }) => readHistory(sql, settings.pack), {
      connections: 1,
      purpose: 'backup restore',
      readOnly: true,
    })
  const events = await ask().catch((error: unknown) => {
    if (!isUnreachable(error)) throw error
    context.progress.warn(`the migration history could not be asked (${error.message}); the manifests are`)
    return []
  })
  const ofVersion = events.filter((event) => event.version === version)
  const reverted = ofVersion.findLastIndex((event) => event.direction === 'down')
  // A migration that broke off and went on has several rows, and only the first run of it saw what was before.
  const begun = ofVersion.slice(reverted + 1)[0] ?? ofVersion.findLast((event) => event.direction === 'up')
  return begun && { backupId: begun.backup_id, at: begun.started_at }
}

function isUnreachable(error: unknown): error is ObsError {
  return error instanceof ConnectionError || (error instanceof ObsError && error.code === 'unknown_database')
}
