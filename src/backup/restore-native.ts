import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { RunContext } from '../context.js'
import type { Database, Session } from '../database/connect.js'
import { copyIn } from '../database/copy-in.js'
import { quoteLiteral } from '../database/quote.js'
import { ObsError } from '../errors.js'
import { contentsName } from './contents.js'
import { copyBlocks } from './copy-blocks.js'
import { archiveInput } from './native.js'
import { runTool, streamTool } from './native-tools.js'
import type { NativePlan } from './restore-plan.js'

/** Has pg_restore bring the archive back: with several sessions, or with one in one transaction. */
export async function fillNative(plan: NativePlan, database: Database, context: RunContext): Promise<void> {
  context.progress.step(`restoring with pg_restore ${plan.pgRestore.version}`)
  const restore = () => withList(plan, (list) => runPgRestore(plan, list, database, context))
  await ('timescaledb' in plan.manifest.extensions ? bracketed(plan, database, restore) : restore())
}

/** A part of an archive is brought back by naming its entries in a file. */
async function withList<T>({ list }: NativePlan, work: (flags: readonly string[]) => Promise<T>): Promise<T> {
  if (list === undefined) return work([])
  const folder = await mkdtemp(join(tmpdir(), 'obs-restore-'))
  try {
    const path = join(folder, contentsName)
    await writeFile(path, list, { mode: 0o600 })
    return await work([`--use-list=${path}`])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Streams the rows of the plan's tables into a session, table after table, in the transaction it is in. */
export async function loadNative(session: Session, plan: NativePlan, context: RunContext): Promise<void> {
  const total = plan.tables.reduce((sum, { rows }) => sum + rows, 0)
  let rows = 0
  const load = async (script: Readable) => {
    for await (const block of copyBlocks(script)) {
      rows += await copyIn(session, block.statement, Readable.from(block.rows, { objectMode: false }))
      context.progress.advance(rows, total, 'rows')
    }
  }
  await withList(plan, async (list) => {
    const archive = archiveInput(plan.archive, plan.manifest)
    const args = ['--data-only', '--file=-', ...list, ...archive.args]
    await streamTool(plan.pgRestore, { ...archive, args }, context, load)
  })
}

async function runPgRestore(
  plan: NativePlan,
  list: readonly string[],
  { address }: Database,
  context: RunContext,
): Promise<void> {
  const archive = archiveInput(plan.archive, plan.manifest)
  // Several sessions look for their places in a file; a stream has none.
  const parallel = plan.jobs > 1 && archive.input === undefined
  // One after the other: a trigger of a partitioned table waits for no rows, and would fire for those of its partitions.
  const runs = parallel
    ? ['pre-data', 'data', 'post-data'].map((section) => [`--section=${section}`, `--jobs=${plan.jobs}`])
    : [['--single-transaction']]
  const args = [
    '--exit-on-error',
    '--no-password',
    // In its quoted form: a name that looks like a connection string is still a name.
    `--dbname=dbname='${address.database.replace(/[\\']/g, '\\$&')}'`,
    ...(plan.noOwner ? ['--no-owner', '--no-privileges'] : []),
    ...list,
    ...archive.args,
  ]
  for (const own of runs) await runTool(plan.pgRestore, { ...archive, args: [...own, ...args], address }, context)
}

/**
 * TimescaleDB must know that its catalog is being restored; its version must be the one of the backup.
 *
 * https://docs.timescale.com/self-hosted/latest/backup-and-restore/logical-backup/
 */
async function bracketed(plan: NativePlan, { sql }: Database, restore: () => Promise<void>): Promise<void> {
  const version = plan.manifest.extensions['timescaledb'] ?? ''
  await requireVersion(sql, version)
  await sql.unsafe(`create extension if not exists timescaledb version ${quoteLiteral(version)}`)
  await sql`select timescaledb_pre_restore()`
  try {
    await restore()
  } finally {
    await sql`select timescaledb_post_restore()`
  }
}

/**
 * Another version has another catalog, into which the rows of this one do not fit.
 *
 * @throws ObsError `extension_version` where another one is installed, or this one is not to be had.
 */
export async function requireVersion(sql: Database['sql'], version: string): Promise<void> {
  const [installed] = await sql<{ version: string }[]>`
    select extversion as version from pg_extension where extname = 'timescaledb'`
  const available = await sql<{ version: string }[]>`
    select version from pg_available_extension_versions where name = 'timescaledb' order by 1`
  const usable = installed ? installed.version === version : available.some((other) => other.version === version)
  if (usable) return
  const there = installed ? installed.version : available.map((other) => other.version).join(', ')
  throw new ObsError(`the backup is of TimescaleDB ${version}, and the target has ${there || 'none'}`, {
    code: 'extension_version',
    hint: `Install TimescaleDB ${version} there, restore, and update it afterwards (alter extension timescaledb update).`,
    details: { extension: 'timescaledb', backup: version, target: there || null },
  })
}
