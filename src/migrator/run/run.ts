import { hostname, userInfo } from 'node:os'
import { quietContext, type RunContext } from '../../context.js'
import { type Database, type Session, throwIfAborted, withDatabase } from '../../database/connect.js'
import { quoteIdentifier } from '../../database/quote.js'
import { holdsData, listTables } from '../../database/tables.js'
import { ObsError, UsageError } from '../../errors.js'
import { obsVersion } from '../../package.js'
import type { Pack } from '../../packs.js'
import { type Applied, applyStep } from '../apply/apply.js'
import { StepError } from '../apply/step-error.js'
import { isTransactional, type PreparedStep } from '../apply/step-run.js'
import { describeProgress } from '../backfill/progress-table.js'
import { refuseImpossible } from '../backfill/refuse-impossible.js'
import { findChanges } from '../checksum/changes.js'
import { isSame } from '../checksum/checksum.js'
import {
  DirtyHistoryError,
  interruptedRun,
  LockTimeoutError,
  MigrationFailedError,
  PlanChangedError,
  type RunState,
  UnfinishedMigrationError,
} from '../errors.js'
import { discover } from '../files/discover.js'
import {
  currentVersion,
  ensureHistory,
  foldHistory,
  presentVersions,
  type RunFacts,
  readHistory,
} from '../history/history.js'
import { makingIn } from '../history/own-schema.js'
import { refuseOtherTool } from '../import/other-tool.js'
import { migrationLockHolder, withMigrationLock } from '../lock/lock.js'
import type { LockPolicy } from '../lock/lock-wait.js'
import type { Direction, Migration } from '../migration.js'
import type { Situation, Step } from '../plan/plan.js'
import { prepareSteps } from '../plan/prepare.js'
import {
  choosePreservation,
  type PreservationMode,
  type PreservationSummary,
  rowsIn,
  summarise,
} from '../preservation/preservation.js'
import { halfDone } from '../recovery/investigate.js'
import { settleByCatalog } from '../recovery/recover.js'

/** Names a backup that was made. */
export interface BackupReference {
  readonly id: string
  readonly path: string
}

/** What `up` and `down` have in common. */
export interface RunOptions {
  /** How long to wait for another run; 60 s by default. */
  readonly lockTimeoutMs?: number
  /** How long one attempt may wait for a lock on a table, while others queue behind it; 2 s by default, 0 for ever. */
  readonly ddlLockTimeoutMs?: number
  /** How long to go on with new attempts; a minute by default. */
  readonly ddlRetryForMs?: number
  /** How to prove that nothing was lost; by default it depends on the amount of data. */
  readonly preserve?: PreservationMode
  /** Makes a backup; called once, before the first migration, when the database holds data. */
  readonly backup?: () => Promise<BackupReference | null>
  /** Only says what would be done: nothing is locked and nothing is changed. */
  readonly dryRun?: boolean
  /** Called after each migration, outside its transaction, on the session that ran it. */
  readonly afterEach?: (session: Session, applied: Applied) => Promise<void>
  /** Runs although another tool's history says that it has applied migrations of these versions here. */
  readonly besideOtherTool?: boolean
  /** What a person agreed to; if it is no longer the plan under the lock, nothing is run. */
  readonly confirmed?: readonly PlannedMigration[]
}

/** What a run did. */
export interface RunResult {
  readonly done: readonly Applied[]
  /** What a dry run would do, in order. */
  readonly planned: readonly PlannedMigration[]
  readonly backup: BackupReference | null
  readonly preservation: PreservationSummary
  readonly durationMs: number
}

/** One migration of a plan, with what tells it from another plan's. */
export interface PlannedMigration {
  readonly version: number
  readonly name: string
  readonly direction: Direction
  readonly transactional: boolean
  readonly checksum: string
  readonly resumeAt: number
}

/**
 * Plans, prepares, locks, plans again, backs up and runs.
 *
 * Files are read and parsed before the lock is taken, so that a mistake in the third
 * of them changes nothing. The plan is made again under the lock, from the same files,
 * because another run may have done the work meanwhile.
 */
