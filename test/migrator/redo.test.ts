import { expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import type { Database } from '../../src/database/connect.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { migrateRedo } from '../../src/migrator/run/redo.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import { testDatabase } from '../support/database.js'
import { addFiles, testPack } from '../support/packs.js'

const context = quietContext()

const files = {
  '0001_a.up.sql': 'create table a (id int);',
  '0001_a.down.sql': 'drop table a;',
  '0002_b.up.sql': 'create table b (id int);',
  '0002_b.down.sql': 'drop table b;',
  '0003_c.up.sql': 'alter table b add column c int;',
  '0003_c.down.sql': 'alter table b drop column c;',
}

async function history({ sql }: Database): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    select concat_ws(' ', version, direction, state) as line from obs.migration_history order by id`
  return rows.map((row) => row.line)
}

it('reverts the newest, applies them again in order, and ends at the same schema', async () => {
  const db = await testDatabase()
  const pack = await testPack(files)
  await migrateUp(db, pack, {}, context)
  const whole = await readCatalog(db.sql, ['public'])
  const { reverted, applied } = await migrateRedo(db, pack, { count: 2 }, context)
  expect([...reverted, ...applied].map((one) => `${one.direction} ${one.id}`)).toEqual([
    'down 0003_c',
    'down 0002_b',
    'up 0002_b',
    'up 0003_c',
  ])
  expect(await readCatalog(db.sql, ['public'])).toEqual(whole)
  expect((await history(db)).slice(3)).toEqual(['3 down applied', '2 down applied', '2 up applied', '3 up applied'])
})

it('applies a file that changed since as it is now', async () => {
  const db = await testDatabase()
  const pack = await testPack(files)
  await migrateUp(db, pack, {}, context)
  await addFiles(pack, { '0003_c.up.sql': 'alter table b add column c bigint;' })
  await migrateRedo(db, pack, {}, context)
  const [column] = await db.sql`
    select data_type from information_schema.columns where table_name = 'b' and column_name = 'c'`
  expect(column?.['data_type']).toBe('bigint')
  expect((await migrationStatus(db, pack)).migrations.map((one) => one.state)).toEqual([
    'applied',
    'applied',
    'applied',
  ])
})

it('finds a mistake in the file to apply again before it reverts anything', async () => {
  const db = await testDatabase()
  const pack = await testPack(files)
  await migrateUp(db, pack, {}, context)
  await addFiles(pack, { '0003_c.up.sql': 'alter tabel b add column c bigint;' })
  await expect(migrateRedo(db, pack, {}, context)).rejects.toMatchObject({ code: 'invalid_migrations' })
  expect(await history(db)).toHaveLength(3)
})

it('says which way what was done went when applying again fails', async () => {
  const db = await testDatabase()
  const pack = await testPack(files)
  await migrateUp(db, pack, {}, context)
  await addFiles(pack, { '0003_c.up.sql': 'alter table nowhere add column c int;' })
  await expect(migrateRedo(db, pack, { count: 2 }, context)).rejects.toMatchObject({
    migration: '0003_c',
    done: ['0003_c (down)', '0002_b (down)', '0002_b'],
    message: expect.stringContaining('the database is at version 2; 0003_c was rolled back'),
  })
})

it('has nothing to redo in an empty database', async () => {
  const db = await testDatabase()
  expect(await migrateRedo(db, await testPack(files), {}, context)).toMatchObject({ reverted: [], applied: [] })
  expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual([])
})
