import { describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import type { Database, Session } from '../../src/database/connect.js'
import { createSampler } from '../../src/generators/samples/sampler.js'
import type { RowSource } from '../../src/migrator/roundtrip/row-source.js'
import { type RoundtripOptions, verifyRoundtrip } from '../../src/migrator/roundtrip/verify-roundtrip.js'
import type { Pack } from '../../src/packs.js'
import { onServer, testDatabase } from '../support/database.js'
import { testPack } from '../support/packs.js'

const context = quietContext()

async function trips(files: Readonly<Record<string, string>>, options: RoundtripOptions = {}) {
  const database = await testDatabase()
  return verify(database, await testPack(files), options)
}

/** @param used the scratch databases are added to it */
async function verify(database: Database, pack: Pack, options: RoundtripOptions = {}, used = new Set<string>()) {
  const sampler = createSampler({ rows: 20, seed: 1, signal: context.signal })
  const note = async (session: Session) => {
    const [row] = await session<{ name: string }[]>`select current_database() as name`
    used.add(row?.name ?? '')
  }
  const noting: RowSource = {
    learn: async (session, ...rest) => {
      await note(session)
      await sampler.learn(session, ...rest)
    },
    fill: async (session, request) => {
      await note(session)
      return sampler.fill(session, request)
    },
  }
  return verifyRoundtrip(database, pack, noting, options, context)
}

const pet = {
  '0001_pet.up.sql':
    'create table pet (id bigint generated always as identity primary key, name text not null, age int);',
  '0001_pet.down.sql': 'drop table pet;',
}

describe('a migration', () => {
  it('that only adds is lossless, and what down drops is named', async () => {
    const { migrations, shortTables } = await trips({
      ...pet,
      '0002_toy.up.sql': `alter table pet add column weight numeric(6, 2);
        create table toy (id int primary key, pet bigint references pet, colour text);
        create index idx_toy_colour on toy (colour); comment on table toy is 'to play';`,
      '0002_toy.down.sql': 'drop table toy; alter table pet drop column weight;',
    })
    expect(migrations).toMatchObject([
      { version: 1, label: 'lossless', ok: true, lostOnDown: ['pet'], reasons: [], differences: [], notes: [] },
      { version: 2, label: 'lossless', ok: true, lostOnDown: ['pet.weight', 'toy'], reasons: [] },
    ])
    expect(shortTables).toEqual([])
  })

  it('is labelled by what comes back, and what it does not bring back is named', async () => {
    const { migrations } = await trips({
      ...pet,
      '0002_index.up.sql': 'create index idx_pet_name on pet (name); alter table pet add column born date;',
      '0002_index.down.sql': 'alter table pet drop column born;',
      '0003_drop.up.sql': '-- obs: drops pet.age\n-- obs: lossy nobody asks for it\nalter table pet drop column age;',
      '0003_drop.down.sql': 'alter table pet add column age int;',
      '0004_shout.up.sql': `-- obs: changes pet.name\nupdate pet set name = upper(name) || '!';`,
      '0004_shout.down.sql': `-- obs: changes pet.name\nupdate pet set name = lower(rtrim(name, '!'));`,
      '0005_number.up.sql': 'alter table pet add column n int default 5;',
      '0005_number.down.sql': 'alter table pet drop column n; drop table if exists pet_backup;',
      '0006_one_way.up.sql': 'create table toy (id int);',
      '0007_back_and_forth.up.sql': '-- obs: changes pet.name\nupdate pet set name = reverse(name);',
      '0007_back_and_forth.down.sql': '-- obs: changes pet.name\nupdate pet set name = reverse(name);',
    })
    expect(migrations.map(({ version, label, ok }) => [version, label, ok])).toEqual([
      [1, 'lossless', true],
      [2, 'irreversible', false],
      [3, 'schema-only', true],
      [4, 'schema-only', false],
      [5, 'lossless', true],
      [6, 'irreversible', false],
      [7, 'lossless', true],
    ])
    expect(migrations[1]?.differences).toEqual([
      'left behind by down: index public.idx_pet_name CREATE INDEX idx_pet_name ON public.pet USING btree (name)',
    ])
    expect(migrations[1]?.reasons).toEqual([
      'down leaves another schema than there was before up',
      expect.stringContaining('up fails after down: relation "idx_pet_name" already exists'),
    ])
    expect(migrations[2]).toMatchObject({
      reasons: [expect.stringMatching(/^pet\.age is gone|^pet\.age has other values in \d+ rows$/)],
      declared: { directive: 'lossy', reason: 'nobody asks for it' },
    })
    expect(migrations[3]?.reasons).toEqual([expect.stringMatching(/^pet\.name has other values in \d+ rows$/)])
    expect(migrations[5]?.reasons).toEqual(['it has no down'])
  })

  it('loses what goes only with the second up, or only once there are new rows', async () => {
    const { migrations } = await trips({
      ...pet,
      '0002_dice.up.sql': `-- obs: changes pet.age\ncreate table kept as select id, age from pet;
        update pet set age = 1000 * random();`,
      '0002_dice.down.sql': `-- obs: changes pet.age\nupdate pet set age = kept.age from kept where kept.id = pet.id; drop table kept;`,
      '0003_greedy.up.sql': 'create table toy (id int);',
      '0003_greedy.down.sql': `-- obs: changes pet\ndelete from pet where exists (select from toy); drop table toy;`,
    })
    expect(migrations.map(({ label }) => label)).toEqual(['lossless', 'schema-only', 'schema-only'])
    expect(migrations[1]?.reasons).toEqual([expect.stringMatching(/^pet\.age has other values in \d+ rows$/)])
    expect(migrations[2]?.reasons).toEqual([expect.stringMatching(/^pet has lost \d+ rows$/)])
  })

  it('that does what obs migrate would refuse is not let through', async () => {
    const { migrations } = await trips({
      ...pet,
      '0002_silent.up.sql': `update pet set name = name || '?';`,
      '0002_silent.down.sql': `-- obs: changes pet.name\nupdate pet set name = left(name, -1);`,
      '0003_silent_down.up.sql': 'alter table pet add column extra int;',
      '0003_silent_down.down.sql': `update pet set name = 'x'; alter table pet drop column extra;`,
    })
    expect(migrations.map(({ label, ok }) => [label, ok])).toEqual([
      ['lossless', true],
      ['lossless', false],
      ['irreversible', false],
    ])
    expect(migrations[1]?.reasons[0]).toContain('obs migrate up refuses it: data would be lost: pet.name')
    expect(migrations[2]?.reasons[0]).toContain('down fails: data would be lost: pet.name')
  })

  it('whose down stumbles over rows written meanwhile is irreversible, and the next one is tried all the same', async () => {
    const { migrations } = await trips({
      ...pet,
      '0002_optional.up.sql': 'alter table pet alter column name drop not null;',
      '0002_optional.down.sql': 'alter table pet alter column name set not null;',
      '0003_guarded.up.sql': 'create table guarded (id int);',
      '0003_guarded.down.sql': `-- obs: irreversible rows are kept\ndo $$ begin
        if exists (select from guarded) then raise 'guarded holds rows'; end if; end $$; drop table guarded;`,
      '0004_more.up.sql': 'alter table guarded add column more text;',
      '0004_more.down.sql': 'alter table guarded drop column more;',
    })
    expect(migrations.map(({ label, ok }) => [label, ok])).toEqual([
      ['lossless', true],
      ['irreversible', false],
      ['irreversible', true],
      ['lossless', true],
    ])
    expect(migrations[1]?.reasons).toEqual([
      expect.stringContaining(
        'down fails once rows have been written: column "name" of relation "pet" contains null values',
      ),
    ])
    expect(migrations[2]?.reasons).toEqual([expect.stringContaining('guarded holds rows')])
  })

  it('whose second up ends elsewhere, or whose down breaks the way up, is found', async () => {
    const { migrations } = await trips({
      ...pet,
      '0002_moody.up.sql': `do $$ begin
        if exists (select from pg_class where relname = 'been_here') then alter table pet add column c int default 2;
        else alter table pet add column c int default 1; create sequence been_here; end if; end $$`,
      '0002_moody.down.sql': 'alter table pet drop column c;',
      '0003_broken.up.sql': 'create type mood as enum (); alter table pet add column mood mood;',
      '0003_broken.down.sql': 'alter table pet drop column mood;',
      '0004_sequence.up.sql': 'alter table pet add column note text;',
      '0004_sequence.down.sql': 'alter table pet drop column note; alter sequence pet_id_seq restart;',
      '0005_enum.up.sql': `alter type mood add value 'sad';`,
      '0005_enum.down.sql': 'select 1;',
    })
    expect(migrations.map(({ label }) => label)).toEqual([
      'lossless',
      'irreversible',
      'irreversible',
      'schema-only',
      'irreversible',
    ])
    expect(migrations[1]?.differences).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^left behind by down: sequence public\.been_here/),
        'not made by the second up: column public.pet.c integer default 1',
        'made by the second up only: column public.pet.c integer default 2',
      ]),
    )
    expect(migrations[2]?.reasons).toContainEqual(
      expect.stringContaining('up fails after down: type "mood" already exists'),
    )
    expect(migrations[3]?.reasons).toEqual(['the sequence pet_id_seq would give values a second time'])
    expect(migrations[4]?.differences).toContain(`left behind by down: type public.mood enum 'sad'`)
  })
})

