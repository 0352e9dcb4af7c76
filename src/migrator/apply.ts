import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import type { RunContext } from '../context.js'
import { type Session, throwIfAborted, withTransaction } from '../database/connect.js'
import { quoteIdentifier, quoteLiteral } from '../database/quote.js'
import { ObsError } from '../errors.js'
import { type Failure, PreservationError } from './errors.js'
import { type HistoryEvent, type RunFacts, recordEvent } from './history.js'
import { indexOfPosition, locate } from './location.js'
import type { Script } from './migration.js'
import type { Step } from './plan.js'
import { comparePreserved, type PreservationMode, type PreservationReceipt, takeSnapshots } from './preservation.js'
import type { ParsedScript, Statement } from './statements.js'
import { touchedTables } from './touched-tables.js'

/** A step whose files have been read and found in order. */
export interface PreparedStep extends Step {
  /** The statements; undefined when the migration is a function. */
  readonly parsed: ParsedScript | undefined
  readonly parsedVerify: ParsedScript | undefined
}

/** What every migration of a run has in common. */
export interface Run {
  readonly schema: string
  readonly facts: RunFacts
  readonly preserve: PreservationMode
  readonly backupId: string | null
  /** Milliseconds that a statement may wait for a lock on a table. */
  readonly ddlLockTimeoutMs: number
}

/** What came of a migration that succeeded. */
export interface Applied {
  readonly version: number
  readonly name: string
  readonly id: string
  readonly durationMs: number
  readonly receipt: PreservationReceipt
}

/** A statement, a function or a check did not succeed; carries where. */
export class StepError extends Error {
  constructor(
    readonly failure: Failure,
    cause: unknown,
  ) {
    super(failure.message, { cause })
  }
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
      ? await applyInTransaction(session, run, step, started, context)
      : await applyStatementwise(session, run, step, started, context)
    const { version, name, id } = step.migration
    return { version, name, id, durationMs: Date.now() - started.getTime(), receipt }
  } catch (error) {
    await recordFailure(session, run, step, started, error)
    throw error
  } finally {
    await forgetSession(session)
  }
}

export function isTransactional(step: PreparedStep): boolean {
  return step.parsed?.transactional ?? !step.script.directives.noTransaction
}

async function applyInTransaction(
  session: Session,
  run: Run,
  step: PreparedStep,
  started: Date,
  context: RunContext,
): Promise<PreservationReceipt> {
  return withTransaction(session, async () => {
    await session.unsafe(localSettings(run))
    const preservation = { schema: run.schema, mode: run.preserve, touched: touched(step) }
    const snapshots = await atStep(step.script, () => takeSnapshots(session, preservation, context))
    const transaction = await transactionId(session)
    await runScript(session, step)
    await atStep(step.script, () => session`set constraints all immediate`)
    await runVerify(session, step)
    await atStep(step.script, () => refuseOtherTransaction(session, transaction))
    const allowance = { directives: step.script.directives, direction: step.direction }
    const receipt = await atStep(step.script, () => comparePreserved(session, preservation, snapshots, allowance))
    throwIfAborted(context.signal)
    await session`reset role`
    await atStep(step.script, () => recordEvent(session, run.facts, finished(run, step, started, receipt)))
    return receipt
  })
}

/** The names of a pack are found in its own schema first. */
function searchPath(schema: string): string {
  return schema === 'public' ? 'public' : `${quoteIdentifier(schema)}, public`
}

function localSettings({ schema, ddlLockTimeoutMs }: Run): string {
  return `set local search_path to ${searchPath(schema)}; set local lock_timeout to ${ddlLockTimeoutMs}`
}

function touched({ script, parsed }: PreparedStep) {
  return script.run || !parsed ? 'all' : touchedTables(parsed.statements)
}

async function runScript(session: Session, { script, parsed }: PreparedStep): Promise<void> {
  if (script.run) await runFunction(session, script, script.run)
  for (const [i, statement] of (parsed?.statements ?? []).entries()) {
    await runStatement(session, script, statement, i + 1)
  }
}

async function runFunction(session: Session, script: Script, run: NonNullable<Script['run']>): Promise<unknown> {
  return atStep(script, () => run({ sql: session }))
}

