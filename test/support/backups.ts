import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { isTooNew } from '../../src/backup/choose-engine.js'
import type { EngineName } from '../../src/backup/manifest.js'
import { findTool } from '../../src/backup/native-tools.js'
import { pgDumpBuiltIn } from '../../src/backup/pg-dump-built-in.js'
import { quietContext, type RunContext } from '../../src/context.js'
import { type ServerAddress, withDatabaseName } from '../../src/database/address.js'
import { type Database, type Sql, withDatabase, withSession } from '../../src/database/connect.js'
import { type Fingerprint, fingerprintTable } from '../../src/database/fingerprint.js'
import { printedAlike } from '../../src/database/printed-alike.js'
import { quoteIdentifier } from '../../src/database/quote.js'
import { onServer, serverAddress } from './database.js'

/** A folder for backups that is removed when the test is over. */
export async function backupDirectory(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'obs-backups-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** The address of a database that does not exist yet; dropped when the test is over. */
export function freshAddress(name = `obs_test_${randomBytes(6).toString('hex')}`): ServerAddress {
  onTestFinished(async () => {
    await onServer((sql) => sql.unsafe(`drop database if exists ${quoteIdentifier(name)} with (force)`))
  })
  return withDatabaseName(serverAddress(), name)
}

/** Runs `work` in the database at `address`. */
export function inDatabase<T>(address: ServerAddress, work: (database: Database) => Promise<T>): Promise<T> {
  return withDatabase(address, quietContext(), work)
}

/** A context that keeps what was warned of. */
export function warnedOf(): { readonly context: RunContext; readonly warnings: string[] } {
  const warnings: string[] = []
  const { progress, signal } = quietContext()
  return { context: { signal, progress: { ...progress, warn: (text) => void warnings.push(text) } }, warnings }
}

/** Every database of the test server. */
export async function databaseNames(): Promise<string[]> {
  const rows = await onServer((sql) => sql<{ name: string }[]>`select datname as name from pg_database`)
  return rows.map(({ name }) => name)
}

/**
 * Expects every temporary database of a restore to go away.
 *
 * Other tests restore on the same server meanwhile, and theirs go too; one that is left over stays.
 */
export async function expectNothingRestored(): Promise<void> {
  const found = new Set((await databaseNames()).filter((name) => name.startsWith('obs_restore_')))
  const remaining = async () => (await databaseNames()).filter((name) => found.has(name))
  await expect.poll(remaining, { timeout: 50_000, interval: 500 }).toEqual([])
}

/** The fingerprint of every table by name. */
export async function fingerprints(sql: Sql): Promise<Record<string, Fingerprint>> {
  const tables = await sql<{ schema: string; table: string }[]>`
    select schemaname as schema, tablename as table from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema')`
  const entries: [string, Fingerprint][] = []
  for (const table of tables) entries.push([`${table.schema}.${table.table}`, await fingerprintTable(sql, table)])
  return Object.fromEntries(entries)
}

/** The client programs that the tests run: those in the folder that OBS_TEST_PG_BIN names, else those on the PATH. */
export function clientTools(): { readonly pgDump?: string; readonly pgRestore?: string } {
  const folder = process.env['OBS_TEST_PG_BIN']
  return folder ? { pgDump: join(folder, 'pg_dump'), pgRestore: join(folder, 'pg_restore') } : {}
}

/** The same as options of `createBackup` and `restoreBackup`; the built-in engine needs none. */
export function toolsOf(engine: EngineName) {
  const { pgDump, pgRestore } = engine === 'native' ? clientTools() : {}
  return { dump: pgDump ? { pgDump } : {}, restore: pgRestore ? { pgRestore } : {} }
}

/** Owners, grants, comments, publications and whatever else pg_dump knows of a database, as SQL in words that a restore keeps. */
export function definitionsOf(database: Database): Promise<string> {
  return withSession(database.sql, async (session) => {
    const sql = await pgDumpBuiltIn(session, ['--schema-only'], quietContext())
    const lines = sql.replace(/^\\(un)?restrict .*$/gm, '').split('\n')
    return lines.map(printedAlike).join('\n')
  })
}

/** Where every sequence stands. */
export async function sequencesOf(sql: Sql) {
  const names = await sql<
    { name: string }[]
  >`select oid::regclass::text as name from pg_class where relkind = 'S' order by 1`
  const states: unknown[] = []
  for (const { name } of names) {
    const [state] = await sql.unsafe(`select last_value::text, is_called from ${name}`)
    states.push({ name, ...state })
  }
  return states
}

/** Whether the native engine cannot be tried on this server, and the line that says so. */
export async function nativeObstacle({ platform }: Database): Promise<[boolean, string]> {
  const serverMajor = Math.floor(platform.serverVersion / 10_000)
  const tool = await findTool('pg_dump', clientTools().pgDump)
  const missing = `needs a pg_dump for PostgreSQL ${serverMajor} on the PATH or in OBS_TEST_PG_BIN; found ${tool?.version ?? 'none'}`
  const obstacle = tool === undefined || tool.major < serverMajor || isTooNew(tool.major, serverMajor)
  if (obstacle) console.log(`skipped: ${missing}`)
  return [obstacle, missing]
}
