import { join } from 'node:path'
import type { RunContext } from '../context.js'
import type { Database } from '../database/connect.js'
import { quoteLiteral } from '../database/quote.js'
import { archiveName } from './native.js'
import { runTool } from './native-tools.js'
import type { RestorePlan } from './restore-plan.js'

type NativePlan = Extract<RestorePlan, { engine: 'native' }>

/** Has pg_restore bring the archive back in one transaction. */
export async function fillNative(plan: NativePlan, database: Database, context: RunContext): Promise<void> {
  context.progress.step(`restoring with pg_restore ${plan.pgRestore.version}`)
  const restore = () => runPgRestore(plan, database, context)
  await ('timescaledb' in plan.manifest.extensions ? bracketed(plan, database, restore) : restore())
}

async function runPgRestore(plan: NativePlan, { address }: Database, context: RunContext): Promise<void> {
  const args = [
    '--exit-on-error',
    '--single-transaction',
    '--no-password',
    // In its quoted form: a name that looks like a connection string is still a name.
    `--dbname=dbname='${address.database.replace(/[\\']/g, '\\$&')}'`,
    ...(plan.noOwner ? ['--no-owner', '--no-privileges'] : []),
    join(plan.folder, archiveName),
  ]
  await runTool(plan.pgRestore, args, address, context)
}

/**
 * TimescaleDB must know that its catalog is being restored; its version must be the one of the backup.
 *
 * https://docs.timescale.com/self-hosted/latest/backup-and-restore/logical-backup/
 */
async function bracketed(plan: NativePlan, { sql }: Database, restore: () => Promise<void>): Promise<void> {
  const version = plan.manifest.extensions['timescaledb'] ?? ''
  await sql.unsafe(`create extension if not exists timescaledb version ${quoteLiteral(version)}`)
  await sql`select timescaledb_pre_restore()`
  try {
    await restore()
  } finally {
    await sql`select timescaledb_post_restore()`
  }
}
