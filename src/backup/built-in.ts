import type { RunContext } from '../context.js'
import type { Session } from '../database/connect.js'
import { quoteLiteral, quoteQualified } from '../database/quote.js'
import { ObsError } from '../errors.js'
import { copyTables } from './copy-out.js'
import type { Dump, DumpJob } from './create-backup.js'
import { type DdlStatement, parseDdl, rolesOf } from './ddl.js'
import { columnList, readSequences, whatBuiltInCannotCopy } from './inventory.js'
import type { ManifestSequence, ManifestTable } from './manifest.js'
import { pgDumpBuiltIn } from './pg-dump-built-in.js'
import { copySettings } from './snapshot.js'

export const preDataName = 'pre-data.sql'
export const postDataName = 'post-data.sql'
const restoreName = 'restore.sql'

/**
 * Writes definitions with the pg_dump that comes with obs, and rows with COPY, all from one snapshot.
 *
 * @throws ObsError `cannot_copy` naming what this engine would lose, before anything is written.
 */
export async function dumpBuiltIn(job: DumpJob, context: RunContext): Promise<Dump> {
  const { archive, database, inventory, snapshot } = job
  await refuseWhatWouldBeLost(snapshot.session)
  await lockTables(snapshot.session, inventory.tables)
  context.progress.step('backing up definitions')
  const definitions = await dumpDefinitions(job, context)
  const pre = await archive.write(preDataName, definitions.pre)
  const post = await archive.write(postDataName, definitions.post)
  context.progress.step('backing up rows')
  const copied = await copyTables({ sql: database.sql, session: snapshot.session }, inventory.tables, archive, context)
  const tables = copied.map(({ table }) => table)
  const sequences = await readSequences(snapshot.session)
  const script = await archive.write(restoreName, restoreScript(tables, sequences))
  return {
    files: [pre, ...copied.map(({ file }) => file), post, script],
    tables,
    sequences,
    roles: rolesOf(definitions.statements),
    pgDumpVersion: definitions.version,
  }
}

async function refuseWhatWouldBeLost(session: Session): Promise<void> {
  const losses = await whatBuiltInCannotCopy(session)
  if (losses.length === 0) return
  throw new ObsError(`the built-in engine cannot copy ${losses.join(', ')}`, {
    code: 'cannot_copy',
    hint: 'Install a pg_dump that is as new as the server, or name one with --pg-dump; nothing was written.',
    details: { losses },
  })
}

/** Keeps the tables as they are defined until the end; reading and writing rows goes on. */
async function lockTables(session: Session, tables: readonly { schema: string; name: string }[]): Promise<void> {
  if (tables.length === 0) return
  const names = tables.map(({ schema, name }) => quoteQualified(schema, name))
  await session.unsafe(`lock table only ${names.join(', only ')} in access share mode`)
}

interface Definitions {
  readonly pre: string
  readonly post: string
  readonly statements: readonly DdlStatement[]
  readonly version: string
}

async function dumpDefinitions({ database, snapshot }: DumpJob, context: RunContext): Promise<Definitions> {
  const dump = (section: string) =>
    pgDumpBuiltIn(database, [`--section=${section}`, `--snapshot=${snapshot.name}`], context)
  const [pre, post] = await bothOrNeither(dump('pre-data'), dump('post-data'))
  const parts = [await parseDdl(pre), await parseDdl(post)] as const
  const runnable = (statements: readonly DdlStatement[]) => statements.filter(knownTo(database.platform.serverVersion))
  return {
    pre: sqlText(runnable(parts[0])),
    post: sqlText(runnable(parts[1])),
    statements: parts.flat(),
    version: /^-- Dumped by pg_dump version (\S+)/m.exec(pre)?.[1] ?? 'unknown',
  }
}

/** Waits for both, so that a failure of one leaves no work of the other behind. */
async function bothOrNeither<T>(first: Promise<T>, second: Promise<T>): Promise<[T, T]> {
  await Promise.allSettled([first, second])
  return [await first, await second]
}

/** pg_dump sets transaction_timeout always, and servers before 17 do not know it. */
function knownTo(serverVersion: number): (statement: DdlStatement) => boolean {
  return ({ setting }) => setting !== 'transaction_timeout' || serverVersion >= 170_000
}

function sqlText(statements: readonly DdlStatement[]): string {
  return statements.map(({ sql }) => `${sql};\n`).join('\n')
}

/** What psql needs to bring the backup back without obs: run it in the backup's folder. */
function restoreScript(tables: readonly ManifestTable[], sequences: readonly ManifestSequence[]): string {
  const settings = Object.entries(copySettings).map(([name, value]) => `set ${name} = ${quoteLiteral(value)};`)
  const copies = tables.flatMap(({ schema, name, columns, files }) =>
    files.map(
      (file) => `\\copy ${quoteQualified(schema, name)} ${columnList(columns)} from program 'gzip -dc ${file}'`,
    ),
  )
  return `${[
    '-- psql --set ON_ERROR_STOP=1 --single-transaction --file restore.sql <an empty database>',
    `\\ir ${preDataName}`,
    ...settings,
    ...copies,
    ...sequences.map((sequence) => `${setvalStatement(sequence)};`),
    `\\ir ${postDataName}`,
  ].join('\n')}\n`
}

/** Puts a sequence where it stood. */
export function setvalStatement({ schema, name, last_value, is_called }: ManifestSequence): string {
  return `select pg_catalog.setval(${quoteLiteral(quoteQualified(schema, name))}, ${last_value}, ${is_called})`
}
