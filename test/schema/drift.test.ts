import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { main } from '../../src/cli.js'
import { findDrift } from '../../src/commands/schema/drift.js'
import { loadSettings } from '../../src/config.js'
import { quietContext } from '../../src/context.js'
import { connectionUrl, withDatabaseName } from '../../src/database/address.js'
import { readCatalog } from '../../src/database/catalog.js'
import { Secret } from '../../src/secret.js'
import { onServer, serverAddress, type TestDatabase, testDatabase } from '../support/database.js'
import { takeDownOutput } from '../support/printed.js'

let folder: string
let db: TestDatabase
const printed = takeDownOutput()

beforeEach(async () => {
  db = await testDatabase()
  folder = await mkdtemp(join(tmpdir(), 'obs-drift-'))
  await files({
    'obs.config.json': JSON.stringify({ packs: [{ name: 'pets', migrations: '.', schema: 'public' }] }),
    '0001_pet.up.sql':
      'create table pet (id bigint primary key, name text not null); create index idx_pet_name on pet (name);',
    '0001_pet.down.sql': 'drop table pet;',
    '0003_toy.up.sql': 'create table toy (id int primary key);',
    '0003_toy.down.sql': 'drop table toy;',
  })
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
  process.exitCode = undefined
})

async function files(content: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(content)) await writeFile(join(folder, name), text)
}

/** Runs `obs …` on the database of the test, with the pack of the test unless another is named. */
function run(...args: readonly string[]): Promise<number> {
  printed.stdout = ''
  printed.stderr = ''
  process.exitCode = undefined
  return main([...args, '--config', join(folder, 'obs.config.json'), '--database-url', db.url, '--no-color'])
}

async function up(...args: readonly string[]): Promise<void> {
  expect(await run('migrate', 'up', '--backup', 'none', ...args), printed.stderr).toBe(0)
}

/** What drift reports: change, group and object of each difference. */
async function drift(...args: readonly string[]): Promise<readonly (readonly string[])[]> {
  const code = await run('schema', 'drift', '--json', ...args)
  const { items, same } = answer()
  expect([code, same], printed.stdout + printed.stderr).toEqual(items.length > 0 ? [1, false] : [0, true])
  return items.map((item: Record<string, string>) => [item['change'], item['group'], item['object']])
}

function answer() {
  return JSON.parse(printed.stdout)
}

/** Scratch databases on the test server that belong to nobody who is connected: what a run left behind. */
function leftBehind(): Promise<readonly string[]> {
  return onServer(async (sql) => {
    const rows = await sql<{ name: string }[]>`
      select d.datname as name from pg_database d
      where datname like 'obs\\_scratch\\_%' and not exists (select from pg_stat_activity a where a.datname = d.datname)`
    return rows.map((row) => row.name)
  })
}

describe('the observability pack', () => {
  it('has no drift after up and after seeding; then whatever is changed by hand is named', {
    timeout: 120_000,
  }, async () => {
    const pack = ['--pack', 'observability']
    await up(...pack)
    expect(await drift(...pack)).toEqual([])
    expect(await run('seed', '--days', '40', '--profile', 'load', '--scale', '0.01', ...pack), printed.stderr).toBe(0)
    const [row] = await db.sql`select count(*)::int as partitions from pg_inherits where inhparent = 'traces'::regclass`
    expect(row?.['partitions']).toBeGreaterThan(2)
    expect(await drift(...pack)).toEqual([])
    expect(answer().summary.data_partitions).toBe(row?.['partitions'] - 1)

    await db.sql.unsafe(`
      create index by_hand on traces (cost_usd);
      alter table agents alter column agent_name type text;
      drop trigger traces_log_insert on traces;
      alter table evaluations drop constraint chk_evaluations_score`)
    const before = await readCatalog(db.sql, ['public', 'obs'])
    expect(await drift(...pack)).toEqual([
      ['different', 'tables', 'public.agents.agent_name'],
      ['missing', 'triggers', 'public.traces.traces_log_insert'],
      ['extra', 'indexes', 'public.by_hand'],
      ['missing', 'constraints', 'public.evaluations.chk_evaluations_score'],
    ])
    expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual(before)
    await expect.poll(leftBehind, { timeout: 10_000 }).toEqual([])
  })
})

