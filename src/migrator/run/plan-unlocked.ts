import { type Database, withSession } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import type { PreparedStep } from '../apply/step-run.js'
import { refuseImpossible } from '../backfill/refuse-impossible.js'
import { DirtyHistoryError, LockTimeoutError, UnfinishedMigrationError } from '../errors.js'
import { refuseOtherTool } from '../import/other-tool.js'
import { migrationLockHolder } from '../lock/lock.js'
import type { Migration } from '../migration.js'
import type { Situation, Step } from '../plan/plan.js'
import { prepareSteps } from '../plan/prepare.js'
import { halfDone } from '../recovery/investigate.js'
import { type Foresight, foreseeSettling } from '../recovery/recover.js'
import type { RunOptions } from './run.js'
import { readSituation } from './situation.js'

/**
 * The plan as it looks before the lock is taken, or undefined when a migration is half
 * done: another run may be in the middle of it, which only the lock can tell, and what
 * broke off can be settled under the lock alone.
 *
 * A dry run takes no lock. It asks the catalog what became of what broke off, and plans from there.
 *
 * @throws LockTimeoutError when it is a dry run and another run is in the middle of a migration.
 */
export async function planUnlocked(
  database: Database,
  pack: Pack,
  migrations: readonly Migration[],
  plan: (situation: Situation) => readonly Step[],
  { dryRun, besideOtherTool }: Pick<RunOptions, 'dryRun' | 'besideOtherTool'>,
): Promise<readonly PreparedStep[] | undefined> {
  try {
    const { situation, findings } = await situationNow(database, pack, migrations, dryRun)
    const steps = plan(situation).map((step) => ({
      ...step,
      remark: findings.get(step.migration.version) ?? step.remark,
    }))
    const applies = steps.some((step) => step.direction === 'up')
    if (applies && !besideOtherTool) await refuseOtherTool(database, pack, situation)
    return await prepare(database, pack, steps)
  } catch (error) {
    const unfinished = error instanceof DirtyHistoryError || error instanceof UnfinishedMigrationError
    const holder = unfinished && (await migrationLockHolder(database.sql, pack.schema))
    if (holder || (error instanceof DirtyHistoryError && !dryRun)) return undefined
    throw error
  }
}

async function situationNow(
  database: Database,
  pack: Pack,
  migrations: readonly Migration[],
  dryRun: boolean | undefined,
): Promise<Foresight> {
  const situation = await readSituation(database, pack, migrations)
  if (!dryRun || halfDone(situation).length === 0) return { situation, findings: new Map() }
  await refuseBusy(database, pack)
  return withSession(database.sql, (session) => foreseeSettling(session, database, pack, situation))
}

/** Everything that can be found out before anything is touched. */
export async function prepare(
  database: Database,
  { schema }: Pack,
  steps: readonly Step[],
  earlier?: readonly PreparedStep[],
) {
  return refuseImpossible(database, schema, await prepareSteps(database, steps, earlier))
}

/** What is half done because another run is at it is not for a dry run to judge. */
async function refuseBusy({ sql }: Database, { schema }: Pack): Promise<void> {
  const holder = await migrationLockHolder(sql, schema)
  if (holder) throw new LockTimeoutError(holder, 0)
}
