import type { RunContext } from '../../context.js'
import type { Database } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import { planGoto, type Situation } from '../plan/plan.js'
import { type BothWaysResult, runBothWays } from './both-ways.js'
import type { RunOptions } from './run.js'

export interface MigrateGotoOptions extends RunOptions {
  /** The version to end at; 0 stands for the empty database. */
  readonly to: number
  readonly allowOutOfOrder?: boolean
}

/**
 * Brings a pack to a version, up or down, in one plan that is checked before the first
 * migration runs.
 *
 * @throws what `migrateDown` and `migrateUp` throw.
 */
export async function migrateGoto(
  database: Database,
  pack: Pack,
  options: MigrateGotoOptions,
  context: RunContext,
): Promise<BothWaysResult> {
  const plan = (situation: Situation) => planGoto(situation, options.to, options.allowOutOfOrder)
  return runBothWays(database, pack, plan, options, context)
}
