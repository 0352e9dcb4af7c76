import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Transform } from 'node:stream'
import type { RunContext } from '../context.js'
import { ObsError, UsageError } from '../errors.js'
import type { ArchiveReader } from './archive-reader.js'
import type { NativeTool } from './choose-engine.js'
import { contentsName, onlyListed } from './contents.js'
import { hashTables } from './copy-out.js'
import type { Dump, DumpJob } from './create-backup.js'
import { parseDdl, rolesOf } from './ddl.js'
import { readSequences } from './inventory.js'
import { hashLargeObjects } from './large-objects.js'
import type { Codec, Manifest, ManifestFile } from './manifest.js'
import { findTool, runTool, siblingTool, streamTool, type ToolRun } from './native-tools.js'
import type { Membership } from './scope.js'

/** The archive of pg_dump: a file in its custom format, or a folder in its directory format. */
export const archiveFileName = 'database.dump'
export const archiveFolderName = 'database.d'

/**
 * Has pg_dump write an archive, and counts and hashes the rows it holds in the same snapshot.
 *
 * Several sessions write a folder of files. One that has to be encrypted is a single stream, so that
 * nothing lies on the disk in clear. The archive is read back with pg_restore: its table of contents
 * becomes a file of the backup, and its definitions tell which roles it names.
 */
export async function dumpNative(job: DumpJob, pgDump: NativeTool, context: RunContext): Promise<Dump> {
  const { archive, database, inventory, jobs, snapshot, scope } = job
  const pgRestore = await findPgRestore(pgDump)
  context.progress.step(`backing up with pg_dump ${pgDump.version}`)
  const hashing =
    scope === 'schema'
      ? undefined
      : hashTables({ sql: database.sql, snapshot, tables: inventory.tables, jobs }, context)
  const [written, tables] = await both(writeArchive(job, { pgDump, pgRestore }, context), hashing)
  const list = await archive.write(
    contentsName,
    job.members ? onlyListed(written.contents, job.members) : written.contents,
  )
  return {
    files: [...written.files, list],
    tables: tables ?? [],
    sequences: scope === 'schema' ? [] : await readSequences(snapshot.session, job.members && oidsOf(job.members)),
    largeObjects: scope === 'full' ? await hashLargeObjects(snapshot.session) : null,
    roles: rolesOf(await parseDdl(written.definitions)),
    pgDumpVersion: pgDump.version,
    codec: written.codec,
  }
}

function oidsOf({ relations }: Membership): ReadonlySet<number> {
  return new Set(relations.map(({ oid }) => oid))
}

/** Waits for both, so that a failure of one leaves no work of the other behind. */
async function both<A, B>(first: Promise<A>, second: Promise<B> | undefined): Promise<[A, B | undefined]> {
  await Promise.allSettled([first, second])
  return [await first, await second]
}

interface Tools {
  readonly pgDump: NativeTool
  readonly pgRestore: NativeTool
}

interface WrittenArchive {
  readonly files: readonly ManifestFile[]
  readonly codec: Codec
  /** As pg_restore lists it. */
  readonly contents: string
  /** SQL. */
  readonly definitions: string
}

/** zstd where this pg_dump was built with it: it says so before it does anything. */
async function writeArchive(job: DumpJob, tools: Tools, context: RunContext): Promise<WrittenArchive> {
  if (tools.pgDump.major >= 16) {
    try {
      return { ...(await writeCompressed(job, tools, 'zstd:1', context)), codec: 'zstd' }
    } catch (error) {
      if (!isWithoutZstd(error)) throw error
    }
  }
  return { ...(await writeCompressed(job, tools, '1', context)), codec: 'gzip' }
}

function isWithoutZstd(error: unknown): boolean {
  return error instanceof ObsError && /does not support compression with/.test(error.message)
}

type Written = Omit<WrittenArchive, 'codec'>

function writeCompressed(job: DumpJob, tools: Tools, compression: string, context: RunContext): Promise<Written> {
  const args = [...scopeArguments(job), `--compress=${compression}`]
  return job.archive.encryption ? writeStream(job, tools, args, context) : writeFolder(job, tools, args, context)
}

/** A table that somebody waits to change is waited for by pg_dump, and that by the snapshot: not for ever. */
const lockPatience = '--lock-wait-timeout=60s'

