import { quietContext, type RunContext } from '../context.js'
import type { ServerAddress } from '../database/address.js'
import { type Database, type Sql, throwIfAborted } from '../database/connect.js'
import { quoteQualified } from '../database/quote.js'
import { InterruptedError, ObsError, UsageError } from '../errors.js'
import { shellWord } from '../shell-word.js'
import { checkInSessions } from './check-restored.js'
import { restoreSettings } from './database-settings.js'
import { carryTraits } from './database-traits.js'
import type { Cipher } from './encryption.js'
import { fillTables } from './fill-tables.js'
import { sessionsByDatabase } from './kept-databases.js'
import type { Manifest } from './manifest.js'
import { fillBuiltIn } from './restore-built-in.js'
import { fillNative } from './restore-native.js'
import { planRestore, type RestorePlan } from './restore-plan.js'
import { contentsOf, renameDatabase, withExistingDatabase, withMaintenance, withNewDatabase } from './restore-target.js'
import { type Selection, select } from './selection.js'
import { datedName, refuseImpossibleSwap, type Swap, swapDatabases } from './swap-databases.js'
import { verifyBackup } from './verify-backup.js'

export interface RestoreOptions {
  /** Absolute folder that holds the backups. */
  readonly directory: string
  /** The backup's name, or `latest`. */
  readonly id: string
  /** Server, role and database to restore into; the database is made when there is none of that name. */
  readonly to: ServerAddress
  /** Leaves out owners and grants, so that everything belongs to the role that restores. */
  readonly noOwner?: boolean
  /** Reads the files of an encrypted backup. */
  readonly decrypt?: Cipher
  /** A pg_restore to use instead of the one on the PATH, for backups of the native engine. */
  readonly pgRestore?: string
  /** Sessions that write at a time into a new database; two unless given. */
  readonly jobs?: number
  /** What to bring back; everything unless given. */
  readonly selection?: Selection
  /**
   * Restores beside a database that holds something and then lets the restored one take its name. Asked
   * once everything is known that could stop it and before anything is done; throws when a person refuses.
   */
  readonly replace?: (replaced: ReplacedDatabase) => Promise<void>
}

/** The database that a restore with `replace` puts aside. */
export interface ReplacedDatabase {
  readonly database: string
  /** What it holds, by name; at most five. */
  readonly contents: readonly string[]
  /** Sessions that are connected to it and will be ended. */
  readonly sessions: number
  /** The name it will have. */
  readonly kept: string
  /** The database of the backup, and when that was taken. */
  readonly backupOf: string
  readonly backupAt: string
}

export interface RestoreResult {
  readonly id: string
  readonly database: string
  /** The name of the database that was there before; null when there was none or it was empty. */
  readonly kept: string | null
  readonly tables: number
  readonly rows: number
  readonly duration_ms: number
  readonly verified: true
}

/**
 * Brings a backup back into a new or an empty database, or in place of another one.
 *
 * The backup's hashes are checked first, then that the target has the roles and extensions it
 * names. A new database is filled and checked under a temporary name and renamed at the end; an
 * empty one is filled and checked in one transaction (pg_restore commits before the check). With
 * `replace` a database that holds something is renamed in the same moment as the new one gets its
 * name, and is kept. The database that was backed up is never written to.
 *
 * @throws UsageError when the target holds anything, or lacks a role or an extension: nothing was
 * changed; ObsError when the backup is damaged or the restored database is not what was backed up.
 */
export async function restoreBackup(options: RestoreOptions, context: RunContext): Promise<RestoreResult> {
  const started = performance.now()
  const { progress, signal } = context
  progress.step('checking the backup')
  const { path, manifest } = await verifyBackup(options.directory, options.id)
  const { plan, leftOut } = await select(await planRestore(path, manifest, options, context), options.selection ?? {})
  if (leftOut.length > 0) {
    progress.warn(`foreign keys to tables that are not brought back are left out: ${leftOut.map(oneLine).join('; ')}`)
  }
  const outcome: Outcome = { stays: false, kept: null }
  try {
    throwIfAborted(signal)
    await restore(plan, options, context, outcome)
  } catch (error) {
    if (signal.aborted) throw interrupted(outcome, options.to, error)
    throw error
  }
  return {
    id: manifest.id,
    database: options.to.database,
    kept: outcome.kept,
    tables: plan.tables.length,
    rows: plan.tables.reduce((sum, { rows }) => sum + rows, 0),
    duration_ms: Math.round(performance.now() - started),
    verified: true,
  }
}

