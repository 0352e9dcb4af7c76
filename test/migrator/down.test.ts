import { expect, it, vi } from 'vitest'
import { quietContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { migrateDown } from '../../src/migrator/run/down.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import { testDatabase } from '../support/database.js'
import { addFiles, removeFile, testPack } from '../support/packs.js'

const context = quietContext()

const files = {
  '0001_a.up.sql': 'create table a (id int);',
  '0001_a.down.sql': 'drop table a;',
  '0002_b.up.sql': 'create table b (id int);',
  '0002_b.down.sql': 'drop table b;',
  '0003_c.up.sql': 'create table c (id int);',
  '0003_c.down.sql': 'drop table c;',
}

it('reverts one migration, or a number, or down to a version, newest first', async () => {
  const db = await testDatabase()
  const pack = await testPack(files)
  await migrateUp(db, pack, {}, context)
  const whole = await readCatalog(db.sql, ['public'])
  const names = async (target: Parameters<typeof migrateDown>[2]['target']) => {
    const { reverted } = await migrateDown(db, pack, target ? { target } : {}, context)
    return reverted.map((one) => one.id)
  }
  expect(await names(undefined)).toEqual(['0003_c'])
  expect(await names({ steps: 1 })).toEqual(['0002_b'])
  await migrateUp(db, pack, {}, context)
  expect(await readCatalog(db.sql, ['public'])).toEqual(whole)
  expect(await names({ to: 1 })).toEqual(['0003_c', '0002_b'])
  expect(await names({ to: 1 })).toEqual([])
  expect(await names({ steps: 9 })).toEqual(['0001_a'])
  expect(await readCatalog(db.sql, ['public'])).toEqual([])
  expect((await migrationStatus(db, pack)).current).toBe(0)
})

it('names every missing down before it reverts anything, with exit code 2', async () => {
  const db = await testDatabase()
  const pack = await testPack(files)
  await migrateUp(db, pack, {}, context)
  await removeFile(pack, '0001_a.down.sql')
  await removeFile(pack, '0002_b.down.sql')
  const before = await readCatalog(db.sql, ['public'])
  await expect(migrateDown(db, pack, { target: { to: 0 } }, context)).rejects.toMatchObject({
    code: 'missing_down',
    exitCode: 2,
    migrations: ['0002_b', '0001_a'],
  })
  expect(await readCatalog(db.sql, ['public'])).toEqual(before)
  const { migrations } = await migrationStatus(db, pack)
  expect(migrations.map((one) => one.reversible)).toEqual([false, false, true])
})

it('stops at the one that fails and keeps those that were reverted before it', async () => {
  const db = await testDatabase()
  const pack = await testPack({ ...files, '0002_b.down.sql': 'drop table b;\ndrop table nowhere;' })
  await migrateUp(db, pack, {}, context)
  const error = await migrateDown(db, pack, { target: { to: 0 } }, context).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'migration_failed', migration: '0002_b', done: ['0003_c'] })
  expect((error as Error).message).toContain('the database is at version 2; 0002_b was rolled back')
  expect((error as { hint: string }).hint).toContain('obs migrate down')
  expect((await migrationStatus(db, pack)).migrations.map((one) => one.state)).toEqual([
    'applied',
    'applied',
    'pending',
  ])
})

it('finds a syntax error in the last down file before the first one runs', async () => {
  const db = await testDatabase()
  const pack = await testPack({ ...files, '0001_a.down.sql': 'drop tabel a;' })
  await migrateUp(db, pack, {}, context)
  await expect(migrateDown(db, pack, { target: { to: 0 } }, context)).rejects.toMatchObject({
    code: 'invalid_migrations',
    problems: [{ location: { line: 1, column: 6 } }],
  })
  expect((await migrationStatus(db, pack)).current).toBe(3)
})

it('backs up first when there is data', async () => {
  const db = await testDatabase()
  const pack = await testPack(files)
  const backup = vi.fn(async () => ({ id: 'b1', path: '/b1' }))
  await migrateUp(db, pack, {}, context)
  await db.sql`insert into a values (1)`
  expect((await migrateDown(db, pack, { backup }, context)).backup).toEqual({ id: 'b1', path: '/b1' })
  expect(await db.sql`select backup_id from obs.migration_history where direction = 'down'`).toEqual([
    { backup_id: 'b1' },
  ])
})

it('reverts a migration whose up file changed, so that it can be applied anew', async () => {
  const db = await testDatabase()
  const pack = await testPack(files)
  await migrateUp(db, pack, {}, context)
  await addFiles(pack, { '0003_c.up.sql': 'create table c (id bigint);' })
  await migrateDown(db, pack, {}, context)
  await migrateUp(db, pack, {}, context)
  expect((await migrationStatus(db, pack)).migrations.map((one) => one.state)).toEqual([
    'applied',
    'applied',
    'applied',
  ])
})

it('uses the form that was applied, even when the server offers another platform now', async () => {
  const db = await testDatabase()
  const pack = await testPack({ ...files, '0003_c.timescaledb.down.sql': 'drop table somewhere_else;' })
  await migrateUp(db, pack, {}, context)
  const later = { ...db, platform: { ...db.platform, name: 'timescaledb' as const } }
  expect((await migrateDown(later, pack, {}, context)).reverted).toHaveLength(1)
})
