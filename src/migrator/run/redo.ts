import type { RunContext } from '../../context.js'
import type { Database } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import { planOnce, planRedo } from '../plan/plan.js'
import { type BothWaysResult, runBothWays } from './both-ways.js'
import type { RunOptions } from './run.js'

export interface MigrateRedoOptions extends RunOptions {
  /** How many to revert and apply again; 1 by default. */
  readonly count?: number
}

/**
 * Reverts the migrations that were applied last and applies them again.
 *
 * Each migration commits by itself: when one fails on the way up again, those before it
 * are back and the rest is pending.
 *
 * @throws what `migrateDown` and `migrateUp` throw.
 */
export async function migrateRedo(
  database: Database,
  pack: Pack,
  options: MigrateRedoOptions,
  context: RunContext,
): Promise<BothWaysResult> {
  const plan = planOnce((situation) => planRedo(situation, options.count ?? 1))
  return runBothWays(database, pack, plan, options, context)
}
