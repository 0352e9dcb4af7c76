import type { RunContext } from '../context.js'
import type { Session } from '../database/connect.js'
import { quoteLiteral, quoteQualified } from '../database/quote.js'
import { ObsError } from '../errors.js'
import { copyQuery, copyTables } from './copy-out.js'
import type { Dump, DumpJob } from './create-backup.js'
import { readDatabaseSettings, settingStatements } from './database-settings.js'
import { type DdlStatement, parseDdl, rolesOf } from './ddl.js'
import { columnList, readSequences, whatBuiltInCannotCopy } from './inventory.js'
import { type CopiedLargeObjects, copyLargeObjects, largeObjectScript } from './large-objects.js'
import type { ManifestFile, ManifestSequence, ManifestTable } from './manifest.js'
import { pgDumpBuiltIn } from './pg-dump-built-in.js'
import { onlyMembers } from './scope.js'
import { applyReadSettings, copySettings } from './snapshot.js'

export const preDataName = 'pre-data.sql'
export const postDataName = 'post-data.sql'
const restoreName = 'restore.sql'

/**
 * Writes definitions with the pg_dump that comes with obs, and rows with COPY, all from one snapshot.
 *
 * @throws ObsError `cannot_copy` naming what this engine would lose, before anything is written.
 */
export async function dumpBuiltIn(job: DumpJob, context: RunContext): Promise<Dump> {
  const { snapshot } = job
  await refuseWhatWouldBeLost(snapshot.session)
  context.progress.step('backing up definitions')
  const definitions = await dumpDefinitions(job, context)
  const rows = job.scope === 'schema' ? undefined : await dumpRows(job, context)
  const sequences = rows ? await readSequences(snapshot.session, job.members && oidsOf(job.members.relations)) : []
  const script = await job.archive.write(
    restoreName,
    await restoreScript(job, rows?.tables ?? [], sequences, (rows?.largeObjects?.files.length ?? 0) > 0),
  )
  return {
    files: [...definitions.files, ...(rows?.files ?? []), script],
    tables: rows?.tables ?? [],
    sequences,
    largeObjects: rows?.largeObjects?.described ?? null,
    roles: rolesOf([...definitions.statements, ...(rows?.largeObjects?.statements ?? [])]),
    pgDumpVersion: definitions.version,
    codec: 'gzip',
  }
}

async function refuseWhatWouldBeLost(session: Session): Promise<void> {
  const losses = await whatBuiltInCannotCopy(session)
  if (losses.length === 0) return
  throw new ObsError(`the built-in engine cannot copy ${losses.join(', ')}`, {
    code: 'cannot_copy',
    hint: 'Back up as a superuser, or drop what cannot be copied; nothing was written.',
    details: { losses },
  })
}

interface Definitions {
  readonly files: readonly ManifestFile[]
  readonly statements: readonly DdlStatement[]
  readonly version: string
}

/**
 * Both halves from one run of pg_dump, in the session that holds every table already: in another one
 * it would wait behind whoever waits to change a table, and that for us.
 */
async function dumpDefinitions(job: DumpJob, context: RunContext): Promise<Definitions> {
  const { archive, database, snapshot } = job
  const args = ['--section=pre-data', '--section=post-data', '--verbose']
  const sql = await pgDumpBuiltIn(snapshot.session, args, context)
  await applyReadSettings(snapshot.session)
  const all = (await parseDdl(sql)).filter(knownTo(database.platform.serverVersion))
  const statements = job.members ? onlyMembers(all, job.members) : all
  const [pre, post] = halves(statements)
  return {
    files: [await archive.write(preDataName, sqlText(pre)), await archive.write(postDataName, sqlText(post))],
    statements,
    version: /^-- Dumped by pg_dump version (\S+)/m.exec(sql)?.[1] ?? 'unknown',
  }
}

/** pg_dump sets transaction_timeout always, and servers before 17 do not know it. */
function knownTo(serverVersion: number): (statement: DdlStatement) => boolean {
  return ({ setting }) => setting !== 'transaction_timeout' || serverVersion >= 170_000
}