function oneLine(sql: string): string {
  return sql.replace(/\s+/g, ' ')
}

/** What an interruption would not undo any more. */
interface Outcome {
  /** An existing database was filled; it is never dropped. */
  stays: boolean
  /** The name of the database that was replaced. */
  kept: string | null
}

async function restore(
  plan: RestorePlan,
  options: RestoreOptions,
  context: RunContext,
  outcome: Outcome,
): Promise<void> {
  const { to } = options
  if (options.selection?.only === 'data') return restoreRows(plan, to, context)
  const contents = await withExistingDatabase(to, context, async (database) => {
    const found = await contentsOf(database.sql)
    if (found.length > 0) return found
    await checkRequirements(database, plan, context)
    // In one transaction: what exists already is not dropped when something fails.
    await fill({ ...plan, jobs: 1 }, database, context)
    outcome.stays = true
    await settle({ ...plan, jobs: 1 }, database, context)
    return found
  })
  if (contents?.length === 0) return
  if (contents && !options.replace) throw notEmpty(to, contents)
  if (contents && plan.manifest.scope !== 'full') throw notWhole(to, plan.manifest)
  await withMaintenance(to, context, (database) => checkRequirements(database, plan, context))
  const place = contents && (await planReplacement(plan, options, contents, context, outcome))
  const filled = async (database: Database) => {
    await fill(plan, database, context)
    await settle(plan, database, context)
  }
  await withNewDatabase(to, plan.manifest.database, context, filled, place)
}

/** @throws UsageError when there is no such database: rows alone need tables to go to. */
async function restoreRows(plan: RestorePlan, to: ServerAddress, context: RunContext): Promise<void> {
  const done = await withExistingDatabase(to, context, async (database) => {
    await fillTables(plan, database, context)
    context.progress.step('updating statistics')
    for (const { schema, name } of plan.tables) await database.sql.unsafe(`analyze ${quoteQualified(schema, name)}`)
    return true
  })
  if (done) return
  throw new UsageError(`there is no database ${JSON.stringify(to.database)} to bring rows back into`, {
    code: 'unknown_database',
    hint: 'Leave out --data-only to have one made; nothing was changed.',
  })
}

/** Finds out what could stop the replacement, asks, and says how the new database gets its name. */
async function planReplacement(
  { manifest }: RestorePlan,
  { to, replace }: RestoreOptions,
  contents: readonly string[],
  context: RunContext,
  outcome: Outcome,
): Promise<(temporary: string) => Promise<void>> {
  const kept = datedName(to.database, 'replaced', new Date())
  const sessions = await withMaintenance(to, context, async (database) => {
    await refuseImpossibleSwap(database, to.database)
    return (await sessionsByDatabase(database.sql, [to.database])).get(to.database) ?? 0
  })
  await replace?.({
    database: to.database,
    contents,
    sessions,
    kept,
    backupOf: manifest.database.name,
    backupAt: manifest.created_at,
  })
  return async (temporary) => {
    await withMaintenance(to, context, ({ sql }) => carryTraits(sql, to.database, temporary, context))
    context.progress.step(`giving the restored database the name ${to.database}`)
    await takePlace(to, { live: to.database, fresh: temporary, kept }, context)
    outcome.kept = kept
  }
}

/**
 * Swaps, and when that cannot be done keeps the restored database, which may have taken hours, under a name
 * that says what it is.
 */
async function takePlace(to: ServerAddress, swap: Swap, context: RunContext): Promise<void> {
  try {
    await swapDatabases(to, swap, context)
  } catch (error) {
    if (await hasDatabase(to, swap.kept)) return
    if (!(error instanceof ObsError) || error.code !== 'cannot_swap') throw error
    const restored = datedName(to.database, 'restored', new Date())
    await withMaintenance(to, context, ({ sql }) => renameDatabase(sql, swap.fresh, restored))
    throw new ObsError(`${error.message.replace(swap.fresh, restored)}`, {
      code: 'cannot_swap',
      cause: error,
      hint: `${JSON.stringify(to.database)} is as it was; the restored database is whole and is called ${JSON.stringify(restored)}. End what keeps the other one busy and run: obs backup swap ${shellWord(restored)} --to ${shellWord(to.database)}`,
      details: { ...error.details, fresh: restored },
    })
  }
}

/** Whether the swap was carried out, although its answer was lost. */
function hasDatabase(to: ServerAddress, name: string): Promise<boolean> {
  return withMaintenance(to, quietContext(), async ({ sql }) => {
    const [row] = await sql`select from pg_database where datname = ${name}`
    return row !== undefined
  }).catch(() => false)
}

