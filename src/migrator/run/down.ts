import type { RunContext } from '../../context.js'
import type { Database } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import type { Applied } from '../apply/apply.js'
import { type DownTarget, planDown, planOnce } from '../plan/plan.js'
import type { PreservationSummary } from '../preservation/summarise.js'
import type { PlannedMigration } from './planned-migration.js'
import { type BackupReference, type RunOptions, runMigrations } from './run.js'

export interface MigrateDownOptions extends RunOptions {
  /** How far to go: by default one migration. */
  readonly target?: DownTarget
}

export interface MigrateDownResult {
  readonly reverted: readonly Applied[]
  /** What a dry run would revert. */
  readonly planned: readonly PlannedMigration[]
  readonly backup: BackupReference | null
  readonly preservation: PreservationSummary
  readonly durationMs: number
}

/**
 * Reverts applied migrations, the one that was applied last first.
 *
 * What a down file drops is gone afterwards, which is why a backup comes first; rows
 * and values in tables that stay are compared as they are for `up`.
 *
 * @throws MissingDownError naming every migration without a down, before the first is reverted.
 */
export async function migrateDown(
  database: Database,
  pack: Pack,
  options: MigrateDownOptions,
  context: RunContext,
): Promise<MigrateDownResult> {
  const target = options.target ?? { steps: 1 }
  const plan = planOnce((situation) => planDown(situation, target))
  const { done, ...rest } = await runMigrations(database, pack, plan, options, context)
  return { reverted: done, ...rest }
}