describe('what is compared', () => {
  it('is every kind of object, rights and comments included', async () => {
    const objects: readonly (readonly [string, string, string])[] = [
      ['create extension pg_trgm', '', 'extension pg_trgm'],
      ['create schema aside', '', 'schema aside'],
      ['create table aside2 ()', '', 'table public.aside2'],
      ['grant select on pet to public', '', 'grant SELECT on public.pet to public'],
      ['grant update (name) on pet to public', '', 'grant UPDATE on column public.pet.name to public'],
      [`comment on constraint pet_pkey on pet is 'x'`, '', 'comment on table constraint pet_pkey on public.pet'],
      ['create function f() returns int language sql return 1', '', 'function public.f()'],
      ['create cast (pet as int) with inout', '', 'cast (public.pet AS integer)'],
      ['create publication p', '', 'publication p'],
      ['alter table pet enable row level security', '', 'table public.pet'],
      ['create domain d as int', '', 'type public.d'],
      ['create view v as select 1 as one', '', 'view public.v'],
      ['alter table pet alter name set default 0', '', 'column public.pet.name'],
      ['alter default privileges grant select on tables to public', '', 'default acl'],
      ['create event trigger t on ddl_command_end execute function g()', '', 'event trigger t'],
    ]
    const files: Record<string, string> = {
      ...pet,
      '0002_g.up.sql': 'create function g() returns event_trigger language plpgsql as $$ begin end $$;',
      '0002_g.down.sql': 'drop function g();',
    }
    for (const [i, [up, down]] of objects.entries()) {
      files[`${100 + i}_o.up.sql`] = up
      files[`${100 + i}_o.down.sql`] = down || 'select 1'
    }
    const { migrations } = await trips(files)
    const found = new Map(migrations.map((one) => [one.version, one.differences.join('\n')]))
    for (const [i, [up, , line]] of objects.entries())
      expect(found.get(100 + i), up).toContain(`left behind by down: ${line}`)
  })

  it('notes rows that down leaves and values that differ the second time, which lose nothing', async () => {
    const { migrations } = await trips({
      ...pet,
      '0002_rows.up.sql': `insert into pet (name) values ('Rex'); alter table pet add column token uuid default gen_random_uuid();`,
      '0002_rows.down.sql': 'alter table pet drop column token;',
    })
    expect(migrations[1]).toMatchObject({
      label: 'lossless',
      notes: [
        'up adds 1 row to public.pet that down leaves there',
        expect.stringContaining('other values the second time: pet.token'),
      ],
    })
  })

  it('reads what depends on a name again once the name is another', async () => {
    const { migrations } = await trips({
      ...pet,
      '0002_toy.up.sql': 'create table toy (id int primary key, pet bigint references pet);',
      '0002_toy.down.sql': 'drop table toy;',
      '0003_rename.up.sql': 'alter table pet rename column id to pet_id;',
      '0003_rename.down.sql': 'alter table pet rename column pet_id to id;',
      '0004_comment.up.sql': `comment on table toy is 'to play';`,
      '0004_comment.down.sql': 'comment on table toy is null;',
      '0005_forgets.up.sql': 'alter table pet rename to animal; alter index pet_pkey rename to animal_pkey;',
      '0005_forgets.down.sql': 'alter table animal rename to pet;',
    })
    expect(migrations.map(({ label, differences }) => [label, differences.length])).toEqual([
      ['lossless', 0],
      ['lossless', 0],
      ['lossless', 0],
      ['lossless', 0],
      ['irreversible', 4],
    ])
    expect(migrations[4]?.differences).toContain(
      'not brought back by down: constraint public.pet.pet_pkey PRIMARY KEY (pet_id)',
    )
  })

  it('covers tables without a key, partitions, other schemas and hostile names', async () => {
    const odd = '"o""dd; --"'
    const { migrations } = await trips({
      '1_make.up.sql': `create schema ${odd}; create table ${odd}."ta ble" ("co""l" text, n int);
        create table part (id int, at timestamptz) partition by range (at);
        create table part_1 partition of part for values from ('2026-01-01+00') to ('2026-02-01+00');`,
      '1_make.down.sql': `drop schema ${odd} cascade; drop table part;`,
      '2_lose.up.sql': `-- obs: changes part\nupdate part set at = at + interval '1 microsecond';`,
      '2_lose.down.sql': 'select 1;',
      '3_swap.up.sql': `create table swap as select * from ${odd}."ta ble"; update ${odd}."ta ble" set n = n + 1;`,
      '3_swap.down.sql': `drop table swap;`,
    })
    expect(migrations.map(({ label }) => label)).toEqual(['lossless', 'schema-only', 'schema-only'])
    expect(migrations[1]?.reasons).toEqual([expect.stringMatching(/^part\.at has other values in \d+ rows$/)])
    expect(migrations[2]?.reasons).toEqual([expect.stringMatching(/^"o""dd; --"\."ta ble"\.n has other values/)])
  })
})

