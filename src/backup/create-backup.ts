import { mkdir } from 'node:fs/promises'
import type { RunContext } from '../context.js'
import { catalogHash } from '../database/catalog.js'
import { type Database, type Sql, withDatabase } from '../database/connect.js'
import { obsVersion } from '../package.js'
import { type Archive, explainWriteError, finishRemovals, removeDeadPartials, withArchive } from './archive.js'
import { dumpBuiltIn } from './built-in.js'
import { catalogOf } from './catalog-lines.js'
import { chooseEngine, type EngineChoice, type NativeTool } from './choose-engine.js'
import { databaseSettingsName, readDatabaseSettings } from './database-settings.js'
import { checkSpace } from './disk-space.js'
import type { Encryption } from './file-stages.js'
import { type Inventory, type RelationKey, readInventory } from './inventory.js'
import {
  type Codec,
  catalogName,
  type EngineName,
  type Manifest,
  type ManifestFile,
  type ManifestSequence,
  type ManifestTable,
  type ScopeName,
} from './manifest.js'
import { dumpNative } from './native.js'
import { findTool } from './native-tools.js'
import { type Membership, membersOf, type Scope } from './scope.js'
import { type Snapshot, withSnapshot } from './snapshot.js'
import { verifyFiles } from './verify-backup.js'

export interface CreateBackupOptions {
  /** Absolute folder that holds the backups; made when missing. */
  readonly directory: string
  /** Chosen by what is installed unless given. */
  readonly engine?: EngineName
  /** A pg_dump to use instead of the one on the PATH. */
  readonly pgDump?: string
  /** The whole database unless given. */
  readonly scope?: Scope
  /** Sessions that read rows at a time; two unless given. */
  readonly jobs?: number
  /** Makes every file unreadable to others but the manifest, the checksums and the proof. */
  readonly encryption?: Encryption
}

export interface BackupResult {
  readonly id: string
  readonly path: string
  readonly engine: EngineName
  /** Why this engine. */
  readonly reason: string
  /** Size of all files. */
  readonly bytes: number
  readonly verified: true
  readonly manifest: Manifest
}

/** What an engine wrote. */
export interface Dump {
  readonly files: readonly ManifestFile[]
  readonly tables: readonly ManifestTable[]
  readonly sequences: readonly ManifestSequence[]
  readonly roles: readonly string[]
  readonly largeObjects: Manifest['large_objects']
  readonly pgDumpVersion: string
  /** How the rows are compressed. */
  readonly codec: Codec
}

/**
 * Takes a backup of the whole database and checks it.
 *
 * The database is only read, in one snapshot: tables agree with each other whatever is
 * written meanwhile. The backup gets its name when every file has been written to the
 * disk, read back and compared with its hash; before that it is `<id>.partial`, and when
 * anything fails it is removed.
 *
 * @throws UsageError when no engine can dump this server; ObsError `disk_full`,
 * `cannot_write_backup`, `cannot_copy` or `pg_dump_failed`, with nothing left behind.
 */
export async function createBackup(
  database: Database,
  options: CreateBackupOptions,
  context: RunContext,
): Promise<BackupResult> {
  const { choice, native } = await decide(database, options)
  const run = async (own: Database) =>
    withSnapshot(own.sql, async (snapshot) => {
      const { directory, encryption, scope = { kind: 'full' }, jobs = defaultJobs } = options
      const members = scope.kind === 'tables' ? await membersOf(snapshot.session, scope.tables) : undefined
      const everything = await readInventory(snapshot.session)
      const inventory = within(scope, members, everything)
      await prepareDirectory(directory, inventory, own.sql, context)
      const place = { directory, database: inventory.database.name, now: new Date(), encryption }
      return withArchive(place, (archive) =>
        write(
          {
            ...{ database: own, snapshot, inventory, members, scope: scope.kind, jobs, archive, choice, native },
            allTables: everything.tables,
          },
          context,
        ),
      )
    })
  // Connections of its own: the caller's may be held by what the backup is taken for.
  return withDatabase(database.address, context, run, { connections: 2, purpose: 'backup', ifLost })
}

const ifLost = 'Check the server and take the backup again; nothing was left behind.'

/** Sessions that read rows at a time, unless it is said otherwise. */
const defaultJobs = 2

/** What of an inventory a backup of this scope is about. */
function within({ kind }: Scope, members: Membership | undefined, inventory: Inventory): Inventory {
  if (kind === 'full') return inventory
  const chosen = new Set(members?.relations.map(({ oid }) => oid))
  const tables = inventory.tables.filter(({ oid, where }) => chosen.has(oid) && where === null)
  return {
    ...inventory,
    tables,
    tableBytes: tables.reduce((total, { bytes }) => total + bytes, 0),
    schemas: members?.schemas ?? inventory.schemas,
  }
}

