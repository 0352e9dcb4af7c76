import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCatalog } from '../../src/database/catalog.js'
import { type Session, withSession } from '../../src/database/connect.js'
import { compareSchemas } from '../../src/schema/compare.js'
import type { Change, Group, Severity } from '../../src/schema/gap.js'
import { type SchemaSnapshot, takeSnapshot } from '../../src/schema/snapshot.js'
import { openTestDatabase } from '../support/database.js'

const schemaText = `
  create schema side;
  create schema spare;
  create extension pg_trgm schema side;
  create type mood as enum ('calm', 'cross', 'sleepy');
  create type pair as (first int, second text);
  create type span as range (subtype = float8);
  create domain share as numeric constraint share_range check (value between 0 and 1);
  create sequence ticket start 7;
  create function bark(times int) returns text language sql as $$ select repeat('wau', times) $$;
  create procedure feed() language sql as $$ select 1 $$;
  create aggregate total (int) (sfunc = int4pl, stype = int);
  create table loner (id int primary key);
  create table owner (id bigint primary key, email text not null constraint owner_email unique);
  create table pet (
    id bigint generated always as identity primary key,
    owner_id bigint constraint pet_owner references owner on delete cascade,
    name varchar(40) not null default 'Rex',
    nick text, mood mood, part share, chip int,
    upper text generated always as (upper(name)) stored,
    constraint pet_chip unique (chip),
    constraint pet_name check (length(name) > 0),
    constraint pet_alone exclude using btree (nick with =)
  );
  comment on table pet is 'animals';
  comment on column pet.name is 'what it listens to';
  comment on function bark(int) is 'makes a noise';
  create index idx_pet_name on pet (name) where mood = 'cross';
  create unique index idx_pet_nick on pet (nick);
  create table visit (at timestamptz not null, pet bigint, primary key (at, pet)) partition by range (at);
  create index idx_visit_pet on visit (pet);
  create table visit_2026 partition of visit for values from ('2026-01-01+00') to ('2027-01-01+00');
  create table visit_default partition of visit default;
  create view cross_pet as select id, name from pet where mood = 'cross';
  create materialized view pet_count as select count(*) as pets from pet;
  create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
  create trigger touched before update on pet for each row execute function touch();
  create rule keep as on delete to owner do instead nothing;
  create statistics pet_stats (dependencies) on name, nick from pet;
  alter table pet enable row level security;
  create policy calm_only on pet for select using (mood = 'calm');
  create policy no_rex on pet as restrictive for select using (name <> 'Rex');`

type Expected = readonly [Change, Group, string, string, Severity, RegExp]

