import type { RunContext } from '../../context.js'
import { type Database, type Session, throwIfAborted } from '../../database/connect.js'
import { quoteIdentifier } from '../../database/quote.js'
import { holdsData, listTables } from '../../database/tables.js'
import { UsageError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import { type Applied, applyStep } from '../apply/apply.js'
import type { PreparedStep } from '../apply/step-run.js'
import { discover } from '../files/discover.js'
import { ensureHistory } from '../history/history.js'
import { makingIn } from '../history/own-schema.js'
import { factsAbout } from '../history/run-facts.js'
import { withMigrationLock } from '../lock/lock.js'
import { type LockPatience, lockPolicy } from '../lock/lock-policy.js'
import type { Migration } from '../migration.js'
import type { Situation, Step } from '../plan/plan.js'
import { choosePreservation, type PreservationMode, rowsIn } from '../preservation/choose-preservation.js'
import { type Reach, reachOf } from '../preservation/reach.js'
import { type PreservationSummary, summarise } from '../preservation/summarise.js'
import { halfDone } from '../recovery/investigate.js'
import { settleByCatalog } from '../recovery/recover.js'
import { explainFailure } from './explain-failure.js'
import { planUnlocked, prepare } from './plan-unlocked.js'
import { asPlanned, type PlannedMigration, refuseOtherPlan } from './planned-migration.js'
import { readSituation } from './situation.js'

/** Names a backup that was made. */
export interface BackupReference {
  readonly id: string
  readonly path: string
  /** The command that brings it back, to be copied; `obs backup restore <id>` unless given. */
  readonly restore?: string
}

/** Another system's backup that is relied on. */
export interface OtherBackup {
  /** What the history says of it, beside every migration of the run. */
  readonly remark: string
}

/** What there is to go back to: a backup that was made, another one, or none. */
export type WayBack = BackupReference | OtherBackup | null

/** The backup that was made, if one was. */
export function madeBackup(wayBack: WayBack): BackupReference | null {
  return wayBack && 'id' in wayBack ? wayBack : null
}

/** What a backup may depend on. */
export interface BackupRequest {
  /** Which tables the plan can alter. */
  readonly reach: () => Promise<Reach>
}

/** What `up` and `down` have in common. */
export interface RunOptions extends LockPatience {
  /** How long to wait for another run; 60 s by default. */
  readonly lockTimeoutMs?: number
  /** How to prove that nothing was lost; by default it depends on the amount of data. */
  readonly preserve?: PreservationMode
  /** Makes a backup or finds another; called once, before the first migration, when the database holds data. */
  readonly backup?: (request: BackupRequest) => Promise<WayBack>
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
  if (options.confirmed && steps) refuseOtherPlan(options.confirmed, steps)
  if (steps?.length === 0) return { ...nothing, durationMs: elapsed() }

  const lock = { schema: pack.schema, timeoutMs: options.lockTimeoutMs ?? 60_000 }
  return withMigrationLock(database, lock, context, async (session) => {
    const situation = await settledSituation(session, { database, pack, options }, migrations, context)
    const current = await prepare(database, pack, plan(situation), steps)
    if (options.confirmed) refuseOtherPlan(options.confirmed, current)
    if (current.length === 0) return { ...nothing, durationMs: elapsed() }
    const outcome = await runLocked(session, { database, pack, steps: current, options }, context)
    return { ...outcome, planned: [], durationMs: elapsed() }
  })
}

const nothingRan = { mode: 'hashes', because: 'nothing was run' } as const

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

/** What is run, and how. */
export interface Work {
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
  const wayBack = await backUp(session, work, context)
  const backup = madeBackup(wayBack)
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
    remark: wayBack && 'remark' in wayBack ? wayBack.remark : null,
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
      throw await explainFailure(error, work, step, { done, backup }, context)
    }
    const newest = done.at(-1)
    if (newest) await options.afterEach?.(session, newest)
  }
  const receipts = done.map((one) => one.receipt)
  return { done, backup, preservation: summarise(preservation, receipts, existing) }
}

async function backUp(session: Session, { pack, options, steps }: Work, { progress }: RunContext): Promise<WayBack> {
  if (!options.backup || !(await holdsData(session, pack.schema))) return null
  progress.step('backing up')
  return options.backup({ reach: () => reachOf(session, pack.schema, steps) })
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
