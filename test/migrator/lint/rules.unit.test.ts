import { describe, expect, it } from 'vitest'
import { lintMigrations } from '../../../src/migrator/lint/lint-migrations.js'
import { lintRules } from '../../../src/migrator/lint/rules.js'
import { existing, ids, lintNext, migrations } from './support.js'

type Text = string | { readonly up: string; readonly down?: string }

/** For each rule texts in which it finds something, and texts in which it does not. */
const cases: Readonly<Record<string, { readonly bad: readonly Text[]; readonly good: readonly Text[] }>> = {
  'index-blocks-writes': {
    bad: [
      'create index on pet (n)',
      'create unique index x on pet (n)',
      'create index on visit (at)',
      'create index on unknown (n)',
    ],
    good: [
      'create index concurrently on pet (n)',
      'create table new (id int); create index on new (id)',
      'create temp table new (id int); create index on new (id)',
      'create index on only visit (at)',
    ],
  },
  'drop-index-blocks': {
    bad: ['drop index pet_name', 'drop index if exists unknown'],
    good: [
      'drop index concurrently pet_name',
      'create table new (id int); create index new_id on new (id); drop index new_id',
    ],
  },
  'reindex-blocks-writes': {
    bad: ['reindex table pet', 'reindex index pet_name'],
    good: ['reindex table concurrently pet', 'reindex (concurrently) index pet_name'],
  },
  'foreign-key-without-index': {
    bad: [
      'alter table pet add foreign key (owner_id) references owner not valid',
      'create table new (id int primary key, owner_id bigint references owner)',
      'alter table pet add column boss bigint references owner',
    ],
    good: [
      'create index on pet (owner_id); alter table pet add foreign key (owner_id) references owner not valid',
      'create table new (id int primary key references owner)',
      'create table new (a int, b int, primary key (b, a), foreign key (a, b) references owner (x, y))',
      'alter table pet add constraint x foreign key (n) references owner not valid; alter table pet drop constraint x',
    ],
  },
  'foreign-key-validates': {
    bad: [
      'alter table pet add foreign key (owner_id) references owner',
      'alter table pet add column boss bigint default 1 references owner',
    ],
    good: [
      'alter table pet add foreign key (owner_id) references owner not valid',
      'alter table pet add column boss bigint references owner',
      'create table new (id bigint); alter table new add foreign key (id) references owner',
    ],
  },
  'check-validates': {
    bad: ['alter table pet add check (n > 0)', 'alter table pet add column m int check (m > 0)'],
    good: [
      'alter table pet add check (n > 0) not valid',
      'create table new (n int); alter table new add check (n > 0)',
    ],
  },
  'set-not-null-scans': {
    bad: [
      'alter table pet alter name set not null',
      'alter table pet alter n set not null',
      'alter table pet add constraint x not null n',
    ],
    good: [
      'alter table pet alter note set not null',
      'alter table pet alter id set not null',
      'alter table pet validate constraint n_present; alter table pet alter n set not null',
      'alter table pet add constraint x not null n not valid',
    ],
  },
  'constraint-builds-index': {
    bad: [
      'alter table pet add unique (n)',
      'alter table pet add column m int unique',
      'alter table pet add exclude (n with =)',
    ],
    good: [
      'alter table pet add constraint x unique using index pet_name',
      'create table new (n int); alter table new add primary key (n)',
    ],
  },
  'validate-in-same-transaction': {
    bad: ['alter table pet add constraint x check (n > 0) not valid; alter table pet validate constraint x'],
    good: [
      'alter table pet validate constraint n_present',
      '-- obs: no-transaction\nalter table pet add constraint x check (n > 0) not valid; alter table pet validate constraint x',
    ],
  },
  'column-type-rewrite': {
    bad: [
      'alter table pet alter n type bigint',
      'alter table pet alter name type varchar(10)',
      'alter table pet alter price type numeric(12, 4)',
      'alter table unknown alter n type text',
    ],
    good: [
      'alter table pet alter name type varchar(50)',
      'alter table pet alter name type text',
      'alter table pet alter price type numeric(12, 2)',
      'create table new (n int); alter table new alter n type bigint',
    ],
  },
  'volatile-default': {
    bad: [
      'alter table pet add column u uuid default gen_random_uuid()',
      'alter table pet add column at timestamptz default clock_timestamp()',
      'alter table pet add column k serial',
      'alter table pet add column k bigint generated always as identity',
      'alter table pet add column k int default my_own()',
    ],
    good: [
      'alter table pet add column at timestamptz default now() not null',
      "alter table pet add column k text default 'x'",
      'alter table pet add column u uuid; alter table pet alter u set default gen_random_uuid()',
    ],
  },
  'stored-generated-column': {
    bad: ['alter table pet add column m int generated always as (n * 2) stored'],
    good: [
      'alter table pet add column m int generated always as (n * 2) virtual',
      'create table new (n int, m int generated always as (n) stored)',
    ],
  },
  'add-column-not-null': {
    bad: ['alter table pet add column m int not null'],
    good: [
      'alter table pet add column m int not null default 0',
      'alter table pet add column m int',
      'create table new (n int not null)',
    ],
  },
  'table-rewrite': {
    bad: [
      'alter table pet set unlogged',
      'alter table pet set tablespace fast',
      'alter table pet set access method heap2',
      'alter table pet alter n set expression as (1)',
    ],
    good: ['alter table pet set (fillfactor = 70)', 'create table new (n int); alter table new set unlogged'],
  },
  'vacuum-full-or-cluster': {
    bad: ['vacuum full pet', 'vacuum (full, analyze) pet', 'cluster pet using pet_name', 'vacuum full'],
    good: ['vacuum pet', 'vacuum (full false) pet', 'analyze pet'],
  },
  'detach-partition-blocks': {
    bad: ['alter table visit detach partition visit_2020'],
    good: ['alter table visit detach partition visit_2020 concurrently'],
  },
  'refresh-blocks-reads': {
    bad: ['refresh materialized view totals'],
    good: [
      'refresh materialized view concurrently totals',
      'create materialized view new as select 1; refresh materialized view new',
    ],
  },
  'drop-column': {
    bad: ['alter table pet drop column n', 'alter table pet drop column if exists n'],
    good: [
      'create table new (n int, m int); alter table new drop column n',
      { up: 'alter table pet add column m int', down: 'alter table pet drop column m' },
    ],
  },
  'drop-table': {
    bad: ['drop table pet', 'drop table if exists pet, owner'],
    good: [
      'create table new (n int); drop table new',
      { up: 'create table new (n int)', down: 'drop table new' },
      'drop view pets',
    ],
  },
  truncate: { bad: ['truncate pet'], good: ['create table new (n int); truncate new', 'delete from pet where n = 1'] },
  cascade: {
    bad: [
      'drop view pets cascade',
      'alter table pet drop column n cascade',
      'truncate pet cascade',
      { up: 'create table new (n int)', down: 'drop table new cascade' },
    ],
    good: ['drop view pets', 'create table new (id bigint references owner on delete cascade)'],
  },
  'rename-column': {
    bad: ['alter table pet rename n to m'],
    good: [
      'create table new (n int); alter table new rename n to m',
      'alter table pet rename constraint n_present to x',
    ],
  },
  'rename-table': {
    bad: ['alter table pet rename to beast', 'alter table pet set schema zoo', 'alter view pets rename to beasts'],
    good: [
      'alter table pet rename to beast; create view pet as select * from beast',
      'alter index pet_name rename to x',
      'create table new (); alter table new rename to x',
    ],
  },
  'ddl-with-backfill': {
    bad: [
      '-- obs: no-transaction\nbegin; alter table pet add column m int; update pet set m = n where m is null; commit;',
      'alter table pet add column m int; update pet set m = n where m is null',
      'alter table pet add column m int; insert into owner select id, name from pet',
      'create trigger x after insert on pet for each row execute function f(); delete from owner where id = 1',
    ],
    good: [
      'update pet set n = 1 where id = 2',
      "alter table pet add column m int; insert into owner values (1, 'x')",
      'alter table pet add column m int; create table new (id bigint); insert into new select id from pet',
      '-- obs: no-transaction\nalter table pet add column m int; update pet set m = n where m is null',
    ],
  },
  'changes-every-row': {
    bad: ['update pet set n = 1', 'delete from pet'],
    good: [
      'update pet set n = 1 where id = 2',
      'create table new (n int); update new set n = 1',
      'delete from pet using owner where owner.id = owner_id',
    ],
  },
  'table-copy': {
    bad: ['create table new as select * from pet', 'select * into new from pet'],
    good: [
      'create table new as select 1 as n',
      'create table new as select * from pet with no data',
      'create table new (n int)',
    ],
  },
  'enum-value-used': {
    bad: ["alter type mood add value 'wild'; insert into owner values (1, 'wild')"],
    good: [
      "alter type mood add value 'wild'",
      "alter type mood add value 'wild'; insert into owner values (1, 'calm')",
      "-- obs: no-transaction\nalter type mood add value 'wild'; insert into owner values (1, 'wild')",
      "create type new as enum (); alter type new add value 'wild'; insert into owner values (1, 'wild')",
    ],
  },
  'lock-timeout-set': {
    bad: [
      'set lock_timeout = 0',
      "set local lock_timeout = '0s'",
      "set lock_timeout = '5s'",
      'reset lock_timeout',
      'set lock_timeout to default',
      { up: 'select 1', down: 'set lock_timeout = 0' },
    ],
    good: ["set local lock_timeout = '2s'", 'set local statement_timeout = 0', 'set search_path = zoo'],
  },
  'explicit-lock': {
    bad: ['lock table pet', 'lock pet in share mode'],
    good: ['lock table pet in row exclusive mode', 'create table new (); lock table new'],
  },
  'triggers-off': {
    bad: ['alter table pet disable trigger all', 'alter table pet disable trigger user'],
    good: [
      'alter table pet disable trigger all; alter table pet enable trigger all',
      'alter table pet enable trigger x',
    ],
  },
  'row-security-off': {
    bad: ['alter table pet disable row level security', 'alter table pet no force row level security'],
    good: ['alter table pet enable row level security'],
  },
  'security-definer-search-path': {
    bad: [
      "create function f() returns int language sql security definer as 'select 1'",
      'alter function f() security definer',
      "create function f() returns int language sql security definer set work_mem = '1MB' as 'select 1'",
    ],
    good: [
      "create function f() returns int language sql security definer set search_path = pg_catalog, pg_temp as 'select 1'",
      "create function f() returns int language sql security invoker as 'select 1'",
      "create function f() returns int language sql security definer as 'select 1'; alter function f() set search_path = pg_catalog",
    ],
  },
  'missing-down': {
    bad: ['create table new (n int)'],
    good: [
      { up: 'create table new (n int)', down: 'drop table new' },
      '-- obs: irreversible the rows are gone\ndrop table pet',
    ],
  },
  'empty-down': {
    bad: [
      { up: 'create table new (n int)', down: '' },
      { up: 'create table new (n int)', down: '-- nothing\nselect 1;' },
    ],
    good: [
      { up: 'create table new (n int)', down: 'drop table new' },
      { up: '-- nothing', down: '' },
      { up: '-- obs: irreversible why\ndrop table pet', down: '' },
    ],
  },
  'down-incomplete': {
    bad: [
      { up: 'create table new (n int); create table other (n int)', down: 'drop table new' },
      { up: 'alter table pet add column m int, add column k int', down: 'alter table pet drop column m' },
      { up: 'create type size as enum (); create index pet_n on pet (n)', down: 'drop index pet_n' },
      { up: 'create trigger x after insert on pet for each row execute function f()', down: 'drop trigger x on owner' },
      { up: 'alter table pet add constraint x check (n > 0)', down: 'alter table pet drop constraint y' },
    ],
    good: [
      {
        up: 'create table new (n int); create index new_n on new (n); create trigger x after insert on new for each row execute function f()',
        down: 'drop table new',
      },
      {
        up: 'alter table pet add column m int; create index pet_m on pet (m); alter table pet add constraint x check (m > 0)',
        down: 'alter table pet drop column m',
      },
      { up: 'create table new (n int); alter table new rename to newer', down: 'drop table newer' },
      { up: 'create table new (n int)', down: 'alter table new rename to old; drop table old' },
      { up: 'create schema zoo; create table zoo.new (n int)', down: 'drop schema zoo' },
      { up: 'create table new (n int)', down: "do $$ begin execute format('drop table %I', 'new'); end $$" },
      { up: 'create table new (n int); drop table new', down: 'select 1 from pet' },
      { up: 'create temp table new (n int); create or replace view v as select 1', down: 'select 1 from pet' },
      {
        up: "create function f(int) returns int language sql as 'select 1'; create view v as select 1",
        down: 'drop view v; drop function f(int)',
      },
    ],
  },
  'down-removes-more': {
    bad: [
      { up: 'create table new (n int)', down: 'drop table new; drop table pet' },
      { up: 'alter table pet add column m int', down: 'alter table pet drop column m, drop column n' },
    ],
    good: [
      { up: 'create table new (n int)', down: 'drop table if exists new' },
      { up: 'alter table pet add column m int', down: 'alter table pet drop column m' },
      { up: 'create table new (n int); alter table new rename to newer', down: 'drop table newer' },
      { up: "do $$ begin execute 'create table made (n int)'; end $$", down: 'drop table made' },
    ],
  },
  'table-without-primary-key': {
    bad: ['create table new (n int)'],
    good: [
      'create table new (n int primary key)',
      'create table new (n int unique not null)',
      'create table new (n int); alter table new add primary key (n)',
      'create temp table new (n int)',
      "create table visit_1 partition of visit for values from ('2020-01-01') to ('2021-01-01')",
      'create table new (like pet including all)',
    ],
  },
  'int-primary-key': {
    bad: [
      'create table new (id serial primary key)',
      'create table new (id int generated always as identity primary key)',
    ],
    good: [
      'create table new (id bigserial primary key)',
      'create table new (id int primary key)',
      'create table new (id bigint generated always as identity primary key)',
    ],
  },
  'prefer-identity': {
    bad: ['create table new (id bigserial primary key)', 'alter table pet add column k serial'],
    good: ['create table new (id bigint generated always as identity primary key)'],
  },
  'prefer-timestamptz': {
    bad: ['create table new (at timestamp)', 'alter table pet add column at timestamp'],
    good: ['create table new (at timestamptz, d date)'],
  },
  'prefer-jsonb': { bad: ['create table new (j json)'], good: ['create table new (j jsonb)'] },
  'prefer-text': {
    bad: ['create table new (c char(3))', 'create table new (c char)'],
    good: ['create table new (c text, v varchar(3))'],
  },
  'cannot-run': {
    bad: ['begin; create table new (n int)', 'create index concurrently on pet (n); select 1', 'selekt 1', '\\d pet'],
    good: [
      'create index concurrently on pet (n)',
      '-- obs: no-transaction\ncreate index concurrently on pet (n); select 1',
    ],
  },
  'bad-allow': {
    bad: [
      '-- obs: allow truncate\ntruncate pet',
      '-- obs: allow\ntruncate pet',
      '-- obs: allow trunkate it is a log\ntruncate pet',
      '-- obs: allow cannot-run I know better\nselect 1',
    ],
    good: ['-- obs: allow truncate it is a log\ntruncate pet'],
  },
  'unused-allow': {
    bad: ['-- obs: allow truncate it is a log\nselect 1', 'truncate pet;\n-- obs: allow truncate too late'],
    good: ['-- obs: allow truncate it is a log\ntruncate pet'],
  },
}

