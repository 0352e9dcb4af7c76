import type { RunContext } from '../../context.js'
import type { Database } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import type { Applied } from '../apply/apply.js'
import { planOnce, planUp, type Situation, type UpTarget } from '../plan/plan.js'
import type { PreservationSummary } from '../preservation/summarise.js'
import type { PlannedMigration } from './planned-migration.js'
import { type BackupReference, type RunOptions, runMigrations } from './run.js'

export interface MigrateUpOptions extends RunOptions, UpTarget {}

export interface MigrateUpResult {
  readonly applied: readonly Applied[]
  /** What a dry run would apply. */
  readonly planned: readonly PlannedMigration[]
  /** Null when none was asked for, or the database held nothing to back up. */
  readonly backup: BackupReference | null
  readonly preservation: PreservationSummary
  readonly durationMs: number
}

/**
 * Applies the pending migrations of a pack, oldest first.
 *
 * All files are parsed first; then the migration lock is taken, the backup made (when
 * there is data), and every migration runs in a transaction together with its history
 * row. Around each one the rows and values that existed before are compared.
 *
 * @throws MigrationFailedError when one fails; those before it stay applied.
 * @throws LockTimeoutError when another run holds the lock for too long (exit code 4).
 */
export async function migrateUp(
  database: Database,
  pack: Pack,
  options: MigrateUpOptions,
  context: RunContext,
): Promise<MigrateUpResult> {
  const plan = (situation: Situation) => planUp(situation, options)
  const chosen = options.steps === undefined ? plan : planOnce(plan)
  const { done, ...rest } = await runMigrations(database, pack, chosen, options, context)
  return { applied: done, ...rest }
}
