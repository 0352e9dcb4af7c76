import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { withSession } from '../../src/database/connect.js'
import { migrateDown } from '../../src/migrator/run/down.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import { openTestDatabase, type TestDatabase } from '../support/database.js'
import { testPack } from '../support/packs.js'

const context = quietContext()
let db: TestDatabase & { close(): Promise<void> }

beforeAll(async () => {
  db = await openTestDatabase()
})

afterAll(() => db.close())

beforeEach(async () => {
  await db.sql.unsafe(`
    drop schema public cascade; create schema public; drop schema if exists obs cascade;
    create table pet (id bigint primary key, name text, price numeric);
    create table visit (at date, pet bigint references pet on delete cascade);
    create table empty (id int, x text);
    insert into pet values (1, 'Rex', 10), (2, 'Ada', 20), (3, null, 30);
    insert into visit values ('2026-01-01', 1), ('2026-01-02', 1), ('2026-01-02', 2);
    create function fill() returns void language sql as $$ update public.pet set price = 0 $$`)
})

/** The tables as they are, to show that a refused migration changed nothing. */
async function contents(): Promise<unknown> {
  return [await db.sql`select * from pet order by id`, await db.sql`select * from visit order by at, pet`]
}

async function up(sql: string) {
  return migrateUp(db, await testPack({ '0001_change.up.sql': sql }), {}, context)
}

describe('up refuses and rolls back', () => {
  it.each([
    ['a changed value', 'update pet set price = 11 where id = 1', [{ table: 'pet', column: 'price' }]],
    [
      'values that change places',
      'update pet set price = 30 - price where id < 3',
      [{ table: 'pet', column: 'price' }],
    ],
    ['a deleted row', 'delete from visit where pet = 2', [{ table: 'visit', before: '3 rows', after: '2 rows' }]],
    ['what a cascade deletes', 'delete from pet where id = 1', [{ table: 'pet' }, { table: 'visit' }]],
    [
      'a row replaced by another',
      `delete from pet where id = 3; insert into pet values (4, null, 30)`,
      [{ table: 'pet', column: 'id' }, { column: 'name' }, { column: 'price' }],
    ],
    ['what a function does', 'select fill()', [{ table: 'pet', column: 'price' }]],
    ['what a DO block does', `do $$ begin update pet set price = 0; end $$`, [{ table: 'pet', column: 'price' }]],
    ['a type that loses digits', 'alter table pet alter price type int using (price / 3)::int', [{ column: 'price' }]],
    ['a dropped column', 'alter table pet drop column name', [{ table: 'pet', column: 'name' }]],
    ['a dropped table', 'drop table visit', [{ table: 'visit', after: 'the table is gone' }]],
    ['a truncated table', 'truncate visit', [{ table: 'visit', after: '0 rows' }]],
    [
      'a copy that forgets rows',
      `create table new_pet (like pet including all); insert into new_pet select * from pet limit 2;
       drop table pet cascade; alter table new_pet rename to pet`,
      [{ table: 'pet', before: '3 rows', after: '2 rows' }],
    ],
    [
      'values that change places in a table without a key',
      `update visit set pet = case when at = '2026-01-01' then 2 when pet = 2 then 1 else pet end`,
      [{ table: 'visit', after: 'the same values in other rows' }],
    ],
    [
      'new rows that hide a changed one',
      `insert into pet values (5, 'New', 1); update pet set price = 11 where id = 1`,
      [{ table: 'pet', after: '4 rows' }],
    ],
  ])('%s', async (_what, sql, losses) => {
    const before = await contents()
    const error = await up(sql).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'migration_failed', cause: { code: 'data_would_be_lost', losses } })
    expect(await contents()).toEqual(before)
  })

  it('and says which directive would allow it', async () => {
    await expect(up('update pet set price = 0; alter table pet drop column name')).rejects.toMatchObject({
      message: expect.not.stringContaining('the server suggests'),
      hint: expect.stringContaining('-- obs: drops pet.name, -- obs: changes pet.price'),
      details: { reason: 'data_would_be_lost', losses: [{ column: 'name' }, { column: 'price' }] },
    })
  })
})

