import { expect, it } from 'vitest'
import { quietContext } from '../../../src/context.js'
import { withDatabase } from '../../../src/database/connect.js'
import { findWalkedTable } from '../../../src/migrator/backfill/walked-table.js'
import { migrateUp } from '../../../src/migrator/run/up.js'
import { testDatabase } from '../../support/database.js'
import { testPack } from '../../support/packs.js'

const context = quietContext()

it('finds a table, its key and its size, and says why one cannot be walked through', async () => {
  const { sql } = await testDatabase()
  await sql.unsafe(`
    create schema app;
    create domain app.code as char(3);
    create table app.pet (id bigint primary key, kind app.code not null, a int not null, b text not null, c int, d int not null);
    create table public.pet (id integer);
    create index on app.pet (a, b desc);
    create index on app.pet (b, a);
    create index on app.pet (d) where d > 0;
    create index on app.pet using hash (a);
    create unique index on app.pet (kind) include (d);
    create view app.seen as select * from app.pet;
    create table app.split (at timestamptz not null, id int not null, primary key (at, id)) partition by range (at);
    create table app.split_1 partition of app.split for values from ('2024-01-01') to ('2025-01-01');
    insert into app.split select '2024-01-01', i from generate_series(1, 300) i;
    analyze app.split_1`)
  const find = (table: string, ...key: string[]) =>
    findWalkedTable(sql, 'app', { table: { schema: undefined, table }, key, batch: 1, pauseMs: 0 })
  expect(await find('pet', 'id')).toMatchObject({ schema: 'app', name: 'pet', key: [{ name: 'id', type: 'bigint' }] })
  expect(await find('pet', 'kind')).toMatchObject({ key: [{ name: 'kind', type: 'app.code' }] })
  expect(await find('pet', 'b', 'a')).toMatchObject({ key: [{ name: 'b' }, { name: 'a' }] })
  expect(await find('split', 'at', 'id')).toMatchObject({ estimatedRows: 300 })
  const noIndex = expect.stringContaining('no btree index of pet begins with')
  expect(await find('pet', 'a', 'b')).toEqual(noIndex)
  expect(await find('pet', 'd')).toEqual(noIndex)
  expect(await find('pet', 'kind', 'd')).toEqual(noIndex)
  expect(await find('pet', 'idd')).toBe('pet has no column "idd", did you mean "id"?')
  expect(await find('pet', 'c')).toBe('pet.c may be null, and a walk by it would leave such rows out')
  expect(await find('seen', 'id')).toContain('seen is no table')
  expect(await find('pets', 'id')).toBe('there is no table pets')
})

const update = '-- obs: backfill pet by id\nupdate pet set n = 1 where id > $1 and id <= $2;'

it('is refused before anything runs when the table is not fit for it', async () => {
  const db = await testDatabase()
  await db.sql`create table pet (id bigint, n int)`
  const pack = await testPack({
    '0001_other.up.sql': 'create table other ();',
    '0002_add.up.sql': `-- obs: no-transaction\n-- obs: changes pet.n\n${update}`,
  })
  const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({
    code: 'invalid_migrations',
    exitCode: 2,
    problems: [{ location: { line: 3, column: 4 } }],
  })
  expect((error as Error).message).toContain('0002_add.up.sql:3:4: pet.id may be null')
  expect(await db.sql`select to_regclass('other') as other`).toEqual([{ other: null }])
})

it('is left to the moment when it begins where something before it may make the table', async () => {
  const db = await testDatabase()
  const pack = await testPack({
    '0001_pet.up.sql':
      'create table pet (id bigint primary key, n int); insert into pet select generate_series(1, 5), 0;',
    '0002_add.up.sql': `-- obs: no-transaction\n-- obs: changes pet.n\n${update}\nalter table pet drop constraint pet_pkey;\n${update}`,
  })
  const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ failure: { reason: 'backfill_refused', statement: 3, location: { line: 7 } } })
  expect(await db.sql`select distinct n from pet`).toEqual([{ n: 1 }])
})

it('writes its progress as the role that writes the history, whatever role the file takes on', async () => {
  const db = await testDatabase()
  const role = `${db.address.database}_owner`
  await db.sql.unsafe(`create role ${role}; grant create, usage on schema public to ${role}`)
  try {
    const pack = await testPack({
      '0001_pet.up.sql': `-- obs: no-transaction
-- obs: changes pet.n
set role ${role};
create table pet (id bigint primary key, n int, by text);
insert into pet select generate_series(1, 5), 0;
-- obs: backfill pet by id batch 2
insert into other select id, current_user from pet where id > $1 and id <= $2;`,
    })
    await db.sql.unsafe(`create table other (id bigint, by text); grant insert on other to ${role}`)
    await migrateUp(db, pack, {}, context)
    expect(await db.sql`select by, count(*)::int as rows from other group by by`).toEqual([{ by: role, rows: 5 }])
  } finally {
    await withDatabase(db.address, context, ({ sql }) => sql.unsafe(`drop owned by ${role}; drop role ${role}`))
  }
})
