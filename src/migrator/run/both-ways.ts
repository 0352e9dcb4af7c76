import type { RunContext } from '../../context.js'
import type { Database } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import type { Applied } from '../apply/apply.js'
import type { Situation, Step } from '../plan/plan.js'
import type { PreservationSummary } from '../preservation/summarise.js'
import type { PlannedMigration } from './planned-migration.js'
import { type BackupReference, type RunOptions, runMigrations } from './run.js'

/** What a run did that may revert as well as apply. */
export interface BothWaysResult {
  readonly reverted: readonly Applied[]
  readonly applied: readonly Applied[]
  /** What a dry run would do, in order. */
  readonly planned: readonly PlannedMigration[]
  readonly backup: BackupReference | null
  readonly preservation: PreservationSummary
  readonly durationMs: number
}

/** Runs a plan that may go down first and up then. */
export async function runBothWays(
  database: Database,
  pack: Pack,
  plan: (situation: Situation) => readonly Step[],
  options: RunOptions,
  context: RunContext,
): Promise<BothWaysResult> {
  const { done, ...rest } = await runMigrations(database, pack, plan, options, context)
  const of = (direction: Applied['direction']) => done.filter((one) => one.direction === direction)
  return { reverted: of('down'), applied: of('up'), ...rest }
}
