import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { type Sql, withSession } from '../../src/database/connect.js'
import { fingerprintTable } from '../../src/database/fingerprint.js'
import { quoteQualified } from '../../src/database/quote.js'
import type { Filled } from '../../src/generators/samples/fill.js'
import type { TableRef } from '../../src/generators/samples/read-model.js'
import { createSampler } from '../../src/generators/samples/sampler.js'
import { packageRoot } from '../../src/package.js'
import { testDatabase } from '../support/database.js'

const torture = readFileSync(join(packageRoot, 'test/backup/torture.sql'), 'utf8')

async function tablesOf(sql: Sql): Promise<readonly TableRef[]> {
  return sql<TableRef[]>`
    select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f') and not c.relispartition
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
    order by 1, 2`
}

async function fill(sql: Sql, settings: { rows?: number; seed?: number } = {}): Promise<readonly Filled[]> {
  const sampler = createSampler({ rows: 20, seed: 1, signal: quietContext().signal, ...settings })
  const tables = await tablesOf(sql)
  return withSession(sql, (session) => sampler.fill(session, { version: 1, tables, style: 'mixed' }))
}

/** Makes the tables and fills them. */
async function filled(ddl: string, settings?: { rows?: number; seed?: number }) {
  const { sql } = await testDatabase()
  await sql.unsafe(ddl)
  const report = await fill(sql, settings)
  return { sql, report, short: report.filter((one) => one.reason !== undefined) }
}

async function count(sql: Sql, condition: string): Promise<number> {
  const [row] = await sql.unsafe<{ n: number }[]>(`select count(*)::int as n from ${condition}`)
  return row?.n ?? 0
}

describe('a schema of every type and every kind of table', () => {
  it('is filled, table by table, and no column is left without a value', async () => {
    const { sql } = await testDatabase()
    // The conditions of the one table cannot be met without reading them all; the other lies on no server.
    await sql.unsafe(`${torture}; drop table apart.worded cascade; drop foreign table apart.books`)
    const tables = await tablesOf(sql)
    for (const { schema, name } of tables) await sql.unsafe(`truncate ${quoteQualified(schema, name)} cascade`)
    const report = await fill(sql)
    expect(report.map(({ rows, reason }) => ({ rows, reason }))).toEqual(
      tables.map(() => ({ rows: 20, reason: undefined })),
    )
    for (const { schema, name } of tables)
      expect(await count(sql, quoteQualified(schema, name))).toBeGreaterThanOrEqual(20)
    const [row] = await sql<{ all: object }[]>`
      select jsonb_agg(distinct e.key) as all from every_type whole cross join lateral jsonb_each(to_jsonb(whole)) e
      where e.value <> 'null'`
    const columns = await sql`select from pg_attribute where attrelid = 'every_type'::regclass and attnum > 0`
    expect(row?.all).toHaveLength(columns.length)
  })

  it('also has nulls, empty texts, infinity and letters beyond ASCII', async () => {
    const { sql } = await filled('create table t (a text, b timestamptz, c float8, d int[])', { rows: 100 })
    for (const condition of [
      't where a is null',
      `t where a = ''`,
      `t where a ~ '[^\\x01-\\x7f]'`,
      't where not isfinite(b)',
      `t where c = 'infinity' or c = 'nan'`,
      `t where d = '{}'`,
      't where num_nulls(a, b, c, d) = 4',
    ]) {
      expect(await count(sql, condition), condition).toBeGreaterThan(0)
    }
  })
})

