import type { Database } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import { findChanges } from '../checksum/changes.js'
import { discover } from '../files/discover.js'
import { foldHistory, readHistory } from '../history/history.js'
import type { Migration } from '../migration.js'
import type { Situation } from '../plan/plan.js'

/**
 * Reads the history, and the files unless they were read already: all that a plan is made from.
 *
 * A run reads its files once, so that what was parsed and checked is what is run.
 */
export async function readSituation(
  { sql, platform }: Database,
  pack: Pack,
  files?: readonly Migration[],
): Promise<Situation> {
  const migrations = files ?? (await discover(pack.migrations))
  const history = foldHistory(await readHistory(sql, pack))
  const changes = await findChanges(sql, pack, migrations, history)
  return { migrations, history, changes, platform: platform.name, folder: pack.migrations }
}