function scopeArguments({ inventory, snapshot, scope, members, allTables }: DumpJob): string[] {
  // What obs reads of an archive it reads as UTF-8; a database without an encoding has bytes that are no text.
  const encoding = inventory.database.encoding === 'SQL_ASCII' ? [] : ['--encoding=UTF8']
  const common = ['--no-password', `--snapshot=${snapshot.name}`, lockPatience, ...encoding]
  if (scope === 'full') return common
  if (scope === 'schema') return [...common, '--schema-only']
  const chosen = new Set(members?.relations.map(({ oid }) => oid))
  const others = allTables.filter(({ oid }) => !chosen.has(oid))
  return [
    ...common,
    '--no-blobs',
    ...others.map(({ schema, name }) => `--exclude-table-data=${pattern(schema)}.${pattern(name)}`),
  ]
}

/** Inside of double quotes every character of a pattern stands for itself. */
function pattern(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

async function writeFolder(
  { archive, database, jobs }: DumpJob,
  { pgDump, pgRestore }: Tools,
  args: readonly string[],
  context: RunContext,
): Promise<Written> {
  const path = join(archive.folder, archiveFolderName)
  const own = ['--format=directory', `--jobs=${jobs}`, `--file=${path}`]
  await runTool(pgDump, { args: [...own, ...args], address: database.address, session: archive.session }, context)
  const files: ManifestFile[] = []
  for (const name of (await readdir(path)).sort()) files.push(await archive.adopt(`${archiveFolderName}/${name}`))
  return {
    files,
    contents: await runTool(pgRestore, { args: [...listing, path] }, context),
    definitions: await readDefinitions(pgRestore, { args: [path] }, context),
  }
}

/** How pg_restore is shown a finished archive: an encrypted one through its standard input, so that it lies nowhere in clear. */
export function archiveInput(archive: ArchiveReader, manifest: Manifest): ToolRun {
  const file = manifest.files.find(({ path }) => path.startsWith(archiveFileName))
  if (file === undefined) return { args: [join(archive.folder, archiveFolderName)] }
  if (manifest.encryption === 'none') return { args: [join(archive.folder, archiveFileName)] }
  return { args: [], input: archive.stream(file.path) }
}

/** With what each entry depends on. */
const listing = ['--list', '--verbose']

/** The stream is read back as it passes: what is encrypted can only be read by who has the key. */
async function writeStream(
  { archive, database }: DumpJob,
  { pgDump, pgRestore }: Tools,
  args: readonly string[],
  context: RunContext,
): Promise<Written> {
  const [forList, forDefinitions] = [new PassThrough(), new PassThrough()]
  const contents = runTool(pgRestore, { args: listing, input: forList }, context)
  const definitions = readDefinitions(pgRestore, { args: [], input: forDefinitions }, context)
  const run: ToolRun = { args: ['--format=custom', ...args], address: database.address, session: archive.session }
  const file = streamTool(pgDump, run, context, (output) =>
    archive.write(archiveFileName, output.compose(copyTo([forList, forDefinitions]))),
  ).finally(() => {
    forList.end()
    forDefinitions.end()
  })
  await Promise.allSettled([file, contents, definitions])
  return { files: [await file], contents: await contents, definitions: await definitions }
}

/** Passes bytes on, and to readers as long as they want any. */
function copyTo(readers: readonly PassThrough[]): Transform {
  const wanting = new Set(readers)
  for (const reader of readers) reader.on('error', () => undefined).once('close', () => wanting.delete(reader))
  return new Transform({
    transform(chunk, _encoding, done) {
      const full = [...wanting].filter((reader) => !reader.destroyed && !reader.write(chunk))
      const ready = full.map(
        (reader) =>
          new Promise<void>((resolve) => {
            reader.once('drain', resolve).once('close', resolve)
          }),
      )
      Promise.all(ready).then(() => done(null, chunk), done)
    },
  })
}

/** The definitions of an archive as SQL with the entries they come from, without what only psql understands. */
export async function readDefinitions(pgRestore: NativeTool, run: ToolRun, context: RunContext): Promise<string> {
  const args = ['--section=pre-data', '--section=post-data', '--verbose', '--file=-', ...run.args]
  const sql = await runTool(pgRestore, { ...run, args, verbose: true }, context)
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