/** One change of the examined database, and the one difference that has to be reported for it. */
const changes: readonly (readonly [string, ...Expected])[] = [
  ['drop extension pg_trgm', 'missing', 'extensions', 'extension', 'pg_trgm', 'breaking', /fails/],
  ['create extension hstore schema side', 'extra', 'extensions', 'extension', 'hstore', 'cosmetic', /needs it/],
  ['alter extension pg_trgm set schema public', 'different', 'extensions', 'extension', 'pg_trgm', 'risky', /schema/],
  [
    `update pg_extension set extversion = '0.1' where extname = 'pg_trgm'`,
    'different',
    'extensions',
    'extension',
    'pg_trgm',
    'cosmetic',
    /version/,
  ],
  ['drop schema spare', 'missing', 'schemas', 'schema', 'spare', 'breaking', /in it/],
  ['drop type span', 'missing', 'types', 'range type', 'public.span', 'breaking', /cannot be made/],
  [`create type colour as enum ('red')`, 'extra', 'types', 'enum', 'public.colour', 'cosmetic', /uses it/],
  [`alter type mood add value 'asleep'`, 'different', 'types', 'enum', 'public.mood', 'risky', /'asleep'/],
  [
    `alter type mood rename value 'sleepy' to 'tired'`,
    'different',
    'types',
    'enum',
    'public.mood',
    'breaking',
    /writing 'sleepy' fails/,
  ],
  [
    'alter type pair add attribute third int',
    'different',
    'types',
    'composite type',
    'public.pair',
    'breaking',
    /other places/,
  ],
  [
    'alter type pair alter attribute first type bigint',
    'different',
    'types',
    'attribute',
    'public.pair.first',
    'breaking',
    /bigint instead of integer/,
  ],
  ['alter domain share set default 0', 'different', 'types', 'domain', 'public.share', 'risky', /default/],
  [
    'alter domain share drop constraint share_range',
    'missing',
    'types',
    'check constraint',
    'public.share.share_range',
    'risky',
    /refuses/,
  ],
  ['drop table visit', 'missing', 'tables', 'partitioned table', 'public.visit', 'breaking', /read and write/],
  [
    'create table toy (id int primary key, name text)',
    'extra',
    'tables',
    'table',
    'public.toy',
    'risky',
    /no migration/,
  ],
  ['alter table loner set unlogged', 'different', 'tables', 'table', 'public.loner', 'risky', /crash/],
  ['alter table pet disable row level security', 'different', 'tables', 'table', 'public.pet', 'breaking', /policies/],
  ['alter table owner set (fillfactor = 70)', 'different', 'tables', 'table', 'public.owner', 'cosmetic', /same/],
  ['alter table pet drop column part', 'missing', 'tables', 'column', 'public.pet.part', 'breaking', /fail/],
  ['alter table pet add column age int', 'extra', 'tables', 'column', 'public.pet.age', 'risky', /copy/],
  [
    'alter table owner add column age int not null',
    'extra',
    'tables',
    'column',
    'public.owner.age',
    'breaking',
    /required/,
  ],
  [
    'alter table pet alter column part type numeric',
    'different',
    'tables',
    'column',
    'public.pet.part',
    'breaking',
    /numeric instead of/,
  ],
  [
    'alter table owner alter column email drop not null',
    'different',
    'tables',
    'column',
    'public.owner.email',
    'risky',
    /NULL/,
  ],
  [
    'alter table pet alter column chip set not null',
    'different',
    'tables',
    'column',
    'public.pet.chip',
    'breaking',
    /NULL/,
  ],
  [
    `alter table pet alter column name set default 'Bello'`,
    'different',
    'tables',
    'column',
    'public.pet.name',
    'risky',
    /store/,
  ],
  [
    'alter table pet alter column id drop identity',
    'different',
    'tables',
    'column',
    'public.pet.id',
    'breaking',
    /generated/,
  ],
  [
    'alter table pet alter column upper drop expression',
    'different',
    'tables',
    'column',
    'public.pet.upper',
    'breaking',
    /generated/,
  ],
  [
    'alter table pet alter column nick set storage external',
    'different',
    'tables',
    'column',
    'public.pet.nick',
    'cosmetic',
    /stored/,
  ],
  ['drop sequence ticket', 'missing', 'tables', 'sequence', 'public.ticket', 'breaking', /number/],
  ['alter sequence ticket increment 2', 'different', 'tables', 'sequence', 'public.ticket', 'risky', /numbers/],
  [
    'alter table pet drop constraint pet_owner',
    'missing',
    'foreign keys',
    'foreign key',
    'public.pet.pet_owner',
    'risky',
    /orphans/,
  ],
  [
    'alter table pet drop constraint pet_owner; alter table pet add constraint pet_owner foreign key (owner_id) references owner',
    'different',
    'foreign keys',
    'foreign key',
    'public.pet.pet_owner',
    'risky',
    /delete/,
  ],
  ['drop function bark', 'missing', 'functions', 'function', 'public.bark(integer)', 'breaking', /call/],
  [
    `create or replace function bark(times int) returns text language sql as $$ select 'miau' $$`,
    'different',
    'functions',
    'function',
    'public.bark(integer)',
    'risky',
    /something else/,
  ],
  ['drop procedure feed', 'missing', 'functions', 'procedure', 'public.feed()', 'breaking', /call/],
  [
    'drop aggregate total (int); create aggregate total (int) (sfunc = int4mul, stype = int)',
    'different',
    'functions',
    'aggregate',
    'public.total(integer)',
    'risky',
    /something else/,
  ],
  ['drop view cross_pet', 'missing', 'views', 'view', 'public.cross_pet', 'breaking', /read/],
  [
    'create or replace view cross_pet as select id, name from pet',
    'different',
    'views',
    'view',
    'public.cross_pet',
    'risky',
    /answers/,
  ],
  ['drop materialized view pet_count', 'missing', 'views', 'materialized view', 'public.pet_count', 'breaking', /read/],
  ['drop trigger touched on pet', 'missing', 'triggers', 'trigger', 'public.pet.touched', 'risky', /does not happen/],
  [
    'alter table pet disable trigger touched',
    'different',
    'triggers',
    'trigger',
    'public.pet.touched',
    'risky',
    /disabled/,
  ],
  [
    'alter trigger touched on pet rename to touching',
    'renamed',
    'triggers',
    'trigger',
    'public.pet.touched',
    'cosmetic',
    /touching/,
  ],
  ['drop rule keep on owner', 'missing', 'triggers', 'rule', 'public.owner.keep', 'risky', /rewritten/],
  ['drop index idx_pet_name', 'missing', 'indexes', 'index', 'public.idx_pet_name', 'risky', /slower/],
  ['drop index idx_pet_nick', 'missing', 'indexes', 'unique index', 'public.idx_pet_nick', 'breaking', /duplicates/],
  ['drop index idx_visit_pet', 'missing', 'indexes', 'index', 'public.idx_visit_pet', 'risky', /slower/],
  ['create index by_hand on pet (mood)', 'extra', 'indexes', 'index', 'public.by_hand', 'cosmetic', /slower/],
  [
    'alter index idx_pet_name rename to idx_name',
    'renamed',
    'indexes',
    'index',
    'public.idx_pet_name',
    'cosmetic',
    /idx_name/,
  ],
  [
    'drop index idx_pet_nick; create index idx_pet_nick on pet (nick)',
    'different',
    'indexes',
    'unique index',
    'public.idx_pet_nick',
    'breaking',
    /not unique/,
  ],
  [
    `update pg_index set indisvalid = false where indexrelid = 'idx_pet_name'::regclass`,
    'different',
    'indexes',
    'index',
    'public.idx_pet_name',
    'risky',
    /invalid/,
  ],
  ['drop statistics pet_stats', 'missing', 'indexes', 'statistics', 'public.pet_stats', 'cosmetic', /planner/],
  [
    'alter table pet drop constraint pet_pkey',
    'missing',
    'constraints',
    'primary key',
    'public.pet.pet_pkey',
    'breaking',
    /twice/,
  ],
  [
    'alter table pet drop constraint pet_chip',
    'missing',
    'constraints',
    'unique constraint',
    'public.pet.pet_chip',
    'breaking',
    /duplicates/,
  ],
  [
    'alter table pet drop constraint pet_name',
    'missing',
    'constraints',
    'check constraint',
    'public.pet.pet_name',
    'risky',
    /get in/,
  ],
  [
    'alter table pet drop constraint pet_alone',
    'missing',
    'constraints',
    'exclusion constraint',
    'public.pet.pet_alone',
    'risky',
    /exclude/,
  ],
  [
    'alter table pet rename constraint pet_chip to pet_tag',
    'renamed',
    'constraints',
    'unique constraint',
    'public.pet.pet_chip',
    'cosmetic',
    /pet_tag/,
  ],
  [
    'alter table pet add constraint older check (id > 3)',
    'extra',
    'constraints',
    'check constraint',
    'public.pet.older',
    'risky',
    /refused/,
  ],
  [
    'alter table pet drop constraint pet_name; alter table pet add constraint pet_name check (length(name) > 0) not valid',
    'different',
    'constraints',
    'check constraint',
    'public.pet.pet_name',
    'risky',
    /never validated/,
  ],
  ['drop table visit_2026', 'missing', 'partitions', 'partition', 'public.visit_2026', 'risky', /default partition/],
  [
    `create table visit_2027 partition of visit for values from ('2027-01-01+00') to ('2028-01-01+00')`,
    'extra',
    'partitions',
    'partition',
    'public.visit_2027',
    'cosmetic',
    /apart/,
  ],
  [
    `alter table visit detach partition visit_2026; alter table visit attach partition visit_2026 for values from ('2026-01-01+00') to ('2026-07-01+00')`,
    'different',
    'partitions',
    'partition',
    'public.visit_2026',
    'risky',
    /other partitions/,
  ],
  ['drop policy calm_only on pet', 'missing', 'policies', 'policy', 'public.pet.calm_only', 'breaking', /hidden/],
  ['drop policy no_rex on pet', 'missing', 'policies', 'policy', 'public.pet.no_rex', 'breaking', /keeps back/],
  [
    'create policy all_of_them on pet for select using (true)',
    'extra',
    'policies',
    'policy',
    'public.pet.all_of_them',
    'breaking',
    /shown/,
  ],
  [
    `alter policy calm_only on pet using (mood = 'cross')`,
    'different',
    'policies',
    'policy',
    'public.pet.calm_only',
    'breaking',
    /other rows/,
  ],
  [
    `comment on table pet is 'beasts'`,
    'different',
    'comments',
    'comment',
    'table public.pet',
    'cosmetic',
    /another text/,
  ],
  [
    'comment on column pet.name is null',
    'missing',
    'comments',
    'comment',
    'column public.pet.name',
    'cosmetic',
    /miss/,
  ],
  [
    'comment on function bark(int) is null',
    'missing',
    'comments',
    'comment',
    'function public.bark(integer)',
    'cosmetic',
    /miss/,
  ],
]