async function runStatement(
  session: Session,
  script: Script,
  statement: Statement,
  number: number,
): Promise<readonly unknown[]> {
  try {
    return await session.unsafe(statement.sql)
  } catch (error) {
    throw new StepError({ ...failureOf(error, script, statement), statement: number }, error)
  }
}

async function atStep<T>(script: Script, work: () => PromiseLike<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new StepError(failureOf(error, script, undefined), error)
  }
}

/** Verification queries state what must not be there, so a row is a failure. */
async function runVerify(session: Session, { verify, parsedVerify }: PreparedStep): Promise<void> {
  if (verify?.run) refuseRows(await runFunction(session, verify, verify.run), verify, undefined)
  for (const [i, statement] of (parsedVerify?.statements ?? []).entries()) {
    if (!verify) return
    refuseRows(await runStatement(session, verify, statement, i + 1), verify, statement)
  }
}

function refuseRows(rows: unknown, script: Script, statement: Statement | undefined): void {
  if (!Array.isArray(rows) || rows.length === 0) return
  const sample = JSON.stringify(rows[0], (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
  throw new StepError(
    {
      message: `the verification returned ${rows.length} ${rows.length === 1 ? 'row' : 'rows'} where none may be`,
      detail: `the first is ${sample.slice(0, 500)}`,
      location: locate(script.file, script.text, statement?.index ?? 0),
    },
    undefined,
  )
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
 * Runs the statements one by one, each committed by itself.
 *
 * The row written before a statement says that it is about to run; should the process
 * die in it, that row is the last one and the history is dirty. When the server
 * reports an error instead, the statement had no effect and can be run again.
 */
async function applyStatementwise(
  session: Session,
  run: Run,
  step: PreparedStep,
  started: Date,
  context: RunContext,
): Promise<PreservationReceipt> {
  await session.unsafe(`set search_path to ${searchPath(run.schema)}; set lock_timeout to ${run.ddlLockTimeoutMs}`)
  const statements = step.parsed?.statements ?? []
  const total = step.script.run ? 1 : statements.length
  refuseOtherBeginning(step, statements)
  for (let number = step.resumeAt; number <= total; number++) {
    throwIfAborted(context.signal)
    await recordEvent(session, run.facts, reached(run, step, started, 'running', number))
    const statement = statements[number - 1]
    if (step.script.run) await runFunction(session, step.script, step.script.run)
    else if (statement) await runStatement(session, step.script, statement, number)
    context.progress.advance(number, total, 'statements')
  }
  await atNumber(total + 1, () => runVerify(session, step))
  const untouched = touched(step).length === 0
  const receipt: PreservationReceipt = { mode: untouched ? run.preserve : 'off', tables: [] }
  await session`reset role`
  await recordEvent(session, run.facts, finished(run, step, started, receipt))
  return receipt
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

/** Tells whether a statement that ran is still the same. */
export function statementChecksum(statement: Statement | undefined): string {
  return statement ? createHash('sha256').update(statement.sql).digest('hex').slice(0, 16) : ''
}

async function atNumber(statement: number, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof StepError) throw new StepError({ ...error.failure, statement }, error.cause)
    throw error
  }
}

function finished(run: Run, step: PreparedStep, started: Date, receipt: PreservationReceipt): HistoryEvent {
  const count = step.parsed?.statements.length ?? 1
  return { ...reached(run, step, started, 'applied', count), receipt }
}

function reached(
  run: Run,
  step: PreparedStep,
  started: Date,
  state: HistoryEvent['state'],
  statement: number | null,
): HistoryEvent {
  const now = new Date()
  const done = (step.parsed?.statements ?? []).slice(0, Math.max(0, (statement ?? 1) - 1)).map(statementChecksum)
  const over = state !== 'running'
  const transactional = isTransactional(step)
  return {
    version: step.migration.version,
    name: step.migration.name,
    direction: step.direction,
    checksum: step.script.checksum,
    variant: step.script.variant,
    state,
    in_transaction: transactional,
    started_at: started,
    finished_at: over ? now : null,
    duration_ms: over ? now.getTime() - started.getTime() : null,
    statement,
    error: null,
    backup_id: run.backupId,
    receipt: transactional ? null : { done },
    script: over ? step.script.text : null,
    remark: null,
  }
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
 * True when the server itself reported the error and lived on: then the statement was undone.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html (classes 08 and 57P)
 */
function hadNoEffect({ sqlState, statement }: Failure): boolean {
  return statement !== undefined && (sqlState === undefined || !connectionLost.test(sqlState))
}

/** Leaves nothing of a migration in the session for the next one, except the migration lock. */
async function forgetSession(session: Session): Promise<void> {
  const name = await session<
    { name: string }[]
  >`select current_setting('client_connection_check_interval') as name`.catch(() => [])
  const interval = name[0]?.name ?? '0'
  for (const statement of ['reset session authorization', 'reset all', 'discard temp', 'unlisten *', 'close all']) {
    await session.unsafe(statement).catch(() => undefined)
  }
  await session.unsafe(`set client_connection_check_interval to ${quoteLiteral(interval)}`).catch(() => undefined)
}

/** What the server said, with the place in the file where PostgreSQL names one. */
function failureOf(error: unknown, script: Script, statement: Statement | undefined): Failure {
  if (error instanceof StepError) return error.failure
  const facts = factsOf(error)
  const index = statement && statement.index + indexOfPosition(statement.sql, facts.position ?? 1)
  const advice = adviceOn(error, facts.code) ?? adviceOnIndex(script, statement)
  return {
    message: messageOf(error, facts.code),
    ...(index === undefined ? {} : { location: locate(script.file, script.text, index) }),
    ...(facts.detail ? { detail: facts.detail } : {}),
    ...(facts.hint ? { serverHint: facts.hint } : {}),
    ...(facts.code ? { sqlState: facts.code } : {}),
    ...(advice ? { advice } : {}),
    ...(error instanceof ObsError ? { reason: error.code } : {}),
    ...(error instanceof PreservationError ? { losses: error.losses } : {}),
  }
}

/** SQLSTATE classes and the codes of the driver and of the socket. */
const connectionLost = /^(08|57P|CONNECTION_|ECONN|EPIPE)/

/** The driver names only its own code and the address. */
function messageOf(error: unknown, code: string | undefined): string {
  if (code !== undefined && /^[A-Z_]+$/.test(code) && connectionLost.test(code))
    return `the connection to the server was lost (${code})`
  return error instanceof Error ? error.message : String(error)
}

function adviceOn(error: unknown, code: string | undefined): string | undefined {
  if (error instanceof PreservationError) return `${error.hint} Nothing of this migration was kept.`
  if (error instanceof ObsError) return error.hint
  if (code === '25001')
    return 'Begin the file with -- obs: no-transaction, because the server refuses this statement in a transaction.'
  if (code === '55P03')
    return 'Run it again when the sessions that use the table are done, or wait longer with --ddl-lock-timeout.'
  if (code !== undefined && connectionLost.test(code))
    return 'Check the server, then run obs migrate status to see where the database stands.'
  if (code === '42501') return 'Grant the right to the role, or connect as one that has it, and run the command again.'
  return undefined
}

/** https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY */
function adviceOnIndex({ file }: Script, statement: Statement | undefined): string | undefined {
  const index = statement?.tree?.['IndexStmt'] as { concurrent?: boolean; idxname?: string } | undefined
  if (!index?.concurrent) return undefined
  const name =
    index.idxname === undefined ? 'it' : `it (drop index concurrently if exists ${quoteIdentifier(index.idxname)})`
  return `Look whether an invalid index was left behind and drop ${name}, mend ${basename(file)}, and run the command again.`
}

interface ServerFacts {
  readonly code?: string
  readonly detail?: string
  readonly hint?: string
  readonly position?: number
}

/** Nothing when the error is one of obs's own: then it is not the server that speaks. */
function factsOf(error: unknown): ServerFacts {
  if (typeof error !== 'object' || error === null || error instanceof ObsError) return {}
  const text = (key: string) => {
    const value: unknown = Reflect.get(error, key)
    return typeof value === 'string' ? { [key]: value } : {}
  }
  const position = Number(Reflect.get(error, 'position'))
  return { ...text('code'), ...text('detail'), ...text('hint'), ...(position > 0 ? { position } : {}) }
}
