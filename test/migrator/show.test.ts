import { expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import { showMigration } from '../../src/migrator/history/show.js'
import { migrateDown } from '../../src/migrator/run/down.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import { testDatabase } from '../support/database.js'
import { addFiles, removeFile, testPack } from '../support/packs.js'

const context = quietContext()
const backup = async () => ({ id: '20261122T093015Z-pets', path: '/backups/x' })

const pets = {
  '0001_pet.up.sql': `create table pet (id bigint primary key, name text);\ninsert into pet values (1, 'Rex');`,
  '0001_pet.down.sql': 'drop table pet;',
  '0002_kind.up.sql': `-- obs: changes pet.name\nalter table pet add column kind text;\nupdate pet set name = 'Tom';`,
  '0002_kind.timescaledb.up.sql': 'select 1;',
  '0002_kind.verify.sql': 'select 1 where false;',
}

it('gathers files, attempts, the backup and the receipt of a migration', async () => {
  const db = await testDatabase()
  const pack = await testPack(pets)
  await migrateUp(db, pack, { backup, to: 1 }, context)
  await migrateUp(db, pack, { backup }, context)
  const shown = await showMigration(db, pack, 2)
  expect(shown).toMatchObject({ pack: 'pets', platform: 'postgres', change: null })
  expect(shown.status).toMatchObject({ version: 2, name: 'kind', state: 'applied', reversible: false })
  expect(shown.files.map(({ kind, variant }) => [kind, variant])).toEqual([
    ['up', 'timescaledb'],
    ['up', null],
    ['verify', null],
  ])
  expect(shown.attempts).toEqual([
    expect.objectContaining({
      direction: 'up',
      state: 'applied',
      who: expect.stringContaining(` as ${db.address.user}`),
      durationMs: expect.any(Number),
      backupId: '20261122T093015Z-pets',
      error: null,
      receipt: {
        mode: 'hashes',
        tables: [
          expect.objectContaining({
            table: 'pet',
            rows_before: 1,
            rows_after: 1,
            identical: false,
            columns_compared: 1,
            declared: ['pet.name'],
            dropped: [],
          }),
        ],
      },
    }),
  ])
})

it('tells what the files that were applied say about the way back', async () => {
  const db = await testDatabase()
  const pack = await testPack({
    '0001_pet.up.sql': 'create table pet (id bigint primary key);',
    '0001_pet.down.sql': '-- obs: lossy the names are gone\ndrop table pet;',
    '0002_mail.up.sql': '-- obs: irreversible the mails are sent\nselect 1;',
    '0002_mail.citus.up.sql': '-- obs: irreversible never applied here\nselect 2;',
    '0003_kind.up.sql': 'select 3;',
  })
  await migrateUp(db, pack, {}, context)
  expect((await showMigration(db, pack, 1)).declared).toEqual([{ directive: 'lossy', reason: 'the names are gone' }])
  expect((await showMigration(db, pack, 2)).declared).toEqual([
    { directive: 'irreversible', reason: 'the mails are sent' },
  ])
  expect((await showMigration(db, pack, 3)).declared).toEqual([])
})

it('tells every attempt, those that failed and those outside a transaction once each', async () => {
  const db = await testDatabase()
  const pack = await testPack({
    '0001_x.up.sql': '-- obs: no-transaction\ncreate table one ();\nselect 1/0;\nselect 3;',
  })
  await migrateUp(db, pack, {}, context).catch(() => undefined)
  await addFiles(pack, { '0001_x.up.sql': '-- obs: no-transaction\ncreate table one ();\nselect 2;\nselect 3;' })
  await migrateUp(db, pack, {}, context)
  await addFiles(pack, { '0001_x.down.sql': 'drop table one;' })
  await migrateDown(db, pack, {}, context)
  const { attempts, status } = await showMigration(db, pack, 1)
  expect(attempts.map((one) => `${one.direction} ${one.state} ${one.statement}`)).toEqual([
    'up failed 2',
    'up applied 3',
    'down applied 1',
  ])
  expect(attempts[0]?.error).toContain('division by zero')
  expect(status.state).toBe('pending')
})

it('shows both sides of a file that changed since it was applied', async () => {
  const db = await testDatabase()
  const pack = await testPack(pets)
  await migrateUp(db, pack, { to: 1 }, context)
  await addFiles(pack, { '0001_pet.up.sql': 'create table pet (id bigint primary key, name varchar);' })
  const { change, status } = await showMigration(db, pack, 1)
  expect(status.state).toBe('changed')
  expect(change?.lines.slice(0, 1)).toEqual(['- create table pet (id bigint primary key, name text)'])
  expect(change?.lines).toContain('+ create table pet (id bigint primary key, name varchar)')
})

it('knows what was never applied, what lost its files, and nothing else', async () => {
  const db = await testDatabase()
  const pack = await testPack(pets)
  expect(await showMigration(db, pack, 1)).toMatchObject({ status: { state: 'pending' }, attempts: [] })
  expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual([])
  await migrateUp(db, pack, { to: 1 }, context)
  await migrateDown(db, pack, {}, context)
  await removeFile(pack, '0001_pet.up.sql')
  await removeFile(pack, '0001_pet.down.sql')
  expect(await showMigration(db, pack, 1)).toMatchObject({
    status: { state: 'missing' },
    files: [],
    attempts: [{ direction: 'up' }, { direction: 'down' }],
  })
  await expect(showMigration(db, pack, 9)).rejects.toMatchObject({ code: 'unknown_version', exitCode: 2 })
})

it('leaves out a receipt that it cannot read rather than misreading it', async () => {
  const db = await testDatabase()
  const pack = await testPack(pets)
  await migrateUp(db, pack, { to: 1 }, context)
  await db.sql`update obs.migration_history set receipt = '{"mode": "hashes", "tables": "all"}'`
  expect((await showMigration(db, pack, 1)).attempts).toMatchObject([{ state: 'applied', receipt: null }])
})