describe('up allows', () => {
  it.each([
    ['new columns, filled', `alter table pet add column kind text; update pet set kind = 'dog'`],
    ['new rows', `insert into pet values (9, 'New', 1)`],
    ['a wider type', 'alter table pet alter column id type numeric'],
    ['a renamed column', 'alter table pet rename column name to title'],
    ['a renamed table', 'alter table pet rename to animal'],
    ['an empty table that goes', 'drop table empty'],
    [
      'a table made anew and partitioned',
      `alter table visit rename to old_visit;
       create table visit (at date, pet bigint) partition by range (at);
       create table visit_rest partition of visit default;
       insert into visit select * from old_visit; drop table old_visit`,
    ],
    ['a declared change', '-- obs: changes pet.price\nupdate pet set price = 0'],
    ['declared deletions', '-- obs: changes pet\n-- obs: changes visit\ndelete from pet where id = 1'],
    ['a declared drop of a column', '-- obs: drops pet.name\nalter table pet drop column name'],
    ['a declared drop of a table', '-- obs: drops visit\ndrop table visit'],
  ])('%s', async (_what, sql) => {
    expect((await up(sql)).applied).toHaveLength(1)
  })

  it('anything with the comparison switched off', async () => {
    const pack = await testPack({ '0001_change.up.sql': 'update pet set price = 0' })
    const { preservation } = await migrateUp(db, pack, { preserve: 'off' }, context)
    expect(preservation).toMatchObject({ mode: 'off', values_identical: false })
  })

  it('changed values when only rows are counted, without claiming more', async () => {
    const pack = await testPack({ '0001_change.up.sql': 'update pet set price = 0' })
    const { preservation } = await migrateUp(db, pack, { preserve: 'counts' }, context)
    expect(preservation).toMatchObject({ mode: 'counts', rows: 6, values_identical: false })
    const fewer = await testPack({ '0001_change.up.sql': '', '0002_fewer.up.sql': 'delete from visit' })
    await db.sql`delete from obs.migration_history`
    await expect(migrateUp(db, fewer, { preserve: 'counts' }, context)).rejects.toMatchObject({
      cause: { code: 'data_would_be_lost' },
    })
  })
})

it('proves over the whole run that every row and value that existed is still there', async () => {
  const pack = await testPack({
    '0001_kind.up.sql': `alter table pet add column kind text not null default 'dog'`,
    '0002_toy.up.sql': 'create table toy (id int); insert into toy values (1)',
    '0003_more.up.sql': `-- obs: changes toy\nupdate toy set id = 2; insert into pet values (4, 'Bo', 1, 'cat')`,
  })
  const { preservation } = await migrateUp(db, pack, {}, context)
  expect(preservation).toEqual({
    mode: 'hashes',
    because: expect.stringMatching(/^the tables hold about \d+ rows, no more than 5,000,000$/),
    tables: [
      { table: 'pet', rows: 3, columns: 3, identical: true },
      { table: 'visit', rows: 3, columns: 2, identical: true },
    ],
    rows: 6,
    values_identical: true,
    dropped: [],
  })
})

it('claims nothing about values when a migration that may change them ran outside a transaction', async () => {
  const vacuum = await up('-- obs: no-transaction\nupdate pet set price = 0; vacuum pet;')
  expect(vacuum.preservation).toMatchObject({ mode: 'hashes', values_identical: false })
})

it('claims that values stayed when what ran outside a transaction cannot change any', async () => {
  const index = await up('create index concurrently pet_name on pet (name)')
  expect(index.preservation).toMatchObject({ mode: 'hashes', values_identical: true })
})

it('keeps a receipt from which the same rows can be found and compared later', async () => {
  await up(`insert into pet values (9, 'New', 1)`)
  const [row] = await db.sql`select receipt from obs.migration_history`
  const receipt = row?.['receipt'].tables.find((one: { table: string }) => one.table === 'pet')
  expect(receipt).toMatchObject({ rows_before: 3, rows_after: 4, identical: true, high_water: '3', identity: ['id'] })
  const { fingerprintTable } = await import('../../src/database/fingerprint.js')
  const later = await fingerprintTable(db.sql, {
    schema: 'public',
    table: 'pet',
    types: receipt.types,
    where: 'id <= 3',
  })
  expect(later.columns).toEqual(receipt.columns)
})

