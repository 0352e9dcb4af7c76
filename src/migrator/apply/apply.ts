import type { RunContext } from '../../context.js'
import { type Session, throwIfAborted, withTransaction } from '../../database/connect.js'
import { ObsError } from '../../errors.js'
import { recordEvent } from '../history/history.js'
import { withLockRetry } from '../lock/lock-wait.js'
import type { Direction, Script } from '../migration.js'
import { comparePreserved } from '../preservation/compare-preserved.js'
import { mentionedTables } from '../preservation/mentioned-tables.js'
import type { PreservationReceipt } from '../preservation/receipt.js'
import { type PreservationRequest, type Snapshot, takeSnapshots } from '../preservation/snapshots.js'
import { changedSince, type StorageMap, storageOf } from '../preservation/storage.js'
import type { TableName } from '../preservation/touched-tables.js'
import type { Statement } from '../statements/statements.js'
import { runFunction, runStatement, runVerify } from './run-script.js'
import { checkInterval, forgetSession, mayChangeSettings, mayLeaveTraces, restoreSettings } from './session-settings.js'
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
  touched,
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
  const interval = await checkInterval(session)
  try {
    const receipt = transactional
      ? await withLockRetry(run.locks, step.migration.id, context, () =>
          applyInTransaction(session, run, step, started, context),
        )
      : await applyStatementwise(session, run, step, started, context)
    if (!transactional || mayLeaveTraces(step)) await forgetSession(session, interval)
    const { version, name, id } = step.migration
    return { version, name, id, direction: step.direction, durationMs: Date.now() - started.getTime(), receipt }
  } catch (error) {
    await recordFailure(session, run, step, started, error)
    await forgetSession(session, interval)
    throw error
  }
}

/**
 * Runs a step in one transaction with its history row.
 *
 * What a function or a DO block writes cannot be told from its text. So the tables it names are
 * compared, and before the commit the server is asked which tables were really written: were
 * there others, all is undone and run again with those compared as well.
 */
async function applyInTransaction(
  session: Session,
  run: Run,
  step: PreparedStep,
  started: Date,
  context: RunContext,
): Promise<PreservationReceipt> {
  let request = preservationOf(run, step)
  for (;;) {
    try {
      return await attempt(session, run, step, { request, started }, context)
    } catch (error) {
      if (!(error instanceof OtherTablesError) || request.touched === 'all') throw error
      request = { ...request, touched: [...request.touched, ...error.tables] }
      context.progress.step(
        `${step.migration.id} writes other tables than it names; undone and run again with them compared`,
      )
    }
  }
}

/** Tables were written, or lost columns, that nobody had compared. */
class OtherTablesError extends Error {
  constructor(readonly tables: readonly TableName[]) {
    super(`written as well: ${tables.map(({ table }) => table).join(', ')}`)
  }
}

async function attempt(
  session: Session,
  run: Run,
  step: PreparedStep,
  { request, started }: { readonly request: PreservationRequest; readonly started: Date },
  context: RunContext,
): Promise<PreservationReceipt> {
  const work = async () => {
    const guessed = await atStep(step.script, () => withMentioned(session, step, request))
    const snapshots = await atStep(step.script, () => takeSnapshots(session, guessed.request, context))
    const before = guessed.certain ? undefined : await storageOf(session, run.schema)
    const transaction = transactionId(session)
    await inOrder([transaction, runScript(session, step)])
    if (mayChangeSettings(step)) await atStep(step.script, () => restoreSettings(session, localSettings(run)))
    await runVerify(session, step)
    if (before) refuseOthers(before, await storageOf(session, run.schema), snapshots, request)
    const allowance = { directives: step.script.directives, direction: step.direction }
    const receipt = await atStep(step.script, () => comparePreserved(session, guessed.request, snapshots, allowance))
    if (mayEndTransaction(step))
      await atStep(step.script, async () => refuseOtherTransaction(session, await transaction))
    throwIfAborted(context.signal)
    const event = finished(run, step, started, receipt)
    await atStep(step.script, () =>
      Promise.all([session`reset role`.execute(), recordEvent(session, run.facts, event)]),
    )
    return receipt
  }
  return withTransaction(session, work, `begin; ${localSettings(run)}`)
}

/** Adds the tables that statements seem to reach which do not say what they touch. */
async function withMentioned(session: Session, step: PreparedStep, request: PreservationRequest) {
  const what = touched(step)
  if (request.touched === 'all' || what === 'all' || what.uncertain.length === 0 || request.mode === 'off')
    return { request, certain: true }
  const texts = what.uncertain.map((statement) => statement.sql)
  const mentioned = await mentionedTables(session, request.schema, texts)
  return { request: { ...request, touched: [...request.touched, ...mentioned] }, certain: false }
}

/** A table that this role may not compare was asked for once already, and is let be. */
function refuseOthers(
  before: StorageMap,
  now: StorageMap,
  snapshots: readonly Snapshot[],
  { schema, touched }: PreservationRequest,
): void {
  const compared = new Set(snapshots.map(({ table }) => table.oid))
  const asked = new Set(touched === 'all' ? [] : touched.map(({ table }) => table))
  const others = changedSince(before, now).filter(({ oid, name }) => !compared.has(oid) && !asked.has(name))
  if (others.length > 0) throw new OtherTablesError(others.map(({ name }) => ({ schema, table: name })))
}

function localSettings({ schema, ddlLockTimeoutMs }: Run): string {
  return `set local search_path to ${searchPath(schema)}; set local lock_timeout to ${ddlLockTimeoutMs}`
}

/** Runs the statements, and then the constraints that were deferred. */
async function runScript(session: Session, { script, parsed }: PreparedStep): Promise<void> {
  if (script.run) await runFunction(session, script, script.run)
  const groups = togetherWithoutWaiting(parsed?.statements ?? [])
  for (const group of groups.slice(0, -1)) await runTogether(session, script, group)
  const last = groups.at(-1) ?? []
  const checkConstraints = () => atStep(script, () => session`set constraints all immediate`)
  if (last.some(({ statement }) => statement.rows)) {
    await runTogether(session, script, last)
    await checkConstraints()
  } else {
    await inOrder([runTogether(session, script, last), checkConstraints()])
  }
}

function runTogether(session: Session, script: Script, group: readonly Numbered[]): Promise<unknown> {
  return inOrder(group.map(({ statement, number }) => runStatement(session, script, statement, number)))
}

/** Of several errors the first in order is thrown: after it the server refuses everything else, whichever is heard of first. */
async function inOrder(running: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(running)
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

interface Numbered {
  readonly statement: Statement
  /** From 1. */
  readonly number: number
}

/**
 * Statements are sent one behind the other without waiting for answers, except around
 * rows for `copy`: the server takes whatever follows that statement for its data.
 */
function togetherWithoutWaiting(statements: readonly Statement[]): readonly (readonly Numbered[])[] {
  const groups: Numbered[][] = []
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

/** What the parser has read holds no statement that ends a transaction; a function may do as it likes. */
function mayEndTransaction({ parsed }: PreparedStep): boolean {
  return parsed === undefined || parsed.statements.some((statement) => statement.tree === undefined)
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
