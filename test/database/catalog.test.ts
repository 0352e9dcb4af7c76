import { expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { catalogHash, readCatalog } from '../../src/database/catalog.js'
import { withDatabase, withSession, withTransaction } from '../../src/database/connect.js'
import { testDatabase } from '../support/database.js'

const schemaText = `
  create type mood as enum ('calm', 'cross');
  create domain share as numeric check (value between 0 and 1);
  create sequence ticket start 7;
  create table pet (
    id bigint generated always as identity primary key,
    name varchar(40) not null default 'Rex',
    mood mood, part share, upper text generated always as (upper(name)) stored,
    check (length(name) > 0)
  );
  comment on column pet.name is 'what it listens to';
  create index idx_pet_name on pet (name) where mood = 'cross';
  create table visit (at timestamptz not null, pet bigint references pet, primary key (at, pet)) partition by range (at);
  create table visit_2026 partition of visit for values from ('2026-01-01+00') to ('2027-01-01+00');
  create table visit_default partition of visit default;
  create view cross_pet as select id from pet where mood = 'cross';
  create materialized view pet_count as select count(*) from pet;
  create function bark(times int) returns text language sql as $$ select repeat('wau', times) $$;
  create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
  create trigger touched before update on pet for each row execute function touch();
  alter table pet enable row level security;
  create policy calm_only on pet for select using (mood = 'calm');`

it('describes two databases with the same schema in the same words', async () => {
  const [one, two] = [await testDatabase(), await testDatabase()]
  await one.sql.unsafe(schemaText)
  await two.sql.unsafe(`create table noise (id int); drop table noise; ${schemaText}`)
  const [first, second] = [await readCatalog(one.sql, ['public']), await readCatalog(two.sql, ['public'])]
  expect(second).toEqual(first)
  expect(catalogHash(second)).toBe(catalogHash(first))
  expect(first.length).toBeGreaterThan(40)
})

it.each([
  ['a column', 'alter table pet add column age int'],
  ['a dropped column', 'alter table pet drop column part'],
  ['a type', 'alter table pet alter column part type numeric'],
  ['a default', `alter table pet alter column name set default 'Bello'`],
  ['NOT NULL', 'alter table pet alter column name drop not null'],
  ['a constraint', 'alter table pet add constraint older check (id > 3)'],
  ['an unvalidated constraint', 'alter table pet add constraint older check (id > 3) not valid'],
  ['an index', 'create index on pet (mood)'],
  ['a sequence', 'alter sequence ticket increment 2'],
  ['a function body', `create or replace function bark(times int) returns text language sql as $$ select 'miau' $$`],
  ['a disabled trigger', 'alter table pet disable trigger touched'],
  ['a view', 'create or replace view cross_pet as select id from pet'],
  ['a partition', `create table visit_2027 partition of visit for values from ('2027-01-01+00') to ('2028-01-01+00')`],
  ['a policy', `alter policy calm_only on pet using (mood = 'cross')`],
  ['an enum value', `alter type mood add value 'asleep'`],
  ['a domain check', 'alter domain share add check (value <> 0.5)'],
  ['a comment', `comment on table pet is 'animals'`],
  ['a storage parameter', 'alter table pet set (fillfactor = 70)'],
])('notices a difference in %s', async (_what, change) => {
  const { sql } = await testDatabase()
  await sql.unsafe(schemaText)
  const before = await readCatalog(sql, ['public'])
  await sql.unsafe(change)
  expect(await readCatalog(sql, ['public'])).not.toEqual(before)
})

it('says the same whatever the session is set to, and leaves the session as it was', async () => {
  const { sql } = await testDatabase()
  await sql.unsafe(schemaText)
  const plain = await readCatalog(sql, ['public'])
  await withSession(sql, (session) =>
    withTransaction(session, async () => {
      await session`set local search_path to public, obs_nowhere`
      await session`set local timezone to 'Asia/Kathmandu'`
      expect(await readCatalog(session, ['public'])).toEqual(plain)
      expect(await session`show search_path`).toEqual([{ search_path: 'public, obs_nowhere' }])
      expect(await session`show timezone`).toEqual([{ TimeZone: 'Asia/Kathmandu' }])
    }),
  )
})

it('says the same of databases that live in different time zones', async () => {
  const [here, there] = [await testDatabase(), await testDatabase()]
  await here.sql.unsafe(schemaText)
  await there.sql.unsafe(schemaText)
  await there.sql.unsafe(`alter database ${there.address.database} set timezone to 'Asia/Kathmandu'`)
  await withDatabase(there.address, quietContext(), async ({ sql }) => {
    expect(await sql`show timezone`).toEqual([{ TimeZone: 'Asia/Kathmandu' }])
    expect(await readCatalog(sql, ['public'])).toEqual(await readCatalog(here.sql, ['public']))
  })
})

it('keeps to the schemas it is asked for, hostile names included', async () => {
  const { sql } = await testDatabase()
  const hostile = `it's "odd"\\; drop schema public`
  await sql`create schema ${sql(hostile)}`
  await sql`create table ${sql(hostile)}.t (id int)`
  await sql`create table public.elsewhere (id int)`
  const lines = await readCatalog(sql, [hostile])
  expect(lines).toEqual([
    `column "it's ""odd""\\; drop schema public".t.id integer`,
    `table "it's ""odd""\\; drop schema public".t`,
  ])
})