let db: Awaited<ReturnType<typeof openTestDatabase>>
let reference: SchemaSnapshot
let lines: readonly string[]
const schemas = ['public', 'side', 'spare']

beforeAll(async () => {
  db = await openTestDatabase()
  await db.sql.unsafe(schemaText)
  reference = await takeSnapshot(db, schemas)
  lines = await readCatalog(db.sql, schemas)
})

afterAll(() => db.close())

/** Looks at the database as it would be after a change, which is undone. */
async function after<T>(change: string, look: (session: Session) => Promise<T>): Promise<T> {
  return withSession(db.sql, async (session) => {
    await session`begin`
    try {
      await session.unsafe(change)
      return await look(session)
    } finally {
      await session`rollback`
    }
  })
}

function snapshotAfter(change: string): Promise<SchemaSnapshot> {
  return after(change, (sql) => takeSnapshot({ sql, platform: db.platform }, schemas))
}

/** What the examined database has too much is what the other one lacks, and so on. */
const opposite = { missing: 'extra', extra: 'missing', different: 'different', renamed: 'renamed' } as const

describe('one change is one difference, from either side, whenever the lines of the catalog differ', () => {
  it.each(changes)('%s', async (sql, change, group, kind, object, severity, impact) => {
    const { snapshot, catalog } = await after(sql, async (session) => ({
      snapshot: await takeSnapshot({ sql: session, platform: db.platform }, schemas),
      catalog: await readCatalog(session, schemas),
    }))
    const { items } = compareSchemas(reference, snapshot)
    expect(items).toHaveLength(1)
    expect(items[0]).toMatchObject({ change, group, kind, object, severity, impact: expect.stringMatching(impact) })
    const reverse = compareSchemas(snapshot, reference).items
    expect(reverse).toHaveLength(1)
    expect(reverse[0]).toMatchObject({ change: opposite[change], group })
    const inLines = catalog.join('\n') !== lines.join('\n')
    expect(inLines || beyondLines.test(sql), 'a difference that no line shows').toBe(true)
  })
})

