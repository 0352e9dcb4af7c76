import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Sql, withSession } from '../../../src/database/connect.js'
import { type Inferred, inferPlan, specOf } from '../../../src/generators/infer/infer.js'
import { packageRoot } from '../../../src/package.js'
import { testDatabase } from '../../support/database.js'
import { loaded, window } from './loading.js'

async function infer(sql: Sql, rows = 200): Promise<Inferred> {
  const run = { seed: 1, days: 30, scale: 1, window }
  return withSession(sql, (session) => inferPlan(session, 'public', { rows, run }))
}

/** Infers a plan and loads it through every constraint; what is left out is not filled. */
async function inferredAndLoaded(sql: Sql, rows?: number) {
  const inferred = await infer(sql, rows)
  return { inferred, counts: await loaded(sql, specOf(inferred)) }
}

const chosen = ({ tables }: Inferred, table: string) =>
  Object.fromEntries(Object.entries(tables[table]?.columns ?? {}).map(([name, { spec }]) => [name, spec.generator]))

describe('a plan read off a schema', () => {
  it('fills a schema of every type and every kind of table', async () => {
    const { sql } = await testDatabase()
    const torture = readFileSync(join(packageRoot, 'test/backup/torture.sql'), 'utf8')
    await sql.unsafe(torture)
    await sql`truncate every_type, empty, scratch, parent, child, animal, bird`
    const { inferred, counts } = await inferredAndLoaded(sql, 50)
    expect(inferred.left.map(({ table }) => table).sort()).toEqual(['nothing', 'only_generated'])
    expect(counts).toMatchObject({ every_type: 50, parent: 5, child: 50, empty: 50 })
    const [nulls] =
      await sql`select * from every_type where mo is not null and ip is not null and co is not null and moa is not null limit 1`
    expect(nulls).toBeDefined()
  })

  it('reads names, keys, conditions and relations, and says why', async () => {
    const { sql } = await testDatabase()
    await sql.unsafe(`
      create type tier as enum ('free', 'pro');
      create domain slug as text check (value ~ '^[a-z-]{3,20}$');
      create table tenants (id uuid primary key default gen_random_uuid(), slug slug not null unique, tier tier not null, created_at timestamptz not null default now());
      create table users (
        tenant_id uuid not null references tenants, id bigint generated always as identity, email varchar(60) not null,
        full_name text, is_active boolean not null default true, manager_id bigint, age smallint check (age between 18 and 99),
        created_at timestamptz not null, updated_at timestamptz not null check (updated_at >= created_at),
        primary key (tenant_id, id), unique (tenant_id, email), unique (tenant_id, manager_id, id),
        foreign key (tenant_id, manager_id) references users (tenant_id, id));
      create unique index on users (lower(email));
      create table projects (
        tenant_id uuid not null references tenants, id bigserial, owner_id bigint not null, code text not null check (code ~ '^[A-Z]{2}[0-9]{3}$'),
        budget numeric(8, 2) check (budget >= 0), spent numeric(8, 2) not null, state text not null check (state in ('open', 'done')),
        starts date not null, ends date not null, check (ends > starts), check (spent <= budget or budget is null),
        check ((state = 'done') = (budget is not null)),
        primary key (tenant_id, id), unique (tenant_id, code), foreign key (tenant_id, owner_id) references users (tenant_id, id));
      create table memberships (user_id bigint not null, tenant_id uuid not null, project_id bigint not null, role text,
        primary key (tenant_id, user_id, project_id),
        foreign key (tenant_id, user_id) references users (tenant_id, id), foreign key (tenant_id, project_id) references projects (tenant_id, id));
      create table flags (on_off boolean primary key, note text)`)
    const { inferred, counts } = await inferredAndLoaded(sql, 300)
    expect(inferred.left).toEqual([])
    expect(counts).toMatchObject({ tenants: 30, users: 300, projects: 300, flags: 2 })
    expect(counts['memberships']).toBeGreaterThan(0)
    expect(chosen(inferred, 'users')).toMatchObject({
      tenant_id: 'references',
      id: 'sequence',
      full_name: 'faker',
      created_at: 'timestamps',
      updated_at: 'after',
    })
    expect(chosen(inferred, 'projects')).toMatchObject({ code: 'pattern', ends: 'choice' })
    expect(inferred.tables['tenants']?.columns['tier']).toMatchObject({ reason: 'the labels of its type' })
    expect(inferred.tables['flags']?.note).toContain('2 rows')
  })

  it('fills eighty tables that refer to each other, circles included', async () => {
    const { sql } = await testDatabase()
    const tables = Array.from({ length: 80 }, (_, i) => {
      const parent = i === 0 ? 0 : Math.floor(i / 3)
      const reference = i === 0 ? '' : `, t${parent}_id integer ${i % 2 ? 'not null' : ''} references t${parent}`
      const key = i % 5 === 4 ? `, unique (t${parent}_id, code)` : ''
      return `create table t${i} (id serial primary key, code varchar(${6 + (i % 20)}) not null, amount numeric(${5 + (i % 6)}, ${i % 4}) check (amount > ${i % 3}),
        kind text not null check (kind in ('a', 'b', 'c')), happened_at timestamptz not null, note text${reference}${key})`
    })
    await sql.unsafe(tables.join(';\n'))
    await sql.unsafe(`
      create table hen (id integer primary key, egg_id integer not null);
      create table egg (id integer primary key, hen_id integer not null references hen deferrable);
      alter table hen add foreign key (egg_id) references egg deferrable initially immediate;
      create table bookings (id serial primary key, room integer not null, during tstzrange not null, exclude using gist (during with &&))`)
    const { inferred, counts } = await inferredAndLoaded(sql, 40)
    expect(inferred.left).toEqual([])
    expect(Object.keys(counts).length).toBe(83)
    expect(counts).toMatchObject({ t1: 40, hen: 40, egg: 40, bookings: 1 })
  })
})