export async function runMigrations(
  database: Database,
  pack: Pack,
  plan: (situation: Situation) => readonly Step[],
  options: RunOptions,
  context: RunContext,
): Promise<RunResult> {
  const started = performance.now()
  refuseOwnSchema(pack)
  const migrations = await discover(pack.migrations)
  const steps = await planUnlocked(database, pack, migrations, plan, options)
  const elapsed = () => Math.round(performance.now() - started)
  const nothing = { done: [], planned: [], backup: null, preservation: summarise(nothingRan, [], new Set()) }
  if (options.dryRun && steps) return { ...nothing, planned: steps.map(asPlanned), durationMs: elapsed() }
  if (options.confirmed && steps) refuseOther(options.confirmed, steps)
  if (steps?.length === 0) return { ...nothing, durationMs: elapsed() }

  const lock = { schema: pack.schema, timeoutMs: options.lockTimeoutMs ?? 60_000 }
  return withMigrationLock(database, lock, context, async (session) => {
    const situation = await settledSituation(session, { database, pack, options }, migrations, context)
    const current = await prepare(database, pack, plan(situation), steps)
    if (options.confirmed) refuseOther(options.confirmed, current)
    if (current.length === 0) return { ...nothing, durationMs: elapsed() }
    const outcome = await runLocked(session, { database, pack, steps: current, options }, context)
    return { ...outcome, planned: [], durationMs: elapsed() }
  })
}

/**
 * The plan as it looks before the lock is taken, or undefined when a migration is half
 * done: another run may be in the middle of it, which only the lock can tell, and what
 * broke off can be settled under the lock alone.
 *
 * @throws LockTimeoutError in that case when it is a dry run, which takes no lock.
 */