it('says in words what was added, changed and removed, with both definitions', async () => {
  await up()
  await db.sql.unsafe(
    'drop index idx_pet_name; create index by_hand on toy (id); alter table pet alter column name drop not null',
  )
  expect(await run('schema', 'drift')).toBe(1)
  expect(printed.stdout).toBe(`\
- the 2 applied migrations of pets  (reference)
+ ${printedUrl()}

tables
  risky     changed    column public.pet.name
    it can hold NULL, which code does not expect
    - text not null
    + text

indexes
  cosmetic  added      index public.by_hand
    every write is a little slower, and it takes space
    + CREATE INDEX by_hand ON public.toy USING btree (id)
  risky     removed    index public.idx_pet_name
    reads that it serves are slower: they scan the table
    - CREATE INDEX idx_pet_name ON public.pet USING btree (name)

3 differences: 2 risky, 1 cosmetic
`)
})

function printedUrl(): string {
  return db.url.replace(/:[^:@/]*@/, ':***@')
}

it('builds what was applied in the order in which it was: what came late, what is left out, what was reverted', async () => {
  await up()
  await files({
    '0002_name.up.sql': 'alter table toy add column name text;',
    '0002_name.down.sql': 'alter table toy drop column name;',
  })
  await files({
    '0004_later.up.sql': 'create table later (id int primary key);',
    '0004_later.down.sql': 'drop table later;',
  })
  await up('--allow-out-of-order', '--to', '2')
  expect(await drift()).toEqual([])
  expect(answer()).toMatchObject({ version: 3, migrations: 3 })
  await up()
  expect(await run('migrate', 'down', '--backup', 'none')).toBe(0)
  expect(await drift()).toEqual([])
  expect(answer()).toMatchObject({ version: 3, migrations: 3 })
})

it('takes the form of a migration that was applied, not the one that would be now', async () => {
  await files({
    '0005_form.up.sql': 'create table plain (id int primary key);',
    '0005_form.postgres.up.sql': 'create table special (id int primary key);',
  })
  await up()
  await db.sql
    .unsafe('alter table plain add column x int')
    .catch(() => db.sql.unsafe('alter table special add column x int'))
  expect(await drift()).toEqual([['extra', 'tables', 'public.special.x']])
})

it('compares with the text that ran when a file has changed or gone, and says so', async () => {
  await up()
  await files({ '0003_toy.up.sql': 'create table toy (id int primary key, colour text);' })
  await rm(join(folder, '0001_pet.up.sql'))
  await rm(join(folder, '0001_pet.down.sql'))
  expect(await drift()).toEqual([])
  expect(answer().changed_files).toEqual([
    { migration: '1_pet', file: 'missing', using: 'history' },
    { migration: '0003_toy', file: 'changed', using: 'history' },
  ])
  expect(await run('schema', 'drift')).toBe(0)
  expect(printed.stdout).toContain(
    '0003_toy changed after being applied; compared with the text that ran, from the history',
  )
})

it('says which files are gone when the history kept no text, or takes the file that is there', async () => {
  await up()
  await db.sql`update obs.migration_history set script = null`
  await files({ '0003_toy.up.sql': 'create table toy (id int primary key, colour text);' })
  expect(await drift()).toEqual([['missing', 'tables', 'public.toy.colour']])
  expect(answer().changed_files).toEqual([{ migration: '0003_toy', file: 'changed', using: 'file' }])
  await rm(join(folder, '0001_pet.up.sql'))
  await rm(join(folder, '0001_pet.down.sql'))
  expect(await run('schema', 'drift', '--json')).toBe(1)
  expect(answer().error).toMatchObject({ code: 'migration_missing', details: { migrations: ['1_pet'] } })
})

it('refuses to judge a database in which a migration is half done', async () => {
  await files({ '0005_half.up.sql': '-- obs: no-transaction\ncreate table half (id int);\nselect 1/0;' })
  expect(await run('migrate', 'up', '--backup', 'none')).toBe(1)
  expect(await run('schema', 'drift', '--json')).toBe(5)
  expect(answer().error.code).toBe('migration_unfinished')
})