/** Brings back what the plan says into an empty database. */
export function fill(plan: RestorePlan, database: Database, context: RunContext): Promise<void> {
  return plan.engine === 'built-in' ? fillBuiltIn(plan, database, context) : fillNative(plan, database, context)
}

/** What is left to do after `fill`: settings, and where that is not done yet the comparison and statistics. */
export async function settle(
  plan: RestorePlan,
  { address, sql, platform }: Database,
  context: RunContext,
): Promise<void> {
  if (plan.engine === 'native') await checkInSessions(sql, plan, platform, context)
  await restoreSettings(sql, address.database, plan, context)
  if (plan.engine === 'built-in' && plan.jobs > 1) return
  context.progress.step('updating statistics')
  await sql.unsafe('analyze')
}

function interrupted({ stays, kept }: Outcome, to: ServerAddress, cause: unknown): InterruptedError {
  const name = JSON.stringify(to.database)
  if (kept !== null) {
    return new InterruptedError(
      `interrupted after ${name} had been replaced; what was there is ${JSON.stringify(kept)}`,
      {
        hint: `Nothing is missing; obs backup swap ${shellWord(kept)} --to ${shellWord(to.database)} goes back to it.`,
        cause,
        details: { database: to.database, kept },
      },
    )
  }
  if (!stays) return new InterruptedError('interrupted; the restore was undone', { cause })
  return new InterruptedError(`interrupted; the rows are in ${name}, but the restore did not finish`, {
    hint: 'Drop that database and restore again, so that everything is checked.',
    cause,
    details: { database: to.database },
  })
}

function notEmpty(to: ServerAddress, contents: readonly string[]): UsageError {
  return new UsageError(`the database ${JSON.stringify(to.database)} is not empty: it holds ${contents.join(', ')}`, {
    code: 'target_not_empty',
    hint: 'Name a database that does not exist yet with --to, or put this one aside with --replace; nothing was changed.',
    details: { database: to.database, contents },
  })
}

/** A part never takes the place of the whole. */
function notWhole(to: ServerAddress, { id, scope }: Manifest): UsageError {
  const holds = scope === 'schema' ? 'definitions alone' : 'some tables alone'
  return new UsageError(`the backup ${id} holds ${holds} and cannot replace ${JSON.stringify(to.database)}`, {
    code: 'partial_backup',
    hint: 'Leave out --replace to have it restored into a database of its own; nothing was changed.',
    details: { id, scope, database: to.database },
  })
}

/** Names everything that the target lacks at once. */
export async function checkRequirements(
  { sql, platform }: Database,
  plan: RestorePlan,
  context: RunContext,
): Promise<void> {
  const { manifest } = plan
  const roles = await missing(sql, plan.roles, 'select rolname::text as name from pg_roles')
  const extensions = await missing(
    sql,
    Object.keys(manifest.extensions),
    'select name::text as name from pg_available_extensions',
  )
  if (roles.length > 0 || extensions.length > 0) throw lacking(roles, extensions, plan)
  if (majorOf(platform.serverVersion) < majorOf(manifest.server_version_num)) {
    context.progress.warn(
      `the backup is of PostgreSQL ${manifest.server_version} and the target is ${platform.displayVersion}: it may refuse newer syntax`,
    )
  }
}

async function missing(sql: Sql, wanted: readonly string[], query: string): Promise<string[]> {
  if (wanted.length === 0) return []
  const present = new Set((await sql.unsafe<{ name: string }[]>(query)).map(({ name }) => name))
  return wanted.filter((name) => !present.has(name))
}

function lacking(roles: readonly string[], extensions: readonly string[], { noOwner }: RestorePlan): ObsError {
  const parts = [
    ...(roles.length > 0 ? [`the roles ${roles.join(', ')}`] : []),
    ...(extensions.length > 0 ? [`the extensions ${extensions.join(', ')}`] : []),
  ]
  const withoutOwners = roles.length > 0 && !noOwner ? ', or leave out owners and grants with --no-owner' : ''
  return new UsageError(`the target server lacks ${parts.join(' and ')}, which the backup names`, {
    code: 'target_lacks',
    hint: `Create them there${withoutOwners}; nothing was changed.`,
    details: { roles, extensions },
  })
}

function majorOf(version: Manifest['server_version_num']): number {
  return Math.floor(version / 10_000)
}
