import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { type EngineName, engines } from '../../src/backup/manifest.js'
import { pgDumpBuiltIn } from '../../src/backup/pg-dump-built-in.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { quietContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import { type Database, type Sql, withSession } from '../../src/database/connect.js'
import {
  backupDirectory,
  clientTools,
  fingerprints,
  freshAddress,
  inDatabase,
  nativeObstacle,
} from '../support/backups.js'
import { openTestDatabase } from '../support/database.js'

const schemas = ['public', 'Odd "Schema" ü', 'apart']
let source: Awaited<ReturnType<typeof openTestDatabase>>

beforeAll(async () => {
  source = await openTestDatabase()
  await source.sql.unsafe(await readFile(new URL('torture.sql', import.meta.url), 'utf8'))
})
afterAll(() => source.close())

describe.each(engines)('a backup of the %s engine', (engine) => {
  it('comes back into a new database with the same schema, values and sequences', async ({ skip }) => {
    if (engine === 'native') skip(...(await nativeObstacle(source)))
    const directory = await backupDirectory()
    const to = freshAddress()
    const backup = await createBackup(source, { directory, engine, ...toolsOf(engine).dump }, quietContext())
    expect(backup).toMatchObject({ engine, verified: true })
    const result = await restoreBackup({ directory, id: backup.id, to, ...toolsOf(engine).restore }, quietContext())
    expect(result).toMatchObject({ id: backup.id, database: to.database, rows: backup.manifest.rows, verified: true })
    await inDatabase(to, expectSame)
  })

  it('comes back into an empty database', async ({ skip }) => {
    if (engine === 'native') skip(...(await nativeObstacle(source)))
    const directory = await backupDirectory()
    const target = await openTestDatabase()
    try {
      await createBackup(source, { directory, engine, ...toolsOf(engine).dump }, quietContext())
      await restoreBackup({ directory, id: 'latest', to: target.address, ...toolsOf(engine).restore }, quietContext())
      await expectSame(target)
    } finally {
      await target.close()
    }
  })
})

function toolsOf(engine: EngineName) {
  const { pgDump, pgRestore } = engine === 'native' ? clientTools() : {}
  return { dump: pgDump ? { pgDump } : {}, restore: pgRestore ? { pgRestore } : {} }
}

async function expectSame(restored: Database): Promise<void> {
  const { sql } = restored
  expect(await readCatalog(sql, schemas)).toEqual(await readCatalog(source.sql, schemas))
  expect(await fingerprints(sql)).toEqual(await fingerprints(source.sql))
  expect(await sequencesOf(sql)).toEqual(await sequencesOf(source.sql))
  expect(await largeObjectsOf(sql)).toEqual(await largeObjectsOf(source.sql))
  // Owners, grants, comments, publications and whatever else pg_dump knows.
  expect(await dumpOf(restored)).toEqual(await dumpOf(source))
  expect(await sql`select n from filled`).toEqual([{ n: 100 }])
  expect(await sql`select n::int from apart.second`).toEqual([{ n: 30 }])
  await expect(sql`select * from unfilled`).rejects.toMatchObject({ code: '55000' })
}

function dumpOf(database: Database): Promise<string> {
  return withSession(database.sql, async (session) => {
    const sql = await pgDumpBuiltIn(session, ['--schema-only'], quietContext())
    return sql.replace(/^\\(un)?restrict .*$/gm, '')
  })
}

function largeObjectsOf(sql: Sql) {
  return sql`
    select oid::text, lomowner::regrole::text as owner, lomacl::text as grants, md5(lo_get(oid)) as content,
           obj_description(oid, 'pg_largeobject') as comment
    from pg_largeobject_metadata order by oid`
}

async function sequencesOf(sql: Sql) {
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