describe('the scratch database', () => {
  it('is not left for the server around it: such statements are named before anything runs', async () => {
    const database = await testDatabase()
    const role = `${database.address.database}_r`
    const pack = await testPack({
      ...pet,
      '0002_role.up.sql': `select 1;\ncreate role ${role};`,
      '0002_role.down.sql': `drop role ${role}`,
    })
    await expect(verify(database, pack)).rejects.toMatchObject({
      code: 'beyond_database',
      exitCode: 2,
      message: expect.stringContaining('0002_role.up.sql:2:1: create role reaches the whole server'),
    })
    expect(await onServer((sql) => sql`select from pg_roles where rolname = ${role}`)).toHaveLength(0)
    expect((await verify(database, pack, { to: 1 })).migrations).toMatchObject([{ version: 1, label: 'lossless' }])
  })

  it('runs migrations that need no transaction and migrations in TypeScript', async () => {
    const { migrations } = await trips({
      ...pet,
      '0002_index.up.sql': 'create index concurrently idx_pet_name on pet (name);',
      '0002_index.down.sql': 'drop index concurrently idx_pet_name;',
      '0003_code.ts': `export const up = ({ sql }) => sql.unsafe('alter table pet add column ts int default 3')
        export const down = ({ sql }) => sql.unsafe('alter table pet drop column ts')`,
      '0004_half.up.sql':
        '-- obs: no-transaction\ncreate table half (id int);\ncreate index concurrently on half (id);',
      '0004_half.down.sql': '-- obs: no-transaction\ndrop index concurrently half_id_idx;\nselect 1/0;',
      '0005_after.up.sql': 'drop index half_id_idx; alter table half add column more int;',
      '0005_after.down.sql': 'alter table half drop column more; create index half_id_idx on half (id);',
    })
    expect(migrations.map(({ label }) => label)).toEqual([
      'lossless',
      'lossless',
      'lossless',
      'irreversible',
      'lossless',
    ])
    expect(migrations[3]?.reasons).toEqual([
      expect.stringMatching(/^down fails: division by zero \(.*0004_half\.down\.sql:3:\d+\)$/),
    ])
    expect(migrations[4]).toMatchObject({ lostOnDown: ['half.more'], notes: [] })
  })

  it('has rows that later migrations take, and plainer ones, or none, where they do not', async () => {
    const { migrations, shortTables } = await trips({
      ...pet,
      '0002_strict.up.sql': `alter table pet alter age set not null, add check (age between 0 and 30), alter name type varchar(12);`,
      '0002_strict.down.sql':
        'alter table pet alter age drop not null, drop constraint pet_age_check, alter name type text;',
      '0003_double.up.sql': `alter table pet add n int, add email text; update pet set n = 1; alter table pet add constraint odd check (name <> '');
        do $$ begin if exists (select from pet where name ~ '[^a-z0-9 ]') then raise 'odd name'; end if; end $$`,
      '0003_double.down.sql': 'alter table pet drop n, drop email, drop constraint odd;',
      '0004_empty.up.sql': `do $$ begin if (select count(*) from pet) > 0 then raise 'not empty'; end if; end $$; create table last (id int);`,
      '0004_empty.down.sql': 'drop table last;',
      '0005_more.up.sql': 'alter table pet add more text;',
      '0005_more.down.sql': 'alter table pet drop more;',
    })
    expect(migrations.map(({ label, notes }) => [label, notes.length])).toEqual([
      ['lossless', 0],
      ['lossless', 0],
      ['lossless', 1],
      ['lossless', 1],
      ['lossless', 0],
    ])
    expect(migrations[2]?.notes[0]).toContain('tried with plain rows')
    expect(migrations[3]?.notes[0]).toContain('tried with the rows of the migrations alone')
    expect(migrations[4]?.lostOnDown).toEqual(['pet.more'])
    expect(shortTables).toEqual([])
  })

  it('names the tables that took no rows', async () => {
    const { shortTables, migrations } = await trips({
      '1_odd.up.sql': 'create table odd (id int not null check (id * id = 2));',
      '1_odd.down.sql': 'drop table odd;',
    })
    expect(migrations).toMatchObject([{ label: 'lossless', lostOnDown: [] }])
    expect(shortTables).toMatchObject([
      { table: 'public.odd', version: 1, rows: 0, reason: expect.stringContaining('violates check') },
    ])
  })

  it('is left behind neither by a run that succeeds nor by one that fails, and the database itself is untouched', async () => {
    const database = await testDatabase()
    const pack = await testPack({ ...pet, '0002_bad.up.sql': 'create table pet ();' })
    const used = new Set<string>()
    await expect(verify(database, pack, {}, used)).rejects.toMatchObject({
      code: 'roundtrip_up_failed',
      message: expect.stringContaining('0002_bad.up.sql:1:'),
    })
    expect(used.size).toBe(1)
    await verify(database, pack, { to: 1 }, used)
    expect(used.size).toBe(3)
    const left = await onServer((sql) => sql`select datname from pg_database where datname = any(${[...used]})`)
    expect(left).toEqual([])
    expect(await database.sql`select from pg_namespace where nspname = 'obs'`).toHaveLength(0)
  })

  it('judges only the versions that are asked for', async () => {
    const files = { ...pet, '0002_a.up.sql': 'select 1', '0003_b.up.sql': 'select 1', '0004_c.up.sql': 'select 1' }
    expect((await trips(files, { from: 2, to: 3 })).migrations.map((one) => one.version)).toEqual([2, 3])
    await expect(trips(files, { from: 9 })).rejects.toMatchObject({
      exitCode: 2,
      message: 'there is no migration with version 9',
    })
    await expect(trips(files, { from: 3, to: 2 })).rejects.toMatchObject({ exitCode: 2 })
  })
})