describe('the rows', () => {
  const ddl = `
    create table town (id uuid primary key, name text not null unique, founded timestamptz default now());
    create table house (town_id uuid references town, number int, owner text, primary key (town_id, number));`

  it('are the same for the same seed, and others for another', async () => {
    const prints = []
    for (const seed of [7, 7, 8]) {
      const { sql } = await filled(ddl, { seed })
      prints.push(
        await Promise.all(['town', 'house'].map((table) => fingerprintTable(sql, { schema: 'public', table }))),
      )
    }
    expect(prints[0]).toEqual(prints[1])
    expect(prints[0]).not.toEqual(prints[2])
  })

  it('refer to rows that exist, through keys that overlap', async () => {
    const { sql, short } = await filled(`
      create table tenant (id int primary key);
      create table team (tenant int references tenant, id int, primary key (tenant, id));
      create table desk (tenant int references tenant, id int, primary key (tenant, id));
      create table member (
        id bigserial primary key, tenant int not null, team int not null, desk int not null, spare int,
        foreign key (tenant, team) references team, foreign key (tenant, desk) references desk,
        foreign key (tenant, spare) references desk);`)
    expect(short).toEqual([])
    expect(await count(sql, 'member where spare is not null')).toBeGreaterThan(0)
    expect(await count(sql, 'member')).toBe(20)
  })

  it('are as many as a key has combinations, and the report says so', async () => {
    const { sql, short } = await filled(`
      create type light as enum ('red', 'amber', 'green');
      create table lamp (light light primary key);
      create table pair (a light references lamp, b boolean not null, primary key (a, b));`)
    expect(await count(sql, 'lamp')).toBe(3)
    expect(await count(sql, 'pair')).toBe(6)
    expect(short.map((one) => one.table)).toEqual(['public.lamp', 'public.pair'])
    expect(short[0]?.reason).toBe('no further combination of its keys is left')
  })

  it.each([
    [
      'a nullable circle',
      'create table a (id int primary key); create table b (id int primary key, a int not null references a); alter table a add b int references b',
    ],
    [
      'a deferrable circle',
      'create table a (id serial primary key); create table b (id uuid primary key, a int not null references a deferrable); alter table a add b uuid not null references b deferrable',
    ],
    [
      'a circle of three',
      'create table a (id int primary key); create table b (id int primary key, a int not null references a deferrable initially deferred); create table c (id int primary key, b int not null references b); alter table a add c int not null references c',
    ],
    [
      'a table that has to refer to itself',
      'create table a (id int generated always as identity primary key, a int not null references a)',
    ],
    ['a table that may refer to itself', 'create table a (id serial primary key, a int references a)'],
  ])('go round %s of foreign keys', async (_, circle) => {
    const { sql, short, report } = await filled(circle)
    expect(short).toEqual([])
    for (const { table, rows } of report) expect([table, rows, await count(sql, table)]).toEqual([table, 20, 20])
  })

  it('keep to conditions that can be read, and find their way through others', async () => {
    const { short } = await filled(`
      create domain percent as numeric(5, 2) check (value between 0 and 100);
      create domain code as text not null check (value ~ '^[A-Z]{3}$');
      create table t (
        status varchar(20) not null check (status in ('new', 'paid', 'gone')),
        age smallint not null check (age >= 18 and age < 130),
        price numeric(8, 2) not null check (price > 0 and price <= 0.05),
        name text not null check (length(trim(name)) between 3 and 5),
        day date not null check (day >= '2026-02-01' and day < '2026-03-01'),
        share percent not null,
        currency code,
        first_id uuid not null, same_id uuid not null check (same_id = first_id),
        phone text, mail text check (mail like '%_@_%.%'), check (num_nonnulls(phone, mail) = 1),
        since timestamptz not null, until timestamptz not null check (until > since),
        nothing int check (nothing is null or nothing = 42),
        answer int not null check (answer <> 0 and answer = any (array[0, 42])));`)
    expect(short).toEqual([])
  })

  it('lie in every kind of partition', async () => {
    const { sql, short } = await filled(`
      create table by_day (at timestamptz not null, id int, primary key (id, at)) partition by range (at);
      create table by_day_1 partition of by_day for values from ('2031-01-01+00') to ('2031-02-01+00');
      create table by_day_2 partition of by_day for values from ('2031-02-01+00') to ('2031-03-01+00') partition by list (id);
      create table by_day_2_a partition of by_day_2 for values in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
      create table by_name (name text, n int) partition by list (name);
      create table by_name_1 partition of by_name for values in ('north', 'it''s south', null);
      create table by_hash (id uuid) partition by hash (id);
      create table by_hash_0 partition of by_hash for values with (modulus 2, remainder 0);
      create table by_hash_1 partition of by_hash for values with (modulus 2, remainder 1);
      create table by_two (a int, b int) partition by range (a, b);
      create table by_two_1 partition of by_two for values from (10, 5) to (10, 9);
      create table by_two_2 partition of by_two for values from (minvalue, minvalue) to (-7, maxvalue);
      create table by_default (id int) partition by range (id);
      create table by_default_rest partition of by_default default;
      create table nowhere (id int) partition by range (id);`)
    expect(short).toEqual([
      { table: 'public.nowhere', rows: 0, reason: 'no partition of relation "nowhere" found for row' },
    ])
    for (const leaf of ['by_day_1', 'by_day_2_a', 'by_name_1', 'by_hash_0', 'by_hash_1', 'by_two_1', 'by_two_2']) {
      expect(await count(sql, leaf), leaf).toBeGreaterThan(0)
    }
  })

  it('are refused by name and reason where a table takes none', async () => {
    const { sql, short } = await filled(`
      create function refuse() returns trigger language plpgsql as $$ begin raise exception 'closed on %', tg_table_name; end $$;
      create function swallow() returns trigger language plpgsql as $$ begin return null; end $$;
      create table closed (id int); create trigger t before insert on closed for each row execute function refuse();
      create table hole (id int); create trigger t before insert on hole for each row execute function swallow();
      create table late (id int);
      create constraint trigger t after insert on late deferrable initially deferred for each row execute function refuse();
      create table odd (id int check (id * id = 2));
      create table below (id int not null, closed int not null);
      create table child (odd int not null); alter table odd add unique (id);
      alter table child add foreign key (odd) references odd (id);
      alter table odd alter id set not null;
      create foreign data wrapper far; create server far foreign data wrapper far; create foreign table away (id int) server far;`)
    expect(Object.fromEntries(short.map(({ table, rows, reason }) => [table, `${rows}: ${reason}`]))).toEqual({
      'public.away': '0: it is a foreign table, whose rows lie elsewhere',
      'public.closed': '0: closed on closed',
      'public.hole': '0: the server took rows and kept none of them (a trigger, a rule or a policy)',
      'public.late': '0: closed on late',
      'public.odd': expect.stringContaining('0: new row for relation "odd" violates check constraint'),
      'public.child': '0: public.odd, which it refers to, has no rows',
    })
    expect(await count(sql, 'below')).toBe(20)
  })

  it('meet what a later version of the table will demand', async () => {
    const { sql } = await testDatabase()
    const tables = [{ schema: 'public', name: 'pet' }]
    await sql.unsafe(
      'create table pet (id text, name varchar(3) not null unique, age smallint not null check (age < 30))',
    )
    const sampler = createSampler({ rows: 30, seed: 3, signal: quietContext().signal })
    await withSession(sql, async (session) => {
      await sampler.learn(session, 2, tables)
      await session.unsafe('drop table pet; create table pet (id text, name text, age bigint, gone int)')
      await sampler.fill(session, { version: 1, tables, style: 'mixed' })
    })
    await sql.unsafe(`
      alter table pet alter name type varchar(3), alter name set not null, add unique (name),
        alter age type smallint, alter age set not null, add check (age < 30)`)
    expect(await count(sql, 'pet')).toBe(30)
  })
})
