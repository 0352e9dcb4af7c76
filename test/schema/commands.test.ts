import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { main } from '../../src/cli.js'
import { connectionUrl } from '../../src/database/address.js'
import { Secret } from '../../src/secret.js'
import { onServer, openTestDatabase, testDatabase } from '../support/database.js'
import { takeDownOutput } from '../support/printed.js'

let folder: string
let db: Awaited<ReturnType<typeof openTestDatabase>>
const printed = takeDownOutput()

beforeAll(async () => {
  db = await openTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'obs-schema-'))
  const files = {
    'obs.config.json': JSON.stringify({
      packs: [
        { name: 'pets', migrations: 'pets', schema: 'public' },
        { name: 'zoo', migrations: 'pets', schema: 'public' },
      ],
    }),
    'pets/0001_pet.up.sql': 'create table pet (id bigint primary key, name text);',
    'pets/0001_pet.down.sql': 'drop table pet;',
    'pets/0002_owner.up.sql': `create table owner (id bigint primary key);
      alter table pet add column owner_id bigint constraint pet_owner references owner;
      create index idx_pet_owner on pet (owner_id);`,
    'pets/0002_owner.down.sql': 'alter table pet drop column owner_id; drop table owner;',
  }
  await mkdir(join(folder, 'pets'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  await db.sql.unsafe(`
    create schema app;
    create type public.mood as enum ('calm');
    create table public.pet (id bigint primary key, name text);
    create table public.visit (at date not null) partition by range (at);
    create table public.visit_2026 partition of public.visit for values from ('2026-01-01') to ('2027-01-01');
    create index on public.visit (at);
    insert into public.pet select g, 'Rex' from generate_series(1, 1000) g;
    analyze public.pet;
    alter table public.pet add constraint pet_name check (length(name) > 1) not valid;
    create function public.touch() returns trigger language plpgsql as $$ begin return new; end $$;
    create trigger touched before update on public.pet for each row execute function public.touch();
    alter table public.pet disable trigger touched;
    create index idx_pet_name on public.pet (name);
    update pg_index set indisvalid = false where indexrelid = 'public.idx_pet_name'::regclass;
    create policy p on public.pet; create view public.names as select name from public.pet;
    create table app."odd ""table""" (id int primary key)`)
})

afterAll(async () => {
  await db.close()
  await rm(folder, { recursive: true, force: true })
})

afterEach(() => {
  process.exitCode = undefined
})

function schema(...args: readonly string[]): Promise<number> {
  printed.stdout = ''
  printed.stderr = ''
  process.exitCode = undefined
  return main(['schema', ...args, '--config', join(folder, 'obs.config.json'), '--pack', 'pets', '--no-color'])
}

function answer() {
  return JSON.parse(printed.stdout)
}

describe('obs schema inspect', () => {
  it('counts and lists what is there, and what is wrong with it', async () => {
    expect(await schema('inspect', '--json', '--database-url', db.url)).toBe(0)
    expect(answer()).toMatchObject({
      platform: 'postgres',
      server_version: db.platform.displayVersion,
      schemas: ['public'],
      counts: {
        extensions: 0,
        types: 1,
        tables: 2,
        columns: 3,
        sequences: 0,
        foreign_keys: 0,
        functions: 1,
        views: 1,
        materialized_views: 0,
        triggers: 1,
        indexes: 3,
        constraints: 2,
        partitions: 1,
        policies: 1,
      },
      invalid_indexes: ['public.idx_pet_name'],
      unvalidated_constraints: ['public.pet.pet_name'],
      tables_without_primary_key: ['public.visit'],
      disabled_triggers: ['public.pet.touched'],
    })
    const [pet] = answer().tables
    expect(pet).toMatchObject({ schema: 'public', table: 'pet', rows: 1000, partitions: 0, primary_key: true })
    const [size] =
      await db.sql`select pg_total_relation_size('public.pet') as bytes, pg_indexes_size('public.pet') as indexes`
    expect([pet.bytes, pet.index_bytes]).toEqual([Number(size?.['bytes']), Number(size?.['indexes'])])
    expect(answer().objects).toContainEqual({ kind: 'enum', object: 'public.mood', definition: `enum 'calm'` })
  })

  it('shows it as text, with every object when asked for more', async () => {
    expect(await schema('inspect', '--database-url', db.url)).toBe(0)
    expect(printed.stdout).toMatch(/^tables +2$/m)
    expect(printed.stdout).toMatch(/^public\.pet +1,000 +\d/m)
    expect(printed.stdout).toContain('serve no read\n  public.idx_pet_name')
    expect(printed.stdout).not.toContain('view public.names')
    expect(await schema('inspect', '--verbose', '--database-url', db.url)).toBe(0)
    expect(printed.stdout).toContain('\nview public.names\n')
  })

  it('looks at the schemas it is given, and knows those that there are not', async () => {
    expect(await schema('inspect', '--json', '--schema', 'app', '--database-url', db.url)).toBe(0)
    expect(answer().tables.map((table: { table: string }) => table.table)).toEqual(['odd "table"'])
    expect(await schema('inspect', '--json', '--schema', 'app', '--schema', 'public', '--database-url', db.url)).toBe(0)
    expect(answer().counts.tables).toBe(3)
    expect(await schema('inspect', '--schema', 'ap', '--database-url', db.url)).toBe(2)
    expect(printed.stderr).toContain('there is no schema "ap", did you mean "app"?')
  })
})

