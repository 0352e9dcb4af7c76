import type { Database } from '../../database/connect.js'
import { codeOf } from '../../errors.js'
import type { Pack } from '../../packs.js'
import { presentVersions } from '../history/history.js'
import type { Migration } from '../migration.js'
import type { Situation } from '../plan/plan.js'
import { OtherToolError } from './errors.js'
import { type Found, findHistories, nameOf } from './find-table.js'
import { matchFiles } from './match-files.js'

/**
 * Refuses the first run on a database that another tool has migrated with these very
 * files, because obs would run all of them again.
 *
 * Looks only while the history of obs says that nothing is applied, and only at tables
 * in the schema of the pack.
 *
 * @throws OtherToolError naming the tool; UnsettledForeignHistoryError when that tool left something half done.
 */
export async function refuseOtherTool({ sql }: Database, { schema }: Pack, situation: Situation): Promise<void> {
  if (presentVersions(situation.history).length > 0) return
  const histories = await findHistories(sql)
  for (const found of histories.filter(({ table }) => table.schema === schema)) {
    const applied = await appliedBy(sql, found, situation.migrations)
    if (applied.length > 0) throw new OtherToolError(found.tool.name, nameOf(found.table), applied)
  }
}

/**
 * Also when other files are missing: the checkout may be older than the database. None
 * when this role may not look.
 */
async function appliedBy(
  sql: Database['sql'],
  { tool, table }: Found,
  migrations: readonly Migration[],
): Promise<readonly Migration[]> {
  try {
    const { matches } = matchFiles(await tool.read(sql, table), migrations)
    return matches.map((match) => match.migration)
  } catch (error) {
    if (codeOf(error) === '42501') return []
    throw error
  }
}
