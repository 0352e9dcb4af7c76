import type { RunContext } from '../context.js'
import type { ServerAddress } from '../database/address.js'
import type { Database } from '../database/connect.js'
import { quoteIdentifier } from '../database/quote.js'
import { ObsError } from '../errors.js'
import type { Cipher } from './encryption.js'
import type { Manifest } from './manifest.js'
import { type Proof, recordProof } from './proof.js'
import { checkRequirements, fill, settle } from './restore-backup.js'
import { planRestore, type RestorePlan } from './restore-plan.js'
import { dropDatabase, withMaintenance, withNewDatabase } from './restore-target.js'
import { verifyBackup } from './verify-backup.js'

export interface ProveOptions {
  /** Absolute folder that holds the backups. */
  readonly directory: string
  /** The backup's name, or `latest`. */
  readonly id: string
  /** A server and a role that may make a database there; its own database is not touched. */
  readonly on: ServerAddress
  /** The command that the proof is recorded under. */
  readonly by: Proof['by']
  readonly decrypt?: Cipher
  readonly pgRestore?: string
  readonly jobs?: number
  /** Looks at the restored database before it is dropped; what it throws is no proof. */
  readonly inspect?: (database: Database) => Promise<void>
}

export interface Proven {
  readonly id: string
  readonly path: string
  readonly manifest: Manifest
  readonly tables: number
  readonly rows: number
  /** What checking the hashes, restoring and comparing took. */
  readonly duration_ms: number
}

/**
 * Restores a backup into a database of its own, compares counts, hashes of rows and the catalog with
 * what was backed up, drops it again, and records that the backup is proven.
 *
 * Roles that the server lacks are done without, owners and grants then not being part of the proof.
 *
 * @throws ObsError when the backup is damaged, cannot be restored or is not what was backed up.
 */
export async function proveByRestoring(options: ProveOptions, context: RunContext): Promise<Proven> {
  const started = performance.now()
  context.progress.step('checking the backup')
  const { path, manifest } = await verifyBackup(options.directory, options.id)
  const { server, plan } = await withMaintenance(options.on, context, async (database) => ({
    server: database.platform.displayVersion,
    plan: await possiblePlan(path, manifest, options, database, context),
  }))
  const prove = async (database: Database) => {
    try {
      await fill(plan, database, context)
      await settle(plan, database, context)
      await options.inspect?.(database)
    } finally {
      await dropSubscriptions(database)
    }
  }
  const drop = (temporary: string) => dropDatabase(options.on, temporary, context)
  await withNewDatabase(options.on, manifest.database, context, prove, drop)
  const duration_ms = Math.round(performance.now() - started)
  await recordProof(path, { level: 'restored', by: options.by, duration_ms, server_version: server })
  return { id: manifest.id, path, manifest, tables: plan.tables.length, rows: manifest.rows, duration_ms }
}

async function possiblePlan(
  path: string,
  manifest: Manifest,
  options: ProveOptions,
  database: Database,
  context: RunContext,
): Promise<RestorePlan> {
  const plan = await planRestore(path, manifest, options, context)
  try {
    await checkRequirements(database, plan, context)
    return plan
  } catch (error) {
    const roles = error instanceof ObsError && error.code === 'target_lacks' ? error.details?.['roles'] : undefined
    if (!Array.isArray(roles) || roles.length === 0) throw error
    context.progress.warn(`the server lacks the roles ${roles.join(', ')}: owners and grants are left out of the proof`)
    const without = await planRestore(path, manifest, { ...options, noOwner: true }, context)
    await checkRequirements(database, without, context)
    return without
  }
}

/** A database with a subscription cannot be dropped; restored ones are not connected to anything. */
async function dropSubscriptions({ sql }: Database): Promise<void> {
  const rows = await sql<{ name: string }[]>`
    select subname as name from pg_subscription
    where subdbid = (select oid from pg_database where datname = current_database())`
  for (const { name } of rows) {
    const subscription = quoteIdentifier(name)
    await sql.unsafe(`alter subscription ${subscription} disable`)
    await sql.unsafe(`alter subscription ${subscription} set (slot_name = none)`)
    await sql.unsafe(`drop subscription ${subscription}`)
  }
}
