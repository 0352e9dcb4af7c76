import type { RunContext } from '../../context.js'
import { type Session, throwIfAborted, withTransaction } from '../../database/connect.js'
import { InterruptedError, ObsError } from '../../errors.js'
import { watchFunction } from '../backfill/function-backfill.js'
import { dropPlainly } from '../build-index/drop-plainly.js'
import { watchBuild } from '../build-index/watch-build.js'
import { locate } from '../files/location.js'
import { type HistoryEvent, recordEvent } from '../history/history.js'
import { withLockRetry } from '../lock/lock-wait.js'
import type { Script } from '../migration.js'
import { findInPieces } from '../pieces/find-in-pieces.js'
import type { InPieces } from '../pieces/piece.js'
import type { PreservationReceipt, TableReceipt } from '../preservation/receipt.js'
import { clearAway } from '../recovery/clear-away.js'
import { detachment, gatherEvidence, type Observation, observe } from '../recovery/evidence.js'
import { refusesTransaction, type Statement } from '../statements/statements.js'
import { contentOf, list, node, relationName, text, writtenSql } from '../statements/written-name.js'
import { runFunction, runStatement, runVerify } from './run-script.js'
import { mayChangeSettings, restoreSettings } from './session-settings.js'
import { setAgain } from './set-again.js'
import { failureOf, hadNoEffect, StepError } from './step-error.js'
import {
  finished,
  type PreparedStep,
  type Run,
  reached,
  searchPath,
  statementChecksum,
  touchesNothing,
} from './step-run.js'

/**
 * Runs the statements of a migration one by one.
 *
 * A statement that may run in a transaction is one together with its row of the history,
 * so that there is never a doubt about it. Before one that refuses a transaction the row
 * says that it is about to run, and what the catalog says then; should the process die
 * in it, that row is the last one, and the catalog tells whether it took effect.
 */
export async function applyStatementwise(
  session: Session,
  run: Run,
  step: PreparedStep,
  started: Date,
  context: RunContext,
): Promise<PreservationReceipt> {
  await session.unsafe(sessionSettings(run))
  const task: Task = { session, run, step, started, context, role: await currentRole(session), proven: [] }
  const statements = step.parsed?.statements ?? []
  const total = step.script.run ? 1 : statements.length
  refuseOtherBeginning(step, statements)
  await setAgain(session, statements.slice(0, step.resumeAt - 1))
  for (let number = step.resumeAt; number <= total; number++) {
    throwIfAborted(context.signal)
    const written = statements[number - 1]
    const one = { number, statement: written && (await dropPlainly(session, written, context.progress)) }
    const inPieces = one.statement && (await findInPieces(session, one.statement))
    if (one.statement && inPieces) await runInPieces(task, number, one.statement, inPieces)
    else await withLockRetry(lockPolicy(run, one), step.migration.id, context, () => runOne(task, one))
    context.progress.advance(number, total, 'statements')
  }
  if (mayChangeSettings(step)) await restoreSettings(session, sessionSettings(run))
  await atNumber(total + 1, () => runVerify(session, step))
  const proves = touchesNothing(withoutBackfills(step))
  const receipt: PreservationReceipt = { mode: proves ? run.preserve : 'off', tables: task.proven }
  await record(task, finished(run, step, started, receipt))
  return receipt
}

function sessionSettings({ schema, ddlLockTimeoutMs }: Run): string {
  return `set search_path to ${searchPath(schema)}; set lock_timeout to ${ddlLockTimeoutMs}`
}

interface Task {
  readonly session: Session
  readonly run: Run
  readonly step: PreparedStep
  readonly started: Date
  readonly context: RunContext
  /** The role that the session began with, and that writes the history. */
  readonly role: string
  /** What is proven so far about the tables that backfills went through. */
  readonly proven: TableReceipt[]
}

function titleOf({ direction, migration }: PreparedStep): string {
  return `${direction === 'up' ? 'applying' : 'reverting'} ${migration.id}`
}

interface Numbered {
  /** From 1. */
  readonly number: number
  /** Undefined when the migration is a function. */
  readonly statement: Statement | undefined
}

/** A backfill compares its rows batch by batch, so that it is not among what nobody looked at. */
function withoutBackfills(step: PreparedStep): PreparedStep {
  const { parsed } = step
  return parsed
    ? { ...step, parsed: { ...parsed, statements: parsed.statements.filter((one) => !one.backfill) } }
    : step
}

/** The row says beforehand that the statement goes on by itself, so that there is never a doubt about it. */
async function runInPieces(task: Task, number: number, statement: Statement, inPieces: InPieces): Promise<void> {
  const { step, context } = task
  const { environment, placed } = pieceEnvironment(task, number, statement)
  await record(task, resumable(task, number, statement))
  task.proven.push(...(await placed(() => inPieces(statement, environment))))
  context.progress.step(titleOf(step))
  await record(task, ended(task, number, false))
}