/** Chooses the engine by what is asked for, installed and able to dump this server. */
export async function decide(
  database: Database,
  options: Pick<CreateBackupOptions, 'engine' | 'pgDump'>,
): Promise<{ readonly choice: EngineChoice; readonly native: NativeTool | undefined }> {
  const native = options.engine === 'built-in' ? undefined : await findTool('pg_dump', options.pgDump)
  const choice = chooseEngine({
    wanted: options.engine,
    native,
    nativeSource: options.pgDump ?? 'the PATH',
    serverMajor: Math.floor(database.platform.serverVersion / 10_000),
    extensions: database.platform.extensions,
  })
  return { choice, native }
}

async function prepareDirectory(directory: string, inventory: Inventory, sql: Sql, context: RunContext): Promise<void> {
  try {
    await mkdir(directory, { recursive: true })
    const removed = [
      ...(await finishRemovals(directory)),
      ...(await removeDeadPartials(directory, (session) => endSessions(sql, session))),
    ]
    if (removed.length > 0) context.progress.warn(`removed what earlier runs left unfinished: ${removed.join(', ')}`)
    await checkSpace(directory, inventory.tableBytes, context)
  } catch (error) {
    throw explainWriteError(error, directory)
  }
}

/** Ends what a pg_dump without its obs still does on this server, as far as this role may, and waits for its end. */
function endSessions(sql: Sql, name: string): Promise<unknown> {
  return sql`
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where application_name = ${name} and pg_has_role(usesysid, 'usage')`
}

/** Everything an engine needs to write its files. */
export interface DumpJob {
  readonly database: Database
  readonly snapshot: Snapshot
  /** Of what is in the scope. */
  readonly inventory: Inventory
  readonly scope: ScopeName
  /** Every table of the database, in the scope or not. */
  readonly allTables: readonly RelationKey[]
  /** What belongs to a backup of some tables; undefined for other scopes. */
  readonly members: Membership | undefined
  /** Sessions that read at a time. */
  readonly jobs: number
  readonly archive: Archive
}

type Job = DumpJob & { readonly choice: EngineChoice; readonly native: NativeTool | undefined }

async function write(job: Job, context: RunContext): Promise<BackupResult> {
  const started = Date.now()
  const { archive, choice, native } = job
  const dump =
    choice.engine === 'native' && native ? await dumpNative(job, native, context) : await dumpBuiltIn(job, context)
  const oids = job.members?.relations.map(({ oid }) => oid)
  const lines = await catalogOf(job.snapshot.session, job.scope, job.inventory.schemas, oids)
  const catalog = await archive.write(catalogName, `${JSON.stringify(lines, null, 1)}\n`)
  const settings = job.scope === 'tables' ? [] : [await writeSettings(job)]
  const files = [...dump.files, catalog, ...settings]
  context.progress.step('checking the backup')
  await verifyFiles(archive.folder, files)
  const manifest = describe(job, dump, { files, catalogHash: catalogHash(lines), started })
  const path = await archive.finish(manifest)
  return { id: archive.id, path, ...choice, bytes: manifest.bytes, verified: true, manifest }
}

async function writeSettings({ archive, inventory, snapshot }: Job): Promise<ManifestFile> {
  const settings = await readDatabaseSettings(snapshot.session, inventory.database.name)
  return archive.write(databaseSettingsName, `${JSON.stringify(settings, null, 2)}\n`)
}

function describe(
  { archive, choice, database, inventory, scope }: Job,
  dump: Dump,
  more: { readonly files: ManifestFile[]; readonly catalogHash: string; readonly started: number },
): Manifest {
  const { platform } = database
  return {
    format_version: 2,
    id: archive.id,
    scope,
    codec: dump.codec,
    encryption: archive.encryption?.name ?? 'none',
    large_objects: dump.largeObjects,
    created_at: new Date(more.started).toISOString(),
    duration_ms: Date.now() - more.started,
    engine: choice.engine,
    reason: choice.reason,
    pg_dump_version: dump.pgDumpVersion,
    server_version: platform.displayVersion,
    server_version_num: platform.serverVersion,
    platform: platform.name,
    extensions: { ...platform.extensions },
    obs_version: obsVersion(),
    database: inventory.database,
    schemas: [...inventory.schemas],
    catalog_hash: more.catalogHash,
    migrations: { ...inventory.migrations },
    tables: [...dump.tables],
    sequences: [...dump.sequences],
    roles: [...dump.roles],
    rows: dump.tables.reduce((total, { rows }) => total + rows, 0),
    bytes: more.files.reduce((total, { bytes }) => total + bytes, 0),
    files: more.files,
  }
}