it('every rule has texts in which it finds something and texts in which it does not', () => {
  expect(Object.keys(cases).sort()).toEqual(lintRules.map((rule) => rule.id).sort())
})

describe.each(Object.entries(cases))('%s', (rule, { bad, good }) => {
  it.each(bad.map((text) => [text]))('finds %o', async (text) => {
    expect(ids(await lintNext(text))).toContain(rule)
  })

  it.each(good.map((text) => [text]))('is silent on %o', async (text) => {
    expect(ids(await lintNext(text))).not.toContain(rule)
  })
})

it('says why and what to do instead for every rule, once per id', () => {
  expect(new Set(lintRules.map((rule) => rule.id)).size).toBe(lintRules.length)
  for (const rule of lintRules) {
    expect(rule.id).toMatch(/^[a-z]+(-[a-z]+)*$/)
    expect(rule.why).toMatch(/^[A-Z].*\.$/s)
    expect(rule.safer).toMatch(/^[A-Z].*\.$/s)
    expect(rule.summary).toMatch(/^[a-z].*[^.]$/)
  }
})

it('knows what the migrations before have made', async () => {
  const all = migrations(
    existing,
    'alter table pet alter name type text',
    'alter table pet alter name type varchar(20)',
  )
  const { findings } = await lintMigrations(all, { versions: new Set([2, 3]) })
  expect(findings.filter((one) => one.rule === 'column-type-rewrite').map((one) => one.version)).toEqual([3])
})