/** The function may be called again when it did nothing but backfills, and the row says so as long as that is true. */
async function runWatched(task: Task, run: NonNullable<Script['run']>): Promise<readonly TableReceipt[]> {
  const { session, step } = task
  const say = (yes: boolean) => {
    const event = yes ? resumable(task, 1, undefined) : about(task, 1, undefined, undefined)
    return yes ? record(task, event) : recordEvent(session, task.run.facts, event)
  }
  const watch = watchFunction(pieceEnvironment(task, 1, undefined).environment, say)
  await runFunction(watch.sql, step.script, run, watch.backfill)
  return watch.proven
}

function resumable(task: Task, number: number, statement: Statement | undefined): HistoryEvent {
  const event = reached(task.run, task.step, task.started, 'running', number)
  const running = statement ? { running: statement.sql } : {}
  return { ...event, receipt: { done: doneBefore(task.step, number), ...running, resumable: true } }
}

function pieceEnvironment(task: Task, number: number, statement: Statement | undefined) {
  const { session, run, step, context } = task
  const placed = async <T>(work: () => PromiseLike<T>) => {
    try {
      return await work()
    } catch (error) {
      if (error instanceof StepError || error instanceof InterruptedError) throw error
      const failure = failureOf(error, step.script, statement)
      throw new StepError(statement ? { ...failure, statement: number } : failure, error)
    }
  }
  const patiently = <T>(work: () => PromiseLike<T>) =>
    withLockRetry(run.locks, step.migration.id, context, () => placed(work))
  const aside = <T>(work: () => PromiseLike<T>) =>
    withLockRetry({ ...run.locks, attemptMs: 0 }, step.migration.id, context, () =>
      placed(() => withoutLimit(task, true, work)),
    )
  const own = () => becomeOneself(task)
  const environment = { session, run, step, number, context, becomeOneself: own, patiently, aside }
  return { environment, placed }
}

async function runOne(task: Task, one: Numbered): Promise<void> {
  if (!one.statement || refusesTransaction(one.statement.tree)) return runAlone(task, one)
  try {
    await runWithRow(task, one, one.statement)
  } catch (error) {
    if (!refusedTransaction(error)) throw error
    await runAlone(task, one)
  }
}

/** active_sql_transaction, and invalid_transaction_termination of a procedure that commits. */
function refusedTransaction(error: unknown): boolean {
  return error instanceof StepError && ['25001', '2D000'].includes(error.failure.sqlState ?? '')
}

/** The statement and the row that says so: both or neither. */
async function runWithRow(task: Task, { number }: Numbered, statement: Statement): Promise<void> {
  const { session, step } = task
  try {
    await withTransaction(session, async () => {
      for (const part of statement.block ?? [statement]) await runStatement(session, step.script, part, number)
      await becomeOneself(task)
      await recordEvent(session, task.run.facts, ended(task, number, true))
    })
  } catch (error) {
    if (error instanceof StepError) throw error
    throw new StepError({ ...failureOf(error, step.script, statement), statement: number }, error)
  }
}

async function runAlone(task: Task, { number, statement }: Numbered): Promise<void> {
  const { session, step } = task
  const before = statement && (await observe(session, statement))
  await record(task, about(task, number, statement, before))
  try {
    if (statement) await runLoner(task, number, statement, before)
    else if (step.script.run) task.proven.push(...(await runWatched(task, step.script.run)))
  } catch (error) {
    throw statement ? await tidied(task, statement, before, error) : error
  }
  await record(task, ended(task, number, false))
}

async function runLoner(task: Task, number: number, statement: Statement, before: Observation | undefined) {
  const { session, run, step, context } = task
  const work = () => runStatement(session, step.script, inItsPlace(statement, before), number)
  const isIndex = statement.tree?.['IndexStmt'] !== undefined
  const title = titleOf(step)
  await withoutLimit(task, waitsAside(statement), () =>
    isIndex ? watchBuild(run.locks, title, context, work) : work(),
  )
  await refuseInvalidIndex(task, number, statement)
}

/** A file that sets a limit of its own knows better. */
async function withoutLimit<T>({ session, run }: Task, wanted: boolean, work: () => PromiseLike<T>): Promise<T> {
  const patient = wanted && (await settingIs(session, 'lock_timeout', run.ddlLockTimeoutMs))
  if (patient) await session`set lock_timeout to 0`
  try {
    return await work()
  } finally {
    if (patient) await session.unsafe(`set lock_timeout to ${run.ddlLockTimeoutMs}`).catch(() => undefined)
  }
}

/**
 * True for statements whose waiting holds nobody up: they take no lock that reading or
 * writing conflicts with, and giving up would throw hours of work away.
 */
function waitsAside(statement: Statement): boolean {
  const [kind, content] = contentOf(statement)
  const full = list(content['options']).some((option) => node(option['DefElem'])['defname'] === 'full')
  if (kind === 'VacuumStmt') return !full
  if (kind === 'ReindexStmt') return JSON.stringify(content['params'] ?? []).includes('"concurrently"')
  return kind === 'IndexStmt' || kind === 'DropStmt' || kind === 'AlterTableStmt'
}

