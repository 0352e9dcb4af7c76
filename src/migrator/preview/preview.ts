import type { RunContext } from '../../context.js'
import { type Database, type Session, throwIfAborted, withSession, withTransaction } from '../../database/connect.js'
import type { PlatformName } from '../../database/platform.js'
import { estimateTables } from '../../database/table-rows.js'
import { holdsData } from '../../database/tables.js'
import { codeOf, ObsError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import type { PreparedStep } from '../apply/step-run.js'
import { discover } from '../files/discover.js'
import { currentVersion, type HistoryState, isApplied, presentVersions } from '../history/history.js'
import { type DatabaseFacts, lintMigrations } from '../lint/lint-migrations.js'
import { readDatabaseFacts } from '../lint/read-database.js'
import type { Finding } from '../lint/rule.js'
import { createModel } from '../lint/schema-model.js'
import type { Migration } from '../migration.js'
import type { Situation, Step } from '../plan/plan.js'
import {
  choosePreservation,
  type PreservationChoice,
  type PreservationMode,
} from '../preservation/choose-preservation.js'
import { reachOf } from '../preservation/reach.js'
import { planUnlocked } from '../run/plan-unlocked.js'
import type { BackupRequest, RunOptions } from '../run/run.js'
import { readSituation } from '../run/situation.js'
import { describeStep, type Knowledge, type StepPreview } from './describe-step.js'
import { TableBook } from './table-book.js'

/** The backup that would be made before the first migration. */
export interface PlannedBackup {
  readonly scope: 'full' | 'tables' | 'schema'
  /** Why so much. */
  readonly scopeReason: string
  /** The tables of the scope `tables`; what they reference comes with them. */
  readonly tables: readonly { readonly schema: string; readonly name: string }[]
  readonly engine: string
  /** Why this engine. */
  readonly reason: string
  readonly directory: string
  /** What the tables take on the server; null when somebody has one of them locked. */
  readonly tableBytes: number | null
  /** What the backup will take at most, going by other backups; null when that is not known. */
  readonly estimatedBytes: number | null
}

/** Another system's backup is relied on, when it is proven to be recent. */
export interface RelianceOnOther {
  /** The command or file that has to prove it. */
  readonly external: string
  /** Milliseconds. */
  readonly maxAge: number
}

export interface PreviewOptions extends Pick<RunOptions, 'besideOtherTool'> {
  readonly preserve?: PreservationMode
  /** Describes the backup; called when the database holds data. Without it none would be made. */
  readonly backup?: (request: BackupRequest) => Promise<PlannedBackup | RelianceOnOther>
}

/** What a run would do, in order. */
export interface Preview {
  readonly pack: string
  readonly schema: string
  readonly platform: PlatformName
  readonly serverVersion: string
  /** The highest version that is applied now, and after the run. */
  readonly current: number
  readonly endsAt: number
  readonly migrations: readonly (StepPreview & { readonly lint: readonly Finding[] })[]
  /** The backup, or why there would be none, or why it would fail and the run with it. */
  readonly backup: PlannedBackup | RelianceOnOther | { readonly none: string } | { readonly impossible: string }
  readonly preservation: PreservationChoice
}

/**
 * Says what a plan would do: what runs in which order, what each statement locks,
 * rewrites, reads and destroys, and what is done to keep the data safe.
 *
 * Takes neither the migration lock nor a lock on a table that anybody would notice, and
 * changes nothing: tables are looked at in the catalog alone, except that a database
 * whose statistics know of no row is asked whether it has one.
 *
 * @throws what the plan itself throws, and MigrationFilesError for files that cannot be used.
 */
export async function previewMigrations(
  database: Database,
  pack: Pack,
  plan: (situation: Situation) => readonly Step[],
  options: PreviewOptions,
  { signal }: RunContext,
): Promise<Preview> {
  const migrations = await discover(pack.migrations)
  const steps = (await planUnlocked(database, pack, migrations, plan, { ...options, dryRun: true })) ?? []
  const { history } = await readSituation(database, pack, migrations)
  throwIfAborted(signal)
  return withSession(database.sql, async (session) => {
    const tables = await estimateTables(session)
    const rows = tables
      .filter((one) => one.schema === pack.schema && !one.isPartition)
      .reduce((sum, one) => sum + (one.rows ?? 0), 0)
    const facts = await readDatabaseFacts(database, pack.schema)
    const { platform } = database
    const knowledge: Knowledge = {
      book: new TableBook(tables, [pack.schema, 'public']),
      model: createModel(structuredClone(facts.tables ?? [])),
      serverVersion: platform.serverVersion,
      utc: facts.utc ?? false,
    }
    const findings = await lint(database, migrations, steps, facts)
    return {
      pack: pack.name,
      schema: pack.schema,
      platform: platform.name,
      serverVersion: platform.displayVersion,
      current: currentVersion(history),
      endsAt: highestAfter(history, steps),
      migrations: steps.map((step) => ({
        ...describeStep(step, knowledge),
        lint: findings.filter((one) => one.version === step.migration.version && one.direction === step.direction),
      })),
      backup: await backupOf(session, pack, steps, rows, options),
      preservation: choosePreservation(options.preserve, rows),
    }
  })
}

/**
 * What lint says of the files of a plan, given the rows that the tables hold.
 *
 * The tables as they are stand for the migrations below the plan only when nothing is
 * reverted first; else lint learns them from the files.
 */
async function lint(
  { platform }: Database,
  migrations: readonly Migration[],
  steps: readonly Step[],
  { tables, ...facts }: DatabaseFacts,
): Promise<readonly Finding[]> {
  if (steps.length === 0) return []
  const onTop = steps.every((step) => step.direction === 'up')
  const { findings } = await lintMigrations(migrations, {
    serverVersion: platform.serverVersion,
    platform: platform.name,
    versions: new Set(steps.map((step) => step.migration.version)),
    together: true,
    database: { ...facts, ...(onTop && tables ? { tables } : {}) },
  })
  return findings
}

function highestAfter(history: HistoryState, steps: readonly Step[]): number {
  const versions = new Set(
    presentVersions(history)
      .filter(isApplied)
      .map((record) => record.version),
  )
  for (const { direction, migration } of steps) {
    if (direction === 'up') versions.add(migration.version)
    else versions.delete(migration.version)
  }
  return Math.max(0, ...versions)
}

async function backupOf(
  session: Session,
  { schema }: Pack,
  steps: readonly PreparedStep[],
  rows: number,
  { backup }: PreviewOptions,
): Promise<Preview['backup']> {
  if (steps.length === 0) return { none: 'nothing would be run' }
  if (!backup) return { none: '--backup none' }
  if (rows === 0 && !(await mayHoldData(session, schema))) return { none: 'the database holds nothing' }
  return backup({ reach: () => reachOf(session, schema, steps) }).catch((error: unknown) => {
    if (error instanceof ObsError) return { impossible: error.message }
    throw error
  })
}

/** A table that somebody has locked is taken to hold something. */
async function mayHoldData(session: Session, schema: string): Promise<boolean> {
  try {
    return await withTransaction(
      session,
      async () => {
        await session`set local lock_timeout to '500ms'`
        return holdsData(session, schema)
      },
      'begin read only',
    )
  } catch (error) {
    if (codeOf(error) !== '55P03') throw error
    return true
  }
}
