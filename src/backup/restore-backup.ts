import type { RunContext } from '../context.js'
import type { ServerAddress } from '../database/address.js'
import { type Database, type Sql, throwIfAborted } from '../database/connect.js'
import { InterruptedError, type ObsError, UsageError } from '../errors.js'
import { checkRestored } from './check-restored.js'
import type { Manifest } from './manifest.js'
import { fillBuiltIn } from './restore-built-in.js'
import { fillNative } from './restore-native.js'
import { planRestore, type RestorePlan } from './restore-plan.js'
import { contentsOf, withExistingDatabase, withMaintenance, withNewDatabase } from './restore-target.js'
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
  /** A pg_restore to use instead of the one on the PATH, for backups of the native engine. */
  readonly pgRestore?: string
}

export interface RestoreResult {
  readonly id: string
  readonly database: string
  readonly tables: number
  readonly rows: number
  readonly duration_ms: number
  readonly verified: true
}

/**
 * Brings a backup back into a new or an empty database.
 *
 * The backup's hashes are checked first, then that the target has the roles and extensions it
 * names. A new database is filled and checked under a temporary name and renamed at the end; an
 * empty one is filled and checked in one transaction (pg_restore commits before the check).
 * The database that was backed up is never touched.
 *
 * @throws UsageError when the target holds anything, or lacks a role or an extension: nothing was
 * changed; ObsError when the backup is damaged or the restored database is not what was backed up.
 */
export async function restoreBackup(options: RestoreOptions, context: RunContext): Promise<RestoreResult> {
  const started = performance.now()
  const { progress, signal } = context
  progress.step('checking the backup')
  const { path, manifest } = await verifyBackup(options.directory, options.id)
  const plan = await planRestore(path, manifest, options, context)
  let stays = false
  const onCommit = () => {
    stays = true
  }
  try {
    throwIfAborted(signal)
    await restore(plan, options.to, context, onCommit)
  } catch (error) {
    if (signal.aborted) throw interrupted(stays, options.to, error)
    throw error
  }
  return {
    id: manifest.id,
    database: options.to.database,
    tables: manifest.tables.length,
    rows: manifest.rows,
    duration_ms: Math.round(performance.now() - started),
    verified: true,
  }
}

/** `onCommit` is called once an interruption would undo nothing any more: an existing database is never dropped. */
async function restore(plan: RestorePlan, to: ServerAddress, context: RunContext, onCommit: () => void): Promise<void> {
  const done = await withExistingDatabase(to, context, async (database) => {
    await refuseContents(database.sql, to)
    await checkRequirements(database, plan, context)
    await fill(plan, database, context)
    onCommit()
    await settle(plan, database, context)
    return true
  })
  if (done) return
  await withMaintenance(to, context, (database) => checkRequirements(database, plan, context))
  await withNewDatabase(to, plan.manifest.database, context, async (database) => {
    await fill(plan, database, context)
    await settle(plan, database, context)
  })
}

function fill(plan: RestorePlan, database: Database, context: RunContext): Promise<void> {
  return plan.engine === 'built-in' ? fillBuiltIn(plan, database, context) : fillNative(plan, database, context)
}

async function settle(plan: RestorePlan, { sql, platform }: Database, context: RunContext): Promise<void> {
  if (plan.engine === 'native') await checkRestored(sql, plan, platform, context)
  context.progress.step('updating statistics')
  await sql.unsafe('analyze')
}

function interrupted(stays: boolean, to: ServerAddress, cause: unknown): InterruptedError {
  if (!stays) return new InterruptedError('interrupted; the restore was undone', { cause })
  return new InterruptedError(
    `interrupted; the rows are in ${JSON.stringify(to.database)}, but the restore did not finish`,
    {
      hint: 'Drop that database and restore again, so that everything is checked.',
      cause,
      details: { database: to.database },
    },
  )
}

async function refuseContents(sql: Sql, to: ServerAddress): Promise<void> {
  const contents = await contentsOf(sql)
  if (contents.length === 0) return
  throw new UsageError(`the database ${JSON.stringify(to.database)} is not empty: it holds ${contents.join(', ')}`, {
    code: 'target_not_empty',
    hint: 'Name a database that does not exist yet with --to; nothing was changed.',
    details: { database: to.database, contents },
  })
}

/** Names everything that the target lacks at once. */
async function checkRequirements({ sql, platform }: Database, plan: RestorePlan, context: RunContext): Promise<void> {
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