async function settingIs(session: Session, name: string, value: number): Promise<boolean> {
  const [row] = await session`select from pg_settings where name = ${name} and setting = ${String(value)}`
  return row !== undefined
}

/** A detachment that an earlier attempt began cannot be begun again, only finished. */
function inItsPlace(statement: Statement, before: Observation | undefined): Statement {
  const [kind, content] = contentOf(statement)
  const detach = kind === 'AlterTableStmt' ? detachment(content) : undefined
  if (!detach || before?.[0]?.valid !== false) return statement
  const sql = `alter table ${writtenSql(detach.parent)} detach partition ${writtenSql(detach.partition)} finalize`
  return { ...statement, sql }
}

/** `if not exists` takes an index for a good one whose build broke off. */
async function refuseInvalidIndex({ session, step }: Task, number: number, statement: Statement): Promise<void> {
  const [kind, content] = contentOf(statement)
  if (kind !== 'IndexStmt' || content['if_not_exists'] !== true) return
  const name = text(content['idxname'])
  const found = (await observe(session, statement))?.find((index) => index.name === name && !index.valid)
  if (!found) return
  const sql = writtenSql({ schema: found.schema ?? relationName(content['relation']).schema, name: found.name })
  throw new StepError(
    {
      message: `the index ${sql} existed before and is INVALID, because an earlier build of it broke off`,
      location: locate(step.script.file, step.script.text, statement.index),
      advice: `Run drop index concurrently ${sql}; then obs migrate ${step.direction} builds it again.`,
      statement: number,
    },
    undefined,
  )
}

/**
 * Clears away what a statement left that the server reported as failed: an index that it
 * could not finish stays behind INVALID, and would be in the way of the next attempt.
 */
async function tidied(
  { session, run, step, context }: Task,
  statement: Statement,
  before: Observation | undefined,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof StepError) || !hadNoEffect(error.failure)) return error
  try {
    const { verdict, cleanup } = await gatherEvidence(session, statement, before)
    if (verdict === 'done' || cleanup.length === 0) return error
    await clearAway(session, run.locks, step.migration.id, cleanup, context)
    return new StepError({ ...error.failure, cleared: cleanup }, error.cause)
  } catch (problem) {
    if (!(problem instanceof ObsError)) return error
    return new StepError({ ...error.failure, advice: `${problem.message}. ${problem.hint}` }, error.cause)
  }
}

function about(task: Task, number: number, statement: Statement | undefined, before: unknown): HistoryEvent {
  const event = reached(task.run, task.step, task.started, 'running', number)
  const done = doneBefore(task.step, number)
  return {
    ...event,
    receipt: { done, ...(statement ? { running: statement.sql } : {}), ...(before ? { before } : {}) },
  }
}

function ended(task: Task, number: number, inTransaction: boolean): HistoryEvent {
  const now = new Date()
  return {
    ...reached(task.run, task.step, task.started, 'running', number),
    in_transaction: inTransaction,
    finished_at: now,
    duration_ms: now.getTime() - task.started.getTime(),
    receipt: { done: doneBefore(task.step, number + 1) },
  }
}

function doneBefore({ parsed }: PreparedStep, number: number): readonly string[] {
  return (parsed?.statements ?? []).slice(0, number - 1).map(statementChecksum)
}

/** Adds a row in a transaction of its own, whatever role the file has taken on. */
async function record(task: Task, event: HistoryEvent): Promise<void> {
  await withTransaction(task.session, async () => {
    await becomeOneself(task)
    await recordEvent(task.session, task.run.facts, event)
  })
}

async function currentRole(session: Session): Promise<string> {
  const [row] = await session<{ role: string }[]>`select current_setting('role') as role`
  return row?.role ?? 'none'
}

/** For the rest of the transaction; afterwards the role that the file has set holds again. */
async function becomeOneself({ session, role }: Task): Promise<void> {
  await session`set local session authorization default`
  await session`select set_config('role', ${role}, true)`
}

/** What ran already has to be what the file still begins with. */
function refuseOtherBeginning({ doneStatements, script }: PreparedStep, statements: readonly Statement[]): void {
  const index = doneStatements.findIndex((done, i) => done !== statementChecksum(statements[i]))
  if (index < 0) return
  const message = `statement ${index + 1} ran already and says something else now`
  const location = locate(script.file, script.text, statements[index]?.index ?? script.text.length)
  throw new StepError(
    { message, location, advice: `Restore the first ${doneStatements.length} statements of the file as they were.` },
    undefined,
  )
}

async function atNumber(statement: number, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof StepError) throw new StepError({ ...error.failure, statement }, error.cause)
    throw error
  }
}

/** Statements whose waiting holds nobody up may wait for ever, and say for whom. */
function lockPolicy({ locks }: Run, { statement }: Numbered) {
  return statement && refusesTransaction(statement.tree) && waitsAside(statement) ? { ...locks, attemptMs: 0 } : locks
}