export async function planUnlocked(
  database: Database,
  pack: Pack,
  migrations: readonly Migration[],
  plan: (situation: Situation) => readonly Step[],
  { dryRun, besideOtherTool }: Pick<RunOptions, 'dryRun' | 'besideOtherTool'>,
): Promise<readonly PreparedStep[] | undefined> {
  try {
    const situation = await readSituation(database, pack, migrations)
    if (dryRun && halfDone(situation).length > 0) await refuseBusy(database, pack)
    const steps = plan(situation)
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

/** Everything that can be found out before anything is touched. */
async function prepare(
  database: Database,
  { schema }: Pack,
  steps: readonly Step[],
  earlier?: readonly PreparedStep[],
) {
  return refuseImpossible(database, schema, await prepareSteps(database, steps, earlier))
}

const nothingRan = { mode: 'hashes', because: 'nothing was run' } as const

/** What is half done because another run is at it is not for a dry run to judge. */
async function refuseBusy({ sql }: Database, { schema }: Pack): Promise<void> {
  const holder = await migrationLockHolder(sql, schema)
  if (holder) throw new LockTimeoutError(holder, 0)
}

/** The situation once everything is settled that the catalog can tell. */
async function settledSituation(
  session: Session,
  { database, pack, options }: Omit<Work, 'steps'>,
  migrations: readonly Migration[],
  context: RunContext,
): Promise<Situation> {
  const situation = await readSituation(database, pack, migrations)
  if (halfDone(situation).length === 0) return situation
  const facts = await factsAbout(session, pack)
  const recovery = { database, pack, facts, locks: await lockPolicy(session, database, options) }
  const settled = await settleByCatalog(session, recovery, situation, context)
  return settled ? readSituation(database, pack, migrations) : situation
}

/** How patient this run is about tables that others use. */
export async function lockPolicy(session: Session, { sql }: Database, options: RunOptions): Promise<LockPolicy> {
  const [row] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`
  const { ddlLockTimeoutMs = 2_000, ddlRetryForMs = 60_000 } = options
  return { sql, pid: row?.pid ?? 0, attemptMs: ddlLockTimeoutMs, retryForMs: ddlRetryForMs }
}

/**
 * Reads the history, and the files unless they were read already: all that a plan is made from.
 *
 * A run reads its files once, so that what was parsed and checked is what is run.
 */
export async function readSituation(
  { sql, platform }: Database,
  pack: Pack,
  files?: readonly Migration[],
): Promise<Situation> {
  const migrations = files ?? (await discover(pack.migrations))
  const history = foldHistory(await readHistory(sql, pack))
  const changes = await findChanges(sql, pack, migrations, history)
  return { migrations, history, changes, platform: platform.name, folder: pack.migrations }
}

/** The schema that obs made for itself is not one that migrations may drop. */
function refuseOwnSchema({ name, schema, historySchema }: Pack): void {
  if (schema !== 'obs' || historySchema !== schema) return
  throw new UsageError(
    `the pack ${JSON.stringify(name)} may not live in the schema "obs", where obs keeps its history`,
    {
      code: 'reserved_schema',
      hint: 'Name another schema for it in the configuration file, or another for the history with --history-schema.',
      details: { pack: name },
    },
  )
}

function asPlanned(step: PreparedStep): PlannedMigration {
  const { migration, direction, script, resumeAt } = step
  const { version, name } = migration
  return { version, name, direction, transactional: isTransactional(step), checksum: script.checksum, resumeAt }
}

/** Exactly what was confirmed is run, or nothing. */
function refuseOther(confirmed: readonly PlannedMigration[], steps: readonly PreparedStep[]): void {
  const now = steps.map(asPlanned)
  const key = (plan: readonly PlannedMigration[]) =>
    JSON.stringify(plan.map(({ version, direction, checksum, resumeAt }) => [version, direction, checksum, resumeAt]))
  if (key(confirmed) === key(now)) return
  const names = (plan: readonly PlannedMigration[]) =>
    plan.map(({ version, name, direction }) => `${version} ${name} (${direction})`)
  throw new PlanChangedError(names(confirmed), names(now))
}

interface Work {
  readonly database: Database
  readonly pack: Pack
  readonly steps: readonly PreparedStep[]
  readonly options: RunOptions
}

async function runLocked(
  session: Session,
  work: Work,
  context: RunContext,
): Promise<Omit<RunResult, 'planned' | 'durationMs'>> {
  const { database, pack, steps, options } = work
  const tables = await listTables(session, pack.schema)
  const existing = new Set(tables.map((table) => table.name))
  const preservation = choosePreservation(options.preserve, rowsIn(tables))
  const backup = await backUp(session, work, context)
  throwIfAborted(context.signal)
  await ensureHistory(session, pack)
  await ensureSchema(session, pack.schema)
  const facts = await factsAbout(session, pack)
  const locks = await lockPolicy(session, database, options)
  const run = {
    schema: pack.schema,
    facts,
    preserve: preservation.mode,
    backupId: backup?.id ?? null,
    ddlLockTimeoutMs: locks.attemptMs,
    locks,
  }
  const done: Applied[] = []
  for (const step of steps) {
    context.progress.step(`${step.direction === 'up' ? 'applying' : 'reverting'} ${step.migration.id}`)
    try {
      throwIfAborted(context.signal)
      done.push(await applyStep(session, run, step, context))
    } catch (error) {
      throw await explain(error, work, step, { done, backup }, context)
    }
    const newest = done.at(-1)
    if (newest) await options.afterEach?.(session, newest)
  }
  const receipts = done.map((one) => one.receipt)
  return { done, backup, preservation: summarise(preservation, receipts, existing) }
}

async function backUp(
  session: Session,
  { pack, options }: Work,
  { progress }: RunContext,
): Promise<BackupReference | null> {
  if (!options.backup || !(await holdsData(session, pack.schema))) return null
  progress.step('backing up')
  return options.backup()
}

async function ensureSchema(session: Session, schema: string): Promise<void> {
  const [there] = await session`select from pg_namespace where nspname = ${schema}`
  if (there) return
  const needed = {
    schema,
    purpose: 'the tables of the pack',
    setting: '"schema" of the pack in the configuration file',
  }
  await makingIn(session, needed, () => session.unsafe(`create schema ${quoteIdentifier(schema)}`))
}

/** Who is doing this, for the history. */
export async function factsAbout(session: Session, pack: Pack): Promise<RunFacts> {
  const [row] = await session<{ role: string }[]>`select current_user as role`
  return { place: pack, who: `${loginName()} as ${row?.role}`, host: hostname(), obsVersion: obsVersion() }
}

/** A process in a container may run under a number that has no name. */
function loginName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`
  }
}

/** Turns what went wrong into what a person needs to know about it. */
async function explain(
  error: unknown,
  work: Work,
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
async function whereNow({ database, pack }: Work, step: PreparedStep, error: unknown): Promise<string> {
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