it('leaves no scratch database behind when a migration does not run there', async () => {
  await files({
    '0004_picky.up.sql': `do $$ begin if current_database() like 'obs_scratch%' then raise 'not here'; end if; end $$;`,
  })
  await up()
  expect(await run('schema', 'drift', '--json')).toBe(1)
  expect(answer().error).toMatchObject({
    code: 'rebuild_failed',
    message: expect.stringMatching(/cannot be run on an empty database: .*0004_picky.*not here/s),
    hint: expect.stringContaining('scratch database'),
  })
  await expect.poll(leftBehind, { timeout: 10_000 }).toEqual([])
})

it('leaves no scratch database behind when it is interrupted', async () => {
  await files({
    '0004_slow.up.sql': `select pg_sleep(case when current_database() like 'obs_scratch%' then 60 else 0 end);`,
  })
  await up()
  const settings = await loadSettings({ config: join(folder, 'obs.config.json'), databaseUrl: db.url }, {})
  const controller = new AbortController()
  const found = findDrift({ settings, options: {}, context: quietContext(controller.signal) }, db)
  const outcome = expect(found).rejects.toMatchObject({ exitCode: 130 })
  const sleeping = () =>
    onServer(
      (sql) => sql`
    select from pg_stat_activity where datname like 'obs\\_scratch\\_%' and query like '%pg_sleep(case%' and state = 'active'
      and pid <> pg_backend_pid()`,
    )
  await expect.poll(async () => (await sleeping()).length, { timeout: 20_000 }).toBeGreaterThan(0)
  controller.abort()
  await outcome
  expect(await sleeping()).toEqual([])
  await expect.poll(leftBehind, { timeout: 10_000 }).toEqual([])
})

it('counts no version of an extension, but one that no migration asks for', async () => {
  await files({
    '0004_trgm.up.sql': 'create extension pg_trgm;',
    '0005_words.up.sql': "-- obs: requires unaccent\nselect unaccent('é');",
  })
  await db.sql`create extension unaccent`
  await up()
  await db.sql`update pg_extension set extversion = '0.1' where extname in ('pg_trgm', 'unaccent')`
  expect(await drift()).toEqual([])
  await db.sql`create extension hstore`
  expect(await drift()).toEqual([['extra', 'extensions', 'hstore']])
})

it('misses a partition that a migration names, and expects those that the data made', async () => {
  await files({
    '0004_visit.up.sql': `create table visit (at date not null, primary key (at)) partition by range (at);
      create index idx_visit_at on visit (at desc);
      create table visit_2026 partition of visit for values from ('2026-01-01') to ('2027-01-01');
      create table visit_rest partition of visit default;
      do $$ begin execute format('create table visit_%s partition of visit for values from (%L) to (%L)', current_database(),
        case when current_database() like 'obs_scratch%' then '2030-01-01' else '2040-01-01' end,
        case when current_database() like 'obs_scratch%' then '2031-01-01' else '2041-01-01' end); end $$;`,
  })
  await up()
  await db.sql.unsafe(
    `create table public.visit_2027 partition of visit for values from ('2027-01-01') to ('2028-01-01')`,
  )
  expect(await drift()).toEqual([])
  expect(answer().summary.data_partitions).toBe(3)
  await db.sql.unsafe('drop table visit_2026; create index by_hand on visit_2027 (at, (at + 1))')
  expect(await drift()).toEqual([
    ['extra', 'indexes', 'public.by_hand'],
    ['missing', 'partitions', 'public.visit_2026'],
  ])
})

it('sees the other schemas that migrations make, and not those that they do not', async () => {
  await files({ '0004_side.up.sql': 'create schema side; create table side.t (id int primary key);' })
  await up()
  await db.sql.unsafe('alter table side.t add column x int; create schema other; create table other.t (id int)')
  expect(await drift()).toEqual([['extra', 'tables', 'side.t.x']])
  expect(await drift('--schema', 'public')).toEqual([])
})

it('never counts the books of obs, even when they are kept in the schema of the pack', async () => {
  const place = ['--history-schema', 'public']
  await up(...place)
  await db.sql`create table public.backfill_progress (id int primary key)`
  expect(await drift(...place)).toEqual([])
  expect(
    await db.sql`select from pg_tables where tablename = 'migration_history' and schemaname = 'public'`,
  ).toHaveLength(1)
})

