import { join } from 'node:path'
import type { RunContext } from '../context.js'
import { type Session, throwIfAborted } from '../database/connect.js'
import { quoteQualified } from '../database/quote.js'
import { UsageError } from '../errors.js'
import type { NativeTool } from './choose-engine.js'
import type { Dump, DumpJob } from './create-backup.js'
import { parseDdl, rolesOf } from './ddl.js'
import { readSequences, type SourceTable } from './inventory.js'
import type { ManifestTable } from './manifest.js'
import { findTool, runTool, siblingTool } from './native-tools.js'

export const archiveName = 'database.dump'
const contentsName = 'contents.txt'

/**
 * Writes one archive with pg_dump's custom format, and counts the rows it holds in the same snapshot.
 *
 * The archive is read back with pg_restore: its table of contents becomes a file of the
 * backup, and its definitions tell which roles it names.
 */
export async function dumpNative(job: DumpJob, pgDump: NativeTool, context: RunContext): Promise<Dump> {
  const { archive, database, inventory, snapshot } = job
  const pgRestore = await findPgRestore(pgDump)
  const path = join(archive.folder, archiveName)
  const args = ['--format=custom', '--no-password', `--snapshot=${snapshot.name}`, `--file=${path}`]
  context.progress.step(`backing up with pg_dump ${pgDump.version}`)
  await runTool(pgDump, args, database.address, context)
  const file = await archive.adopt(archiveName)
  const contents = await runTool(pgRestore, ['--list', path], undefined, context)
  const list = await archive.write(contentsName, contents)
  const definitions = await readDefinitions(pgRestore, path, context)
  context.progress.step('counting rows')
  const tables = await countRows(snapshot.session, inventory.tables, context)
  return {
    files: [file, list],
    tables,
    sequences: await readSequences(snapshot.session),
    roles: rolesOf(await parseDdl(definitions)),
    pgDumpVersion: pgDump.version,
  }
}

/** The definitions of an archive as SQL, without what only psql understands. */
export async function readDefinitions(pgRestore: NativeTool, path: string, context: RunContext): Promise<string> {
  const args = ['--section=pre-data', '--section=post-data', '--file=-', path]
  const sql = await runTool(pgRestore, args, undefined, context)
  return sql.replace(/^\\(un)?restrict .*$/gm, '')
}

async function findPgRestore(pgDump: NativeTool): Promise<NativeTool> {
  const tool = await findTool('pg_restore', siblingTool(pgDump.path, 'pg_restore'))
  if (tool && tool.major >= pgDump.major) return tool
  throw new UsageError(
    tool
      ? `pg_restore ${tool.version} is older than pg_dump ${pgDump.version} and could not read its archive back`
      : 'there is no pg_restore beside pg_dump, so an archive could not be checked',
    {
      code: 'engine_unavailable',
      hint: 'Install pg_restore of the same version, or use --engine built-in; nothing was written.',
      details: { pg_dump: pgDump.version, pg_restore: tool?.version ?? null },
    },
  )
}

async function countRows(
  session: Session,
  tables: readonly SourceTable[],
  context: RunContext,
): Promise<ManifestTable[]> {
  const counted: ManifestTable[] = []
  for (const { schema, name, columns } of tables) {
    throwIfAborted(context.signal)
    const [row] = await session.unsafe<{ rows: number }[]>(
      `select count(*) as rows from only ${quoteQualified(schema, name)}`,
    )
    counted.push({ schema, name, rows: row?.rows ?? 0, columns: [...columns], hash: null, files: [], bytes: 0 })
  }
  return counted
}