/** What only objects say, because backups keep a hash of the lines. */
const beyondLines = /extension|drop schema|storage|aggregate|on function/

it('finds nothing when nothing changed', async () => {
  expect(compareSchemas(reference, await snapshotAfter('select 1'))).toEqual({
    items: [],
    dataPartitions: 0,
    compared: reference.objects.filter((one) => !one.inherited || !['index', 'constraint'].includes(one.kind)).length,
  })
})

it('lists what goes with an object under it, and shows both definitions of what differs', async () => {
  const gone = compareSchemas(reference, await snapshotAfter('drop table pet cascade; drop view if exists cross_pet'))
  const kinds = gone.items[0]?.includes.map(({ kind }) => kind)
  expect(new Set(kinds)).toEqual(
    new Set([
      'check constraint',
      'column',
      'comment',
      'exclusion constraint',
      'foreign key',
      'index',
      'policy',
      'primary key',
      'sequence',
      'statistics',
      'trigger',
      'unique constraint',
      'unique index',
    ]),
  )
  const [item] = compareSchemas(
    reference,
    await snapshotAfter('alter table pet alter column nick type varchar(10)'),
  ).items
  expect(item).toMatchObject({
    differs: ['type'],
    reference: 'text',
    actual: 'character varying(10)',
  })
})

