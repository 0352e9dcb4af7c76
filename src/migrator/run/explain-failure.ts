import { quietContext, type RunContext } from '../../context.js'
import { withDatabase } from '../../database/connect.js'
import { ObsError } from '../../errors.js'
import type { Applied } from '../apply/apply.js'
import { StepError } from '../apply/step-error.js'
import { isTransactional, type PreparedStep } from '../apply/step-run.js'
import { describeProgress } from '../backfill/progress-table.js'
import { isSame } from '../checksum/checksum.js'
import { interruptedRun, MigrationFailedError, type RunState } from '../errors.js'
import { currentVersion, foldHistory, presentVersions, readHistory } from '../history/history.js'
import type { BackupReference, Work } from './run.js'

/** Turns what went wrong into what a person needs to know about it. */
export async function explainFailure(
  error: unknown,
  work: Pick<Work, 'database' | 'pack'>,
  step: PreparedStep,
  { done, backup }: { readonly done: readonly Applied[]; readonly backup: BackupReference | null },
  context: RunContext,
): Promise<unknown> {
  const state: RunState = {
    migration: step.migration.id,
    direction: step.direction,
    done: done.map((one) => (one.direction === step.direction ? one.id : `${one.id} (${one.direction})`)),
    now: await whereNow(work, step, error),
    backup,
  }
  if (context.signal.aborted) return interruptedRun(state)
  const failure =
    error instanceof StepError ? error.failure : { message: error instanceof Error ? error.message : String(error) }
  return new MigrationFailedError(state, failure, error instanceof StepError ? error.cause : error)
}

/**
 * Asks the database itself, on another connection: the one that was used may be gone,
 * and whether its last commit was carried out only the server knows.
 */
async function whereNow(
  { database, pack }: Pick<Work, 'database' | 'pack'>,
  step: PreparedStep,
  error: unknown,
): Promise<string> {
  try {
    const { events, progress } = await withDatabase(
      database.address,
      quietContext(),
      async ({ sql }) => ({
        events: await readHistory(sql, pack),
        progress: await describeProgress(sql, pack, step.migration.version, step.direction),
      }),
      { connections: 1, purpose: 'migrate, asking where the database stands' },
    )
    const state = foldHistory(events)
    const record = state.get(step.migration.version)
    const at = `the database is at version ${currentVersion(state)}`
    const half = presentVersions(state).find((one) => one.state === 'stopped' || one.state === 'unknown')
    if (half?.state === 'stopped' && progress)
      return `${at}; ${step.migration.id} stopped in statement ${half.statement}: ${progress}; it goes on there`
    if (half?.state === 'stopped')
      return `${at}; ${step.migration.id} stopped before statement ${half.statement} and goes on there`
    if (half)
      return `${at}; ${step.migration.id} broke off in statement ${half.statement}; the next run asks the catalog whether that took effect`
    const succeeded = record?.state === (step.direction === 'up' ? 'applied' : 'reverted')
    if (succeeded && isSame(step.script, record.checksum))
      return `${at}; ${step.migration.id} was committed before the run ended`
    if (endedTransaction(error))
      return `${at}; ${step.migration.id} ended its transaction itself, and what it committed stays`
    return `${at}; ${step.migration.id} was rolled back`
  } catch {
    return `the database could not be asked where it stands; ${undone(step)}`
  }
}

function endedTransaction(error: unknown): boolean {
  return error instanceof StepError && error.cause instanceof ObsError && error.cause.code === 'transaction_ended'
}

function undone(step: PreparedStep): string {
  return isTransactional(step)
    ? 'the server rolls back what was not committed'
    : 'obs migrate status will show which statement was reached'
}