/** What pg_dump puts behind the rows; grants and comments go with what they are about. */
const postDataTypes = new Set([
  'ACL',
  'CONSTRAINT',
  'DEFAULT ACL',
  'EVENT TRIGGER',
  'FK CONSTRAINT',
  'INDEX',
  'INDEX ATTACH',
  'MATERIALIZED VIEW DATA',
  'POLICY',
  'PUBLICATION',
  'PUBLICATION TABLE',
  'PUBLICATION TABLES IN SCHEMA',
  'ROW SECURITY',
  'RULE',
  'STATISTICS',
  'SUBSCRIPTION',
  'SUBSCRIPTION TABLE',
  'TRIGGER',
])

/** One run writes everything before the rows first; the settings at its beginning belong to both halves. */
function halves(statements: readonly DdlStatement[]): [DdlStatement[], DdlStatement[]] {
  const first = statements.findIndex(({ entry }) => entry !== undefined && postDataTypes.has(entry.type))
  const end = first === -1 ? statements.length : first
  const settings = statements.filter(({ entry }) => entry === undefined)
  return [statements.slice(0, end), [...settings, ...statements.slice(end)]]
}

function sqlText(statements: readonly DdlStatement[]): string {
  return statements.map(({ heading, sql }) => `${heading}${sql};\n`).join('\n')
}

interface Rows {
  readonly files: readonly ManifestFile[]
  readonly tables: readonly ManifestTable[]
  readonly largeObjects: CopiedLargeObjects | undefined
}

async function dumpRows(job: DumpJob, context: RunContext): Promise<Rows> {
  const { archive, database, inventory, jobs, snapshot } = job
  context.progress.step('backing up rows')
  const { sql } = database
  const { tables, files } = await copyTables({ sql, snapshot, tables: inventory.tables, jobs }, archive, context)
  // A part of the database is some tables; large objects belong to none.
  if (job.scope !== 'full') return { tables, files, largeObjects: undefined }
  const copy = (query: string, path: string) => copyQuery({ archive, sql }, snapshot.session, query, path)
  const largeObjects = await copyLargeObjects(snapshot.session, archive, copy)
  return { tables, files: [...files, ...largeObjects.files], largeObjects }
}

function oidsOf(relations: readonly { readonly oid: number }[]): ReadonlySet<number> {
  return new Set(relations.map(({ oid }) => oid))
}

/** What psql needs to bring the backup back without obs: run it in the backup's folder, decrypted. */
async function restoreScript(
  { snapshot, scope, inventory }: DumpJob,
  tables: readonly ManifestTable[],
  sequences: readonly ManifestSequence[],
  largeObjects: boolean,
): Promise<string> {
  const settings = Object.entries(copySettings).map(([name, value]) => `set ${name} = ${quoteLiteral(value)};`)
  const copies = tables.flatMap(({ schema, name, columns, files }) =>
    files.map((file) => `\\copy ${quoteQualified(schema, name)} ${columnList(columns)} from program ${unzip(file)}`),
  )
  // psql puts the quoted name of the database where it reads :"DBNAME".
  const own =
    scope === 'tables'
      ? []
      : settingStatements(':"DBNAME"', await readDatabaseSettings(snapshot.session, inventory.database.name))
  return `${[
    '-- psql --set ON_ERROR_STOP=1 --single-transaction --file restore.sql <an empty database>',
    `\\ir ${preDataName}`,
    ...settings,
    ...copies,
    ...(largeObjects ? largeObjectScript(unzip) : []),
    ...sequences.map((sequence) => `${setvalStatement(sequence)};`),
    `\\ir ${postDataName}`,
    ...own.map(({ sql }) => `${sql};`),
  ].join('\n')}\n`
}

function unzip(file: string): string {
  return `'gzip -dc ${file.replace(/\.age$/, '')}'`
}

/** Puts a sequence where it stood. */
export function setvalStatement({ schema, name, last_value, is_called }: ManifestSequence): string {
  return `select pg_catalog.setval(${quoteLiteral(quoteQualified(schema, name))}, ${last_value}, ${is_called})`
}
