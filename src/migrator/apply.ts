import type { RunContext } from '../context.js'
import { type Session, throwIfAborted, withTransaction } from '../database/connect.js'
import { quoteLiteral } from '../database/quote.js'
import { ObsError } from '../errors.js'
import { recordEvent } from './history.js'
import { withLockRetry } from './lock-wait.js'
import type { Direction } from './migration.js'
import { comparePreserved, type PreservationReceipt, takeSnapshots } from './preservation.js'
import { runFunction, runStatement, runVerify } from './run-script.js'
import { mayChangeSettings, restoreSettings } from './session-settings.js'
import type { Statement } from './statements.js'
import { applyStatementwise } from './statementwise.js'
import { atStep, hadNoEffect, StepError } from './step-error.js'
import {
  finished,
  isTransactional,
  type PreparedStep,
  preservationOf,
  type Run,
  reached,
  searchPath,
} from './step-run.js'

/** What came of a migration that succeeded. */
export interface Applied {
  readonly version: number
  readonly name: string
  readonly id: string
  readonly direction: Direction
  readonly durationMs: number
  readonly receipt: PreservationReceipt
}

/**
 * Runs one migration and writes its history row.
 *
 * Normally both happen in one transaction. A migration that cannot run in one is run
 * statement by statement, and before each statement the history says so.
 *
 * @throws StepError when it failed; then a transaction was rolled back, and otherwise
 *   the history holds the statement to go on with.
 */
export async function applyStep(session: Session, run: Run, step: PreparedStep, context: RunContext): Promise<Applied> {
  const started = new Date()
  const transactional = isTransactional(step)
  try {
    const receipt = transactional
      ? await withLockRetry(run.locks, step.migration.id, context, () =>
          applyInTransaction(session, run, step, started, context),
        )
      : await applyStatementwise(session, run, step, started, context)
    const { version, name, id } = step.migration
    return { version, name, id, direction: step.direction, durationMs: Date.now() - started.getTime(), receipt }
  } catch (error) {
    await recordFailure(session, run, step, started, error)
    throw error
  } finally {
    await forgetSession(session)
  }
}

async function applyInTransaction(
  session: Session,
  run: Run,
  step: PreparedStep,
  started: Date,
  context: RunContext,
): Promise<PreservationReceipt> {
  const work = async () => {
    const preservation = preservationOf(run, step)
    const snapshots = await atStep(step.script, () => takeSnapshots(session, preservation, context))
    const [transaction] = await Promise.all([transactionId(session), runScript(session, step)])
    await atStep(step.script, () => session`set constraints all immediate`)
    if (mayChangeSettings(step)) await atStep(step.script, () => restoreSettings(session, localSettings(run)))
    await runVerify(session, step)
    const allowance = { directives: step.script.directives, direction: step.direction }
    const receipt = await atStep(step.script, () => comparePreserved(session, preservation, snapshots, allowance))
    await atStep(step.script, () => refuseOtherTransaction(session, transaction))
    throwIfAborted(context.signal)
    await session`reset role`
    await atStep(step.script, () => recordEvent(session, run.facts, finished(run, step, started, receipt)))
    return receipt
  }
  return withTransaction(session, work, `begin; ${localSettings(run)}`)
}

function localSettings({ schema, ddlLockTimeoutMs }: Run): string {
  return `set local search_path to ${searchPath(schema)}; set local lock_timeout to ${ddlLockTimeoutMs}`
}

async function runScript(session: Session, { script, parsed }: PreparedStep): Promise<void> {
  if (script.run) await runFunction(session, script, script.run)
  for (const group of togetherWithoutWaiting(parsed?.statements ?? [])) {
    await Promise.all(group.map(({ statement, number }) => runStatement(session, script, statement, number)))
  }
}

/**
 * Statements are sent one behind the other without waiting for answers, except around
 * rows for `copy`: the server takes whatever follows that statement for its data.
 */
function togetherWithoutWaiting(statements: readonly Statement[]) {
  const groups: { readonly statement: Statement; readonly number: number }[][] = []
  for (const [i, statement] of statements.entries()) {
    const alone = statement.rows !== undefined || statements[i - 1]?.rows !== undefined
    const last = groups.at(-1)
    if (!last || alone) groups.push([{ statement, number: i + 1 }])
    else last.push({ statement, number: i + 1 })
  }
  return groups
}

/** Also gives the transaction its number, which tells its own rows from older ones. */
async function transactionId(session: Session): Promise<string> {
  const [row] = await session<{ id: string }[]>`select pg_current_xact_id()::text as id`
  return row?.id ?? ''
}

async function refuseOtherTransaction(session: Session, expected: string): Promise<void> {
  if ((await transactionId(session)) === expected) return
  throw new ObsError('the migration ended the transaction that obs had opened for it', {
    code: 'transaction_ended',
    hint: 'Take commit and rollback out of the migration; what it did up to there is committed.',
  })
}

/**
 * Writes down that a migration failed, where that is still possible.
 *
 * Outside a transaction the row also says that the statement had no effect. It is not
 * written when the connection was lost, because then nobody knows.
 */
async function recordFailure(
  session: Session,
  run: Run,
  step: PreparedStep,
  started: Date,
  error: unknown,
): Promise<void> {
  const failure = error instanceof StepError ? error.failure : undefined
  const transactional = isTransactional(step)
  if (!transactional && (failure?.statement === undefined || !hadNoEffect(failure))) return
  const event = reached(run, step, started, 'failed', failure?.statement ?? null)
  const message = error instanceof Error ? error.message : String(error)
  await session`reset role`.catch(() => undefined)
  await recordEvent(session, run.facts, { ...event, error: message }).catch(() => undefined)
}

/**
 * Leaves nothing of a migration in the session for the next one, except the migration lock.
 *
 * The statements go to the server as one; should it refuse one of them, each is sent by itself.
 */
async function forgetSession(session: Session): Promise<void> {
  const keep = 'set client_connection_check_interval to '
  const [row] = await session<{ interval: string }[]>`
    select current_setting('client_connection_check_interval') as interval`.catch(() => [])
  const statements = [...forgetting, `${keep}${quoteLiteral(row?.interval ?? '0')}`]
  await session.unsafe(statements.join('; ')).catch(async () => {
    for (const statement of statements) await session.unsafe(statement).catch(() => undefined)
  })
}

const forgetting = ['reset session authorization', 'reset all', 'discard temp', 'unlisten *', 'close all']
