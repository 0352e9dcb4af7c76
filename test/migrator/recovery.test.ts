import { describe, expect, it } from 'vitest'
import { quietContext, type RunContext } from '../../src/context.js'
import { type Session, withSession } from '../../src/database/connect.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { planUp } from '../../src/migrator/plan/plan.js'
import { previewMigrations } from '../../src/migrator/preview/preview.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import type { Pack } from '../../src/packs.js'
import { crashIn } from '../support/crash.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { testPack } from '../support/packs.js'

const context = quietContext()

/** A context that keeps what a person would have read. */
function listening(): { context: RunContext; heard: string[] } {
  const heard: string[] = []
  const progress = { step() {}, advance() {}, warn: (text: string) => void heard.push(text) }
  return { context: { ...context, progress }, heard }
}

async function states(db: TestDatabase, pack: Pack): Promise<string[]> {
  return (await migrationStatus(db, pack)).migrations.map((one) => `${one.version} ${one.state}`)
}

async function indexes({ sql }: TestDatabase, table = 'pet'): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    select concat(c.relname, case when not i.indisvalid then ' invalid' end) as line
    from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = to_regclass(${table}) order by 1`
  return rows.map((row) => row.line)
}

const files = {
  '0001_pet.up.sql': 'create table pet (id int, name text); insert into pet values (1, $$Rex$$);',
  '0002_index.up.sql':
    '-- obs: no-transaction\ncreate table before ();\ncreate index concurrently idx_pet_name on pet (name);\ncreate table after ();',
}
const writing = "insert into pet values (2, 'Tom')"

describe('a create index concurrently that broke off', () => {
  it('leaves an invalid index, which the next up drops before it runs the statement again', async () => {
    const db = await testDatabase()
    const pack = await testPack(files)
    await migrateUp(db, pack, { to: 1 }, context)
    const error = await crashIn(db, pack, 'create index concurrently', writing)
    expect(error).toMatchObject({ code: 'migration_failed', failure: { statement: 2 } })
    expect(await states(db, pack)).toEqual(['1 applied', '2 dirty'])
    expect(await indexes(db)).toEqual(['idx_pet_name invalid'])
    const { context: mine, heard } = listening()
    expect((await migrateUp(db, pack, {}, mine)).applied).toMatchObject([{ version: 2 }])
    expect(heard.join()).toContain('"public"."idx_pet_name" exists and is INVALID')
    expect(await indexes(db)).toEqual(['idx_pet_name'])
    expect(await states(db, pack)).toEqual(['1 applied', '2 applied'])
    expect(await db.sql`select to_regclass('after')::text as after`).toEqual([{ after: 'after' }])
  })

  it('is judged by a dry run as well, which says where it would go on and changes nothing', async () => {
    const db = await testDatabase()
    const pack = await testPack(files)
    await migrateUp(db, pack, { to: 1 }, context)
    await crashIn(db, pack, 'create index concurrently', writing)
    const before = await db.sql`select * from obs.migration_history order by id`
    const look = () => previewMigrations(db, pack, (situation) => planUp(situation), {}, context)
    expect((await look()).migrations).toMatchObject([
      { version: 2, resumeAt: 2, remark: expect.stringContaining('"public"."idx_pet_name" exists and is INVALID') },
    ])
    expect(await indexes(db)).toEqual(['idx_pet_name invalid'])
    await db.sql.unsafe('reindex index concurrently idx_pet_name')
    expect((await look()).migrations).toMatchObject([{ version: 2, resumeAt: 3, statements: [{ number: 3 }] }])
    expect(await db.sql`select * from obs.migration_history order by id`).toEqual(before)
    expect(await states(db, pack)).toEqual(['1 applied', '2 dirty'])
  })

  it('is taken for done when the index is there and valid', async () => {
    const db = await testDatabase()
    const pack = await testPack(files)
    await migrateUp(db, pack, { to: 1 }, context)
    await crashIn(db, pack, 'create index concurrently', writing)
    await db.sql.unsafe('reindex index concurrently idx_pet_name')
    const [made] = await db.sql`select 'idx_pet_name'::regclass::oid::bigint as oid`
    await migrateUp(db, pack, {}, context)
    expect(await db.sql`select 'idx_pet_name'::regclass::oid::bigint as oid`).toEqual([made])
    expect(await states(db, pack)).toEqual(['1 applied', '2 applied'])
  })

  it('runs again when there is no trace of it', async () => {
    const db = await testDatabase()
    const pack = await testPack(files)
    await migrateUp(db, pack, { to: 1 }, context)
    await crashIn(db, pack, 'create index concurrently', writing)
    await db.sql`drop index idx_pet_name`
    await migrateUp(db, pack, {}, context)
    expect(await indexes(db)).toEqual(['idx_pet_name'])
  })

  it('finds the index without a name by what it is over, and leaves those alone that were there before', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      ...files,
      '0002_index.up.sql': 'create index concurrently on pet (lower(name), id);',
    })
    await migrateUp(db, pack, { to: 1 }, context)
    await db.sql.unsafe('create unique index concurrently broken on pet (lower(name), id)')
    await db.sql.unsafe('create index twin on pet (lower(name), id)')
    await db.sql`update pg_index set indisvalid = false where indexrelid in ('twin'::regclass, 'broken'::regclass)`
    await crashIn(db, pack, 'create index concurrently', writing)
    expect(await indexes(db)).toEqual(['broken invalid', 'pet_lower_id_idx invalid', 'twin invalid'])
    await migrateUp(db, pack, {}, context)
    expect(await indexes(db)).toEqual(['broken invalid', 'pet_lower_id_idx', 'twin invalid'])
  })

  it('is looked for where the file itself said that its tables are', async () => {
    const db = await testDatabase()
    await db.sql.unsafe('create schema "other; --"; create table "other; --".pet (name text)')
    const pack = await testPack({
      '0001_index.up.sql':
        '-- obs: no-transaction\nset search_path to "other; --";\ncreate index concurrently "Odd ""Name" on pet (name);\ncreate table made ();',
    })
    await crashIn(db, pack, 'create index concurrently', `insert into "other; --".pet values ('x')`)
    expect(await indexes(db, '"other; --".pet')).toEqual(['Odd "Name invalid'])
    await migrateUp(db, pack, {}, context)
    expect(await indexes(db, '"other; --".pet')).toEqual(['Odd "Name'])
    expect(await db.sql`select to_regclass('"other; --".made') is not null as made`).toEqual([{ made: true }])
  })

  it('is recognised though the statement was edited meanwhile', async () => {
    const db = await testDatabase()
    const pack = await testPack(files)
    await migrateUp(db, pack, { to: 1 }, context)
    await crashIn(db, pack, 'create index concurrently', writing)
    const edited = await testPack({
      ...files,
      '0002_index.up.sql': files['0002_index.up.sql'].replace('idx_pet_name', 'idx_other'),
    })
    await migrateUp(db, edited, {}, context)
    expect(await indexes(db)).toEqual(['idx_other'])
  })
})

it('finishes a drop index concurrently that broke off', async () => {
  const db = await testDatabase()
  const pack = await testPack({ ...files, '0003_drop.up.sql': 'drop index concurrently idx_pet_name;' })
  await migrateUp(db, pack, { to: 2 }, context)
  await crashIn(db, pack, 'drop index concurrently', writing)
  expect(await states(db, pack)).toEqual(['1 applied', '2 applied', '3 dirty'])
  expect(await indexes(db)).toEqual(['idx_pet_name invalid'])
  await migrateUp(db, pack, {}, context)
  expect(await indexes(db)).toEqual([])
})

it('runs a drop index concurrently no second time when the index is gone', async () => {
  const db = await testDatabase()
  const pack = await testPack({ ...files, '0003_drop.up.sql': 'drop index concurrently idx_pet_name;' })
  await migrateUp(db, pack, { to: 2 }, context)
  await crashIn(db, pack, 'drop index concurrently', writing)
  await db.sql`drop index idx_pet_name`
  await migrateUp(db, pack, {}, context)
  expect(await states(db, pack)).toEqual(['1 applied', '2 applied', '3 applied'])
})

it('drops what reindex concurrently left behind, and runs it again', async () => {
  const db = await testDatabase()
  const pack = await testPack({ ...files, '0003_reindex.up.sql': 'reindex table concurrently pet;' })
  await migrateUp(db, pack, { to: 2 }, context)
  await crashIn(db, pack, 'reindex table concurrently', writing)
  expect((await indexes(db)).filter((name) => name.includes('_ccnew invalid'))).toEqual(['idx_pet_name_ccnew invalid'])
  await migrateUp(db, pack, {}, context)
  expect(await indexes(db)).toEqual(['idx_pet_name'])
  expect(
    await db.sql`
    select from pg_class c join pg_index i on i.indexrelid = c.oid where relname ~ '_cc(new|old)' `,
  ).toHaveLength(0)
})

it('finishes the detachment of a partition', async () => {
  const db = await testDatabase()
  const pack = await testPack({
    '0001_part.up.sql':
      'create table pet (id int) partition by range (id); create table old partition of pet for values from (0) to (9); insert into pet values (1);',
    '0002_detach.up.sql': 'alter table pet detach partition old concurrently;',
  })
  await migrateUp(db, pack, { to: 1 }, context)
  await crashIn(db, pack, 'alter table pet detach', 'select * from pet')
  expect(await db.sql`select inhdetachpending from pg_inherits`).toEqual([{ inhdetachpending: true }])
  await migrateUp(db, pack, {}, context)
  expect(await db.sql`select from pg_inherits`).toHaveLength(0)
  expect(await db.sql`select id from old`).toEqual([{ id: 1 }])
  expect(await states(db, pack)).toEqual(['1 applied', '2 applied'])
})

it('runs a vacuum again that broke off', async () => {
  const db = await testDatabase()
  const pack = await testPack({ ...files, '0003_vacuum.up.sql': 'vacuum pet;' })
  await migrateUp(db, pack, { to: 2 }, context)
  await crashIn(db, pack, 'vacuum', 'lock table pet in share update exclusive mode')
  expect(await states(db, pack)).toEqual(['1 applied', '2 applied', '3 dirty'])
  await migrateUp(db, pack, {}, context)
  expect(await states(db, pack)).toEqual(['1 applied', '2 applied', '3 applied'])
})

it('never doubts a statement that can run in a transaction: it and its row are one', async () => {
  const db = await testDatabase()
  const pack = await testPack({
    '0001_pet.up.sql': 'create table pet (id int); insert into pet values (0);',
    '0002_count.up.sql':
      '-- obs: no-transaction\nupdate pet set id = id + 1;\nalter table pet add column age int;\nupdate pet set id = id + 10;',
  })
  await migrateUp(db, pack, { to: 1 }, context)
  await crashIn(db, pack, 'alter table pet add', 'select * from pet')
  expect(await states(db, pack)).toEqual(['1 applied', '2 dirty'])
  const { migrations } = await migrationStatus(db, pack)
  expect(migrations[1]?.stoppedAt).toEqual({ direction: 'up', statement: 2, certain: true })
  await migrateUp(db, pack, {}, context)
  expect(await db.sql`select id, age from pet`).toEqual([{ id: 11, age: null }])
})

it('writes its rows as the role that began, whatever role the file takes on', async () => {
  const db = await testDatabase()
  await withSession(db.sql, async (session: Session) => {
    await session.unsafe('create role obs_test_lesser; grant create on schema public to obs_test_lesser')
  })
  try {
    const pack = await testPack({
      '0001_role.up.sql':
        '-- obs: no-transaction\nset role obs_test_lesser;\ncreate table pet (id int);\nvacuum pet;\ncreate index concurrently on pet (id);\nreset role;\nset session authorization obs_test_lesser;\ncreate table other ();',
    })
    await migrateUp(db, pack, {}, context)
    expect(
      await db.sql`select relname, relowner::regrole::text as owner from pg_class where relname in ('pet', 'other') order by 1`,
    ).toEqual([
      { relname: 'other', owner: 'obs_test_lesser' },
      { relname: 'pet', owner: 'obs_test_lesser' },
    ])
  } finally {
    await db.sql.unsafe('drop owned by obs_test_lesser; drop role obs_test_lesser')
  }
})