it('finds everything added where no migration was applied, and says so', async () => {
  await db.sql`create table stranger (id int)`
  expect(await drift()).toEqual([['extra', 'tables', 'public.stranger']])
  await run('schema', 'drift')
  expect(printed.stdout).toContain('no migration is applied here')
})

it('refuses migrations that change more than a database, unless a server is named for them', async () => {
  await files({ '0004_setting.up.sql': `alter role current_user set application_name to 'pets';` })
  await up()
  await db.sql.unsafe('alter role current_user reset application_name')
  expect(await run('schema', 'drift', '--json')).toBe(2)
  expect(answer().error).toMatchObject({ code: 'beyond_database', message: expect.stringContaining('0004_setting') })
  const [row] = await db.sql`select rolconfig from pg_roles where rolname = current_user`
  expect(row?.['rolconfig']).toBeNull()
})

describe('--scratch', () => {
  it('serves a role that may not create databases, and is empty again afterwards', async () => {
    await up()
    await db.sql.unsafe('create index by_hand on toy (id)')
    const scratch = await testDatabase()
    await scratch.sql`create extension pg_trgm`
    const role = `obs_reader_${Math.random().toString(36).slice(2, 10)}`
    await onServer((sql) => sql.unsafe(`create role ${role} login password 'p w@:d' nosuperuser nocreatedb`))
    try {
      await db.sql.unsafe(`grant usage on schema obs to ${role}; grant select on all tables in schema obs to ${role}`)
      await onServer((sql) => sql.unsafe(`alter database ${scratch.address.database} owner to ${role}`))
      await scratch.sql.unsafe(`alter schema public owner to ${role}`)
      const as = (database: string) =>
        connectionUrl({ ...withDatabaseName(serverAddress(), database), user: role, password: new Secret('p w@:d') })
      const own = [
        'schema',
        'drift',
        '--json',
        '--config',
        join(folder, 'obs.config.json'),
        '--database-url',
        as(db.address.database),
      ]
      printed.stdout = ''
      expect(await main(own)).toBe(1)
      expect(answer().error).toMatchObject({ code: 'no_scratch_database', hint: expect.stringContaining('--scratch') })
      for (let round = 0; round < 2; round++) {
        printed.stdout = ''
        expect(await main([...own, '--scratch', as(scratch.address.database)]), printed.stderr + printed.stdout).toBe(1)
        expect(answer().items.map((item: { object: string }) => item.object)).toEqual(['public.by_hand'])
        expect(await readCatalog(scratch.sql, ['public', 'obs'])).toEqual([])
        expect(await scratch.sql`select from pg_namespace where nspname = 'obs'`).toEqual([])
        expect(await scratch.sql`select from pg_extension where extname = 'pg_trgm'`).toHaveLength(1)
      }
      expect(printed.stdout + printed.stderr).not.toContain('p w@:d')
      expect(printed.stdout + printed.stderr).not.toContain(encodeURIComponent('p w@:d'))
    } finally {
      await db.sql.unsafe(`drop owned by ${role}`)
      await onServer((sql) => sql.unsafe(`reassign owned by ${role} to current_user`))
      await scratch.sql.unsafe(`reassign owned by ${role} to current_user`)
      await onServer((sql) => sql.unsafe(`drop role ${role}`))
    }
  })

  it('is refused and left alone when it holds anything, be it the database itself', async () => {
    await up()
    const scratch = await testDatabase()
    await scratch.sql`create type precious as enum ('a')`
    expect(await run('schema', 'drift', '--json', '--scratch', scratch.url)).toBe(2)
    expect(answer().error).toMatchObject({ code: 'scratch_not_empty', details: { objects: ['type public.precious'] } })
    expect(await scratch.sql`select from pg_type where typname = 'precious'`).toHaveLength(1)
    const before = await readCatalog(db.sql, ['public', 'obs'])
    expect(await run('schema', 'drift', '--scratch', db.url)).toBe(2)
    expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual(before)
  })

  it('is refused when the URL is none, quoting nothing of it', async () => {
    expect(await run('schema', 'drift', '--scratch', 'secret@host')).toBe(2)
    expect(printed.stderr).toContain('--scratch')
    expect(printed.stderr).not.toContain('secret')
  })
})