it('orders differences as they are deployed, columns below their tables', async () => {
  const { items } = compareSchemas(
    await snapshotAfter(`
      create extension hstore; create type colour as enum ('red'); create table toy (id int); alter table owner add age int;
      alter table owner add constraint owner_pet foreign key (id) references pet;
      create function meow() returns int language sql as 'select 1'; create view toys as select * from toy;
      create trigger zap before insert on owner for each row execute function touch(); create index i on owner (age);
      alter table owner add constraint old check (age > 1);
      create table visit_2027 partition of visit for values from ('2027-01-01+00') to ('2028-01-01+00');
      create policy p on owner; comment on table owner is 'people'`),
    reference,
  )
  expect(items.map(({ group, object }) => `${group}: ${object}`)).toEqual([
    'extensions: hstore',
    'types: public.colour',
    'tables: public.owner.age',
    'tables: public.toy',
    'foreign keys: public.owner.owner_pet',
    'functions: public.meow()',
    'views: public.toys',
    'triggers: public.owner.zap',
    'indexes: public.i',
    'constraints: public.owner.old',
    'partitions: public.visit_2027',
    'policies: public.owner.p',
    'comments: table public.owner',
  ])
  expect(new Set(items.map(({ change }) => change))).toEqual(new Set(['missing']))
})

describe('partitions made for the data', () => {
  const month = `create table visit_2027 partition of visit for values from ('2027-01-01+00') to ('2028-01-01+00')`

  it('are counted and no difference, on either side', async () => {
    const more = await snapshotAfter(`${month}; comment on column visit_2027.at is 'inherits nothing'`)
    const gap = compareSchemas(reference, await snapshotAfter(month), { declaredPartitions: new Set() })
    expect(gap).toMatchObject({ items: [], dataPartitions: 1 })
    expect(compareSchemas(more, reference, { declaredPartitions: new Set() })).toMatchObject({
      items: [],
      dataPartitions: 1,
    })
  })

  it('hide nothing that was put on them by hand', async () => {
    const actual = await snapshotAfter(`${month}; create index by_hand on visit_2027 (pet, at);
      alter table visit_2027 add constraint odd check (pet > 0)`)
    const { items, dataPartitions } = compareSchemas(reference, actual, { declaredPartitions: new Set() })
    expect(items.map(({ change, object }) => [change, object])).toEqual([
      ['extra', 'public.by_hand'],
      ['extra', 'public.visit_2027.odd'],
    ])
    expect(dataPartitions).toBe(1)
  })

  it('are neither those that a migration names nor the default one', async () => {
    const actual = await snapshotAfter('drop table visit_2026; drop table visit_default')
    const { items, dataPartitions } = compareSchemas(reference, actual, { declaredPartitions: new Set(['visit_2026']) })
    expect(items.map(({ change, object }) => [change, object])).toEqual([
      ['missing', 'public.visit_2026'],
      ['missing', 'public.visit_default'],
    ])
    expect(dataPartitions).toBe(0)
  })
})

it('leaves out the books of obs wherever they are kept', async () => {
  const books = [{ schema: 'public', table: 'migration_history' }]
  const actual = await after(
    'create table migration_history (id bigint generated always as identity primary key, x text); create index on migration_history (x); ' +
      `comment on table migration_history is 'ours'`,
    (sql) => takeSnapshot({ sql, platform: db.platform }, schemas, books),
  )
  expect(compareSchemas(reference, actual).items).toEqual([])
})

it('takes names with quotes, dots, spaces and unicode for names', async () => {
  const odd = `create table "odd ""Table"". ünï" ("a.b""c" int constraint "k.1" check ("a.b""c" > 0)); create index "i d.x" on "odd ""Table"". ünï" ("a.b""c")`
  const before = await snapshotAfter(odd)
  const actual = await snapshotAfter(
    `${odd}; drop index "i d.x"; alter table "odd ""Table"". ünï" drop constraint "k.1"`,
  )
  expect(compareSchemas(before, actual).items.map(({ kind, object }) => `${kind} ${object}`)).toEqual([
    'index public."i d.x"',
    'check constraint public."odd ""Table"". ünï"."k.1"',
  ])
})