it('waits for writers, so that their rows are not taken for the doing of the migration', async () => {
  const pack = await testPack({ '0001_age.up.sql': 'alter table pet add column age int; select fill() where false' })
  await withSession(db.sql, async (writer) => {
    await writer`begin`
    await writer`insert into pet values (7, 'Late', 1)`
    const run = migrateUp(db, pack, {}, context)
    await expect
      .poll(() => db.sql`select from pg_locks where not granted`.then((rows) => rows.length), { timeout: 10_000 })
      .toBeGreaterThan(0)
    await writer`commit`
    expect((await run).preservation.values_identical).toBe(true)
  })
})

it('compares only the tables that a migration can touch', async () => {
  await up('create index idx_pet_name on pet (name); alter table visit add column vet text')
  const [row] = await db.sql`select receipt from obs.migration_history`
  expect(row?.['receipt'].tables.map((one: { table: string }) => one.table)).toEqual(['visit'])
})

describe('down', () => {
  it('may drop, says what it dropped, and keeps every value in what stays', async () => {
    const pack = await testPack({
      '0001_kind.up.sql': `alter table pet add column kind text; create table toy (id int); insert into toy values (1)`,
      '0001_kind.down.sql': 'drop table toy; alter table pet drop column kind',
    })
    await migrateUp(db, pack, {}, context)
    const { preservation } = await migrateDown(db, pack, {}, context)
    expect(preservation.dropped).toEqual(['pet.kind', 'toy'])
    expect(preservation.tables).toContainEqual({ table: 'pet', rows: 3, columns: 3, identical: true })
  })

  it('refuses to lose values in what stays', async () => {
    const pack = await testPack({ '0001_x.up.sql': 'select 1', '0001_x.down.sql': 'update pet set price = 1' })
    await migrateUp(db, pack, {}, context)
    const before = await contents()
    await expect(migrateDown(db, pack, {}, context)).rejects.toMatchObject({
      state: { direction: 'down' },
      cause: { losses: [{ table: 'pet', column: 'price' }] },
    })
    expect(await contents()).toEqual(before)
  })
})

describe('what a migration does not name', () => {
  beforeEach(() =>
    db.sql.unsafe(`
      create table owner (id int primary key, name text);
      insert into owner values (1, 'Ann'), (2, 'Ben');
      create table log (id int primary key, word text);
      insert into log values (1, 'x');
      create function shout() returns void language plpgsql as $$ begin execute 'upd' || 'ate own' || 'er set name = upper(name)'; end $$`),
  )

  it('is found out and protected all the same', async () => {
    await expect(up('select shout()')).rejects.toMatchObject({
      failure: { losses: [expect.objectContaining({ table: 'owner', column: 'name' })] },
    })
    expect(await db.sql`select name from owner order by id`).toEqual([{ name: 'Ann' }, { name: 'Ben' }])
  })

  it('goes through once it is declared', async () => {
    const { preservation } = await up('-- obs: changes owner.name\nselect shout()')
    expect(preservation.tables.map(({ table }) => table)).toEqual(['owner'])
    expect(await db.sql`select name from owner order by id`).toEqual([{ name: 'ANN' }, { name: 'BEN' }])
  })

  it('is noticed when a column goes that nobody named', async () => {
    const drop = `do $$ begin execute 'alter table own' || 'er drop column name'; end $$`
    await expect(up(drop)).rejects.toMatchObject({
      failure: { losses: [expect.objectContaining({ table: 'owner', column: 'name' })] },
    })
  })

  it('is noticed when a table goes that nobody named', async () => {
    await expect(up(`do $$ begin execute 'drop table own' || 'er'; end $$`)).rejects.toMatchObject({
      failure: { losses: [expect.objectContaining({ table: 'owner' })] },
    })
  })

  it('is not read at all when it is not written', async () => {
    const { preservation } = await up(`insert into log values (2, 'y')`)
    expect(preservation.tables.map(({ table }) => table)).toEqual(['log'])
  })
})
