import type { Database } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import { foldHistory, isApplied, readHistory } from '../history/history.js'
import type { Migration } from '../migration.js'
import type { LintOptions } from './lint-migrations.js'
import { readDatabaseFacts } from './read-database.js'

/**
 * What a database tells lint: its version and platform, and what is in its tables.
 *
 * The tables as they are stand for what the applied migrations have made, so they are
 * only of use for those that are pending. For all others the files are what is known.
 */
export async function optionsFromDatabase(
  database: Database,
  pack: Pack,
  migrations: readonly Migration[],
  pendingOnly: boolean,
): Promise<LintOptions> {
  const { serverVersion, name: platform } = database.platform
  const { tables, ...facts } = await readDatabaseFacts(database, pack.schema)
  if (!pendingOnly) return { serverVersion, platform, database: facts }
  const history = foldHistory(await readHistory(database.sql, pack))
  const pending = migrations.filter((one) => !isApplied(history.get(one.version)))
  const versions = new Set(pending.map((one) => one.version))
  return { serverVersion, platform, versions, together: true, database: { ...facts, ...(tables ? { tables } : {}) } }
}
