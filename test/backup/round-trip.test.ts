import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { engines } from '../../src/backup/manifest.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { quietContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import type { Database, Sql } from '../../src/database/connect.js'
import {
  backupDirectory,
  definitionsOf,
  fingerprints,
  freshAddress,
  inDatabase,
  nativeObstacle,
  sequencesOf,
  toolsOf,
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

async function expectSame(restored: Database): Promise<void> {
  const { sql } = restored
  expect(await readCatalog(sql, schemas)).toEqual(await readCatalog(source.sql, schemas))
  expect(await fingerprints(sql)).toEqual(await fingerprints(source.sql))
  expect(await sequencesOf(sql)).toEqual(await sequencesOf(source.sql))
  expect(await largeObjectsOf(sql)).toEqual(await largeObjectsOf(source.sql))
  expect(await definitionsOf(restored)).toEqual(await definitionsOf(source))
  expect(await sql`select n from filled`).toEqual([{ n: 100 }])
  expect(await sql`select n::int from apart.second`).toEqual([{ n: 30 }])
  await expect(sql`select * from unfilled`).rejects.toMatchObject({ code: '55000' })
}

function largeObjectsOf(sql: Sql) {
  return sql`
    select oid::text, lomowner::regrole::text as owner, lomacl::text as grants, md5(lo_get(oid)) as content,
           obj_description(oid, 'pg_largeobject') as comment
    from pg_largeobject_metadata order by oid`
}
