import { describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import type { Database } from '../../src/database/connect.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { repairMigration } from '../../src/migrator/recovery/repair.js'
import { migrateDown } from '../../src/migrator/run/down.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import type { Pack } from '../../src/packs.js'
import { testDatabase } from '../support/database.js'
import { addFiles, testPack } from '../support/packs.js'

const context = quietContext()

async function states(db: Database, pack: Pack): Promise<string[]> {
  const { migrations } = await migrationStatus(db, pack)
  return migrations.map((one) => `${one.version} ${one.state}`)
}

async function tables({ sql }: Database): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select tablename as name from pg_tables where schemaname = 'public' order by tablename`
  return rows.map((row) => row.name)
}

/** Kills its own connection as long as the table `mine` exists; refuses a transaction, because it commits. */
const mine = `do $$ begin commit; perform pg_terminate_backend(pg_backend_pid()) where to_regclass('public.mine') is not null; end $$;`

it('runs what cannot run in a transaction, statement by statement', async () => {
  const db = await testDatabase()
  const pack = await testPack({
    '0001_pet.up.sql': 'create table pet (id int);',
    '0002_index.up.sql': 'create index concurrently idx_pet_id on pet (id);',
    '0002_index.down.sql': 'drop index concurrently idx_pet_id;',
    '0003_more.up.sql': '-- obs: no-transaction\nvacuum pet;\ncreate table more ();\nreindex table concurrently pet;',
  })
  await migrateUp(db, pack, {}, context)
  expect(await tables(db)).toEqual(['more', 'pet'])
  expect(await states(db, pack)).toEqual(['1 applied', '2 applied', '3 applied'])
  const rows = await db.sql`
    select concat_ws(' ', version, state, statement, case when finished_at is not null then 'ended' end,
                     case when in_transaction then 'in a transaction' end) as line
    from obs.migration_history order by id`
  expect(rows.map((row) => row['line'])).toEqual([
    '1 applied 1 ended in a transaction',
    '2 running 1',
    '2 running 1 ended',
    '2 applied 1 ended',
    '3 running 1',
    '3 running 1 ended',
    '3 running 2 ended in a transaction',
    '3 running 3',
    '3 running 3 ended',
    '3 applied 3 ended',
  ])
  await addFiles(pack, { '0003_more.down.sql': 'drop table more;' })
  await migrateDown(db, pack, { target: { to: 1 } }, context)
  expect(await db.sql`select from pg_indexes where indexname = 'idx_pet_id'`).toHaveLength(0)
})

describe('a statement that fails cleanly', () => {
  it('is where the next run goes on, once the file is mended', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_x.up.sql': '-- obs: no-transaction\ncreate table one ();\nselect 1/0;\ncreate table three ();',
    })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'migration_failed', failure: { statement: 2, location: { line: 3 } } })
    expect((error as Error).message).toContain('0001_x stopped before statement 2')
    expect(await states(db, pack)).toEqual(['1 dirty'])
    expect(await tables(db)).toEqual(['one'])
    await addFiles(pack, {
      '0001_x.up.sql': '-- obs: no-transaction\ncreate table one ();\ncreate table two ();\ncreate table three ();',
    })
    await migrateUp(db, pack, {}, context)
    expect(await tables(db)).toEqual(['one', 'three', 'two'])
    expect(await states(db, pack)).toEqual(['1 applied'])
  })

  it('is not gone on with when what ran before it was edited', async () => {
    const db = await testDatabase()
    const pack = await testPack({ '0001_x.up.sql': '-- obs: no-transaction\ncreate table one ();\nselect 1/0;' })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_failed' })
    await addFiles(pack, { '0001_x.up.sql': '-- obs: no-transaction\ncreate table uno ();\nselect 1;' })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
    expect((error as Error).message).toContain('statement 1 ran already and says something else now')
    expect(await tables(db)).toEqual(['one'])
    expect(await states(db, pack)).toEqual(['1 dirty'])
  })

  it('has to be settled before the other direction is possible', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_x.up.sql': '-- obs: no-transaction\ncreate table one ();\nselect 1/0;',
      '0001_x.down.sql': 'drop table one;',
    })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_failed' })
    await expect(migrateDown(db, pack, {}, context)).rejects.toMatchObject({
      code: 'migration_unfinished',
      exitCode: 5,
      statement: 2,
    })
    const repaired = await repairMigration(db, pack, 1, { mark: 'applied' }, {}, context)
    expect(repaired.next).toBe('obs migrate status')
    await migrateDown(db, pack, {}, context)
    expect(await tables(db)).toEqual([])
  })

  it('in a down file is where the next down goes on', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_x.up.sql': 'create table one (); create table two ();',
      '0001_x.down.sql': '-- obs: no-transaction\ndrop table one;\ndrop table toe;',
    })
    await migrateUp(db, pack, {}, context)
    await expect(migrateDown(db, pack, {}, context)).rejects.toMatchObject({ failure: { statement: 2 } })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({
      code: 'migration_unfinished',
      hint: expect.stringContaining('obs migrate down --to 0'),
    })
    await addFiles(pack, { '0001_x.down.sql': '-- obs: no-transaction\ndrop table one;\ndrop table two;' })
    await migrateDown(db, pack, {}, context)
    expect(await tables(db)).toEqual([])
    expect(await states(db, pack)).toEqual(['1 pending'])
  })
})

describe('a connection that dies in the middle', () => {
  const text = `-- obs: no-transaction\ncreate table one ();\n${mine}\ncreate table three ();`

  async function broken() {
    const db = await testDatabase()
    await db.sql`create table mine ()`
    const pack = await testPack({ '0001_x.up.sql': text })
    const error = await migrateUp(db, pack, { preserve: 'off' }, context).catch((thrown: unknown) => thrown)
    return { db, pack, error }
  }

  it('leaves the history dirty, which exits with 5 until somebody has looked', async () => {
    const { db, pack, error } = await broken()
    expect((error as Error).message).toContain('broke off in statement 2')
    expect(await states(db, pack)).toEqual(['1 dirty'])
    const dirty = { code: 'history_dirty', exitCode: 5, migration: '0001_x', statement: 2 }
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject(dirty)
    await expect(migrateDown(db, pack, {}, context)).rejects.toMatchObject(dirty)
    expect(await tables(db)).toEqual(['mine', 'one'])
  })

  it('is settled by naming the statement to go on with', async () => {
    const { db, pack } = await broken()
    await db.sql`drop table mine`
    for (const resumeAt of [0, 5]) {
      await expect(repairMigration(db, pack, 1, { resumeAt }, {}, context)).rejects.toMatchObject({ exitCode: 2 })
    }
    const repaired = await repairMigration(db, pack, 1, { resumeAt: 2 }, {}, context)
    expect(repaired.next).toBe('obs migrate up')
    await migrateUp(db, pack, {}, context)
    expect(await tables(db)).toEqual(['one', 'three'])
    expect(await states(db, pack)).toEqual(['1 applied'])
  })

  it('is not settled by a number that the history contradicts, unless a person says that she did it by hand', async () => {
    const { db, pack } = await broken()
    await db.sql`drop table mine`
    const before = await db.sql`select * from obs.migration_history order by id`
    for (const [resumeAt, known] of [
      [1, 'statement 1 took effect, and would run again'],
      [4, 'statement 3 never began, and would be left out'],
    ] as const) {
      await expect(repairMigration(db, pack, 1, { resumeAt }, {}, context)).rejects.toMatchObject({
        code: 'contradicts_history',
        exitCode: 2,
        message: expect.stringContaining(known),
        hint: expect.stringContaining('--resume-at 2 or 3'),
      })
    }
    expect(await db.sql`select * from obs.migration_history order by id`).toEqual(before)
    await db.sql`drop table one`
    await repairMigration(db, pack, 1, { resumeAt: 1, byHand: true }, {}, context)
    await migrateUp(db, pack, {}, context)
    expect(await tables(db)).toEqual(['one', 'three'])
  })

  it('is settled by saying that nothing of it is left', async () => {
    const { db, pack } = await broken()
    await db.sql`drop table mine`
    await db.sql`drop table one`
    await repairMigration(db, pack, 1, { mark: 'reverted' }, {}, context)
    expect(await states(db, pack)).toEqual(['1 pending'])
    await migrateUp(db, pack, {}, context)
    expect(await tables(db)).toEqual(['one', 'three'])
  })
})

it('takes the file as it is now for applied, when a down that broke off was finished upwards by hand', async () => {
  const db = await testDatabase()
  const pack = await testPack({
    '0001_x.up.sql': 'create table one (); create table two ();',
    '0001_x.down.sql': '-- obs: no-transaction\ndrop table one;\ndrop table toe;',
  })
  await migrateUp(db, pack, {}, context)
  await expect(migrateDown(db, pack, {}, context)).rejects.toMatchObject({ failure: { statement: 2 } })
  await db.sql`create table one ()`
  await repairMigration(db, pack, 1, { mark: 'applied' }, {}, context)
  expect(await states(db, pack)).toEqual(['1 applied'])
  expect((await migrateUp(db, pack, {}, context)).applied).toEqual([])
})

it('drops the invalid index that a failed create index concurrently leaves behind', async () => {
  const db = await testDatabase()
  await db.sql`create table pet as select 1 as id from generate_series(1, 2)`
  const pack = await testPack({ '0001_x.up.sql': 'create unique index concurrently idx_pet_id on pet (id);' })
  const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ failure: { cleared: ['drop index concurrently if exists "public"."idx_pet_id"'] } })
  expect(await db.sql`select to_regclass('idx_pet_id') as index`).toEqual([{ index: null }])
  await db.sql`delete from pet where ctid = '(0,1)'`
  await migrateUp(db, pack, {}, context)
  expect(await states(db, pack)).toEqual(['1 applied'])
  expect(await db.sql`select indisvalid from pg_index where indexrelid = 'idx_pet_id'::regclass`).toEqual([
    { indisvalid: true },
  ])
})

it('leaves an invalid index alone that was there before, and says that it is one', async () => {
  const db = await testDatabase()
  await db.sql`create table pet as select 1 as id from generate_series(1, 2)`
  await db.sql.unsafe('create unique index concurrently idx_pet_id on pet (id)').catch(() => undefined)
  const pack = await testPack({
    '0001_x.up.sql': 'create unique index concurrently if not exists idx_pet_id on pet (id);',
  })
  await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({
    message: expect.stringContaining('is INVALID, because an earlier build of it broke off'),
    hint: expect.stringContaining('drop index concurrently "public"."idx_pet_id"'),
  })
  expect(await db.sql`select indisvalid from pg_index where indexrelid = 'idx_pet_id'::regclass`).toEqual([
    { indisvalid: false },
  ])
})

it('repairs nothing that is not half done', async () => {
  const db = await testDatabase()
  const pack = await testPack({ '0001_x.up.sql': 'select 1;' })
  await migrateUp(db, pack, {}, context)
  await expect(repairMigration(db, pack, 1, { mark: 'reverted' }, {}, context)).rejects.toMatchObject({
    code: 'nothing_to_repair',
    exitCode: 2,
  })
  expect(await states(db, pack)).toEqual(['1 applied'])
})

it('advises the directive when only the server knows that a statement refuses a transaction', async () => {
  const db = await testDatabase()
  const pack = await testPack({ '0001_x.up.sql': `alter database ${db.address.database} set tablespace pg_default;` })
  await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({
    hint: expect.stringContaining('-- obs: no-transaction'),
  })
})
