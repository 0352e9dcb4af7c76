import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { type EngineName, engines } from '../../src/backup/manifest.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import type { Scope } from '../../src/backup/scope.js'
import { quietContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import type { Sql } from '../../src/database/connect.js'
import {
  backupDirectory,
  clientTools,
  fingerprints,
  freshAddress,
  inDatabase,
  nativeObstacle,
} from '../support/backups.js'
import { openTestDatabase } from '../support/database.js'

let source: Awaited<ReturnType<typeof openTestDatabase>>

beforeAll(async () => {
  source = await openTestDatabase()
  await source.sql.unsafe(await readFile(new URL('torture.sql', import.meta.url), 'utf8'))
})
afterAll(() => source.close())

/** Backs up and restores, and hands over what came back. */
async function comeBack(engine: EngineName, scope: Scope, look: (sql: Sql) => Promise<void>) {
  const { pgDump, pgRestore } = engine === 'native' ? clientTools() : {}
  const directory = await backupDirectory()
  const to = freshAddress()
  const backup = await createBackup(source, { directory, engine, scope, ...(pgDump ? { pgDump } : {}) }, quietContext())
  await restoreBackup({ directory, id: backup.id, to, ...(pgRestore ? { pgRestore } : {}) }, quietContext())
  await inDatabase(to, ({ sql }) => look(sql))
  return backup.manifest
}

const relationsOf = async (sql: Sql, kinds: string) => {
  const rows = await sql<{ name: string }[]>`
    select oid::regclass::text as name from pg_class
    where relnamespace::regnamespace::text in ('public', 'apart') and relkind::text = any(${kinds.split('')}) order by 1`
  return rows.map(({ name }) => name)
}

describe.each(engines)('a backup of the %s engine', (engine) => {
  it('holds the tables that were asked for with what they need, and nothing else', async ({ skip }) => {
    if (engine === 'native') skip(...(await nativeObstacle(source)))
    const scope: Scope = { kind: 'tables', tables: [{ schema: 'public', name: 'child' }] }
    const manifest = await comeBack(engine, scope, async (sql) => {
      expect(await relationsOf(sql, 'rp')).toEqual([
        'child',
        'parent',
        'parent_2025',
        'parent_2026',
        'parent_2026_a',
        'parent_2026_b',
        'parent_rest',
      ])
      expect(await relationsOf(sql, 'vmf')).toEqual([])
      const all = await fingerprints(source.sql)
      const found = await fingerprints(sql)
      expect(found).toEqual(Object.fromEntries(Object.keys(found).map((name) => [name, all[name]])))
      await expect(sql`insert into child (parent_id, parent_at) values (-1, now())`).rejects.toMatchObject({
        code: '23503',
      })
      expect(await sql`insert into child default values returning mood, id::int`).toEqual([{ mood: 'ok', id: 11 }])
    })
    expect(manifest).toMatchObject({ scope: 'tables', schemas: ['public'] })
  })

  it('holds keys that go round in a circle, types and functions of other schemas', async ({ skip }) => {
    if (engine === 'native') skip(...(await nativeObstacle(source)))
    const tables = ['circle_a', 'more_types', 'stored', 'listed'].map((name) => ({ schema: 'apart', name }))
    await comeBack(engine, { kind: 'tables', tables }, async (sql) => {
      expect(await relationsOf(sql, 'rp')).toEqual(
        ['circle_a', 'circle_b', 'listed', 'listed_eu', 'listed_rest', 'more_types', 'stored'].map((n) => `apart.${n}`),
      )
      expect(await sql`insert into apart.stored (a) values (7) returning b, c`).toEqual([{ b: 8, c: '9' }])
    })
  })

  it('holds definitions alone', async ({ skip }) => {
    if (engine === 'native') skip(...(await nativeObstacle(source)))
    const schemas = ['public', 'apart', 'Odd "Schema" ü']
    const manifest = await comeBack(engine, { kind: 'schema' }, async (sql) => {
      expect(await readCatalog(sql, schemas)).toEqual(await readCatalog(source.sql, schemas))
      const rows = Object.values(await fingerprints(sql)).map((table) => table.rows)
      expect(new Set(rows)).toEqual(new Set([0]))
    })
    expect(manifest).toMatchObject({ scope: 'schema', rows: 0, tables: [], large_objects: null })
  })
})

it('names the tables that are not there, and writes nothing', async () => {
  const scope: Scope = {
    kind: 'tables',
    tables: [
      { schema: 'public', name: 'child' },
      { schema: 'public', name: 'Chld' },
    ],
  }
  const run = createBackup(source, { directory: await backupDirectory(), engine: 'built-in', scope }, quietContext())
  await expect(run).rejects.toMatchObject({ code: 'unknown_table', details: { missing: ['public.Chld'] } })
})