describe('obs schema diff', () => {
  it('says what a database lacks compared with a pack, in the order of deployment', async () => {
    const own = await testDatabase()
    expect(
      await main([
        'migrate',
        'up',
        '--to',
        '1',
        '--backup',
        'none',
        '--config',
        join(folder, 'obs.config.json'),
        '--pack',
        'pets',
        '--database-url',
        own.url,
      ]),
    ).toBe(0)
    expect(await schema('diff', 'pack:pets', '--json', '--database-url', own.url)).toBe(1)
    expect(answer()).toMatchObject({
      reference: 'pack pets',
      same: false,
      summary: { differences: 4, breaking: 2, risky: 2, cosmetic: 0 },
    })
    expect(
      answer().items.map((item: Record<string, string>) => [item['group'], item['change'], item['object']]),
    ).toEqual([
      ['tables', 'missing', 'public.owner'],
      ['tables', 'missing', 'public.pet.owner_id'],
      ['foreign keys', 'missing', 'public.pet.pet_owner'],
      ['indexes', 'missing', 'public.idx_pet_owner'],
    ])
    expect(answer().items[0].includes).toEqual([
      { kind: 'column', object: 'public.owner.id' },
      { kind: 'primary key', object: 'public.owner.owner_pkey' },
      { kind: 'unique index', object: 'public.owner_pkey' },
    ])
    expect(await schema('diff', 'pack:pets@1', 'current', '--database-url', own.url)).toBe(0)
    expect(printed.stdout).toContain('no difference in')
  })

  it('compares two versions of a pack, which needs no database but a server', async () => {
    expect(await schema('diff', 'pack:pets@1', 'pack:pets', '--json', '--database-url', db.url)).toBe(1)
    expect(answer().items.map((item: { change: string }) => item.change)).toEqual(['extra', 'extra', 'extra', 'extra'])
    expect(await schema('diff', 'pack:pets', 'pack:zoo', '--json', '--database-url', db.url)).toBe(0)
  })

  it('compares two databases and prints the password of neither, wherever it prints', async () => {
    const own = await testDatabase()
    const role = `obsdiff${Math.random().toString(36).slice(2, 10)}`
    await onServer((sql) => sql.unsafe(`create role ${role} login password 'hush@ hush'`))
    try {
      const url = (address: typeof db.address) =>
        connectionUrl({ ...address, user: role, password: new Secret('hush@ hush') })
      const output = join(folder, 'gap.md')
      for (const form of [
        ['--json'],
        [],
        ['--format', 'markdown'],
        ['--output', output, '--format', 'markdown'],
        ['--verbose'],
      ]) {
        expect(await schema('diff', url(db.address), url(own.address), ...form)).toBe(1)
        expect(printed.stdout + printed.stderr).not.toContain('hush')
        expect(printed.stdout).toContain(role)
      }
      expect(await readFile(output, 'utf8')).not.toContain('hush')
    } finally {
      await onServer((sql) => sql.unsafe(`drop role ${role}`))
    }
  })

  it('writes a page with a table and both definitions, and JSON to a file', async () => {
    const other = await testDatabase()
    await other.sql.unsafe('create table public.pet (id int primary key, "na|me" text)')
    expect(await schema('diff', other.url, db.url, '--format', 'markdown')).toBe(1)
    expect(printed.stdout).toContain('| group | severity | change | object | what it means |')
    expect(printed.stdout).toContain('column public.pet."na\\|me"')
    expect(printed.stdout).toContain('```diff\n- integer not null\n+ bigint not null\n```')
    const output = join(folder, 'gap.json')
    expect(await schema('diff', other.url, db.url, '--format', 'json', '--output', output)).toBe(1)
    expect(JSON.parse(await readFile(output, 'utf8')).same).toBe(false)
    expect(printed.stdout).toContain(`Report written to ${output}`)
  })

  it.each([
    [['diff'], 'reference'],
    [['diff', 'production'], 'the first schema is neither a database nor a pack'],
    [['diff', '.', 'hush:hush@host'], 'the second schema is neither a database nor a pack'],
    [['diff', 'postgres://u:hush@h:port/d'], 'the first schema'],
    [['diff', 'pack:pest'], 'unknown pack "pest", did you mean "pets"?'],
    [['diff', 'pack:pets@x'], 'names no version after the @'],
    [['diff', 'pack:pets@7'], 'there is no migration with version 7'],
    [['diff', 'pack:pets', '--format', 'xml'], '--format'],
    [['diff', 'pack:pets', '--json', '--format', 'markdown'], '--json and --format markdown both want stdout'],
    [['diff', 'pack:pets', '--output', '/'], '--output names a folder'],
    [['diff', '.', '.', '--scratch', 'postgres://h/d'], '--scratch is for packs'],
    [['diff', 'pack:pets', 'pack:zoo', '--scratch', 'postgres://h/d'], 'two packs need two'],
    [['diff', 'pack:pets', '--schema', ''], '--schema names nothing'],
  ])('refuses %j with one error, and quotes no password', async (args, message) => {
    expect(await schema(...args, '--database-url', db.url)).toBe(2)
    const text = printed.stderr + printed.stdout
    expect(text).toContain(message)
    expect(text).not.toContain('hush')
  })
})
