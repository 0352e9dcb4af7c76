import { describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import type { Database } from '../../src/database/connect.js'
import { MigrationFailedError } from '../../src/migrator/errors.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import type { Pack } from '../../src/packs.js'
import { testDatabase } from '../support/database.js'
import { addFiles, testPack } from '../support/packs.js'

const context = quietContext()

async function tables({ sql }: Database): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select tablename as name from pg_tables where schemaname = 'public' order by tablename`
  return rows.map((row) => row.name)
}

async function states(database: Database, pack: Pack): Promise<string[]> {
  const { migrations } = await migrationStatus(database, pack)
  return migrations.map(({ version, state }) => `${version} ${state}`)
}

function failure(run: Promise<unknown>): Promise<unknown> {
  return run.then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** What PostgreSQL says about the transactions that wrote the history and the table `pet`. */
async function transactions({ sql }: Database): Promise<{ history: string[]; pets: string[] }> {
  const history = await sql<{ xmin: string }[]>`select xmin::text from obs.migration_history order by id`
  const pets = await sql<{ xmin: string }[]>`select xmin::text from pet order by id`
  return { history: history.map((row) => row.xmin), pets: pets.map((row) => row.xmin) }
}

describe('begin and commit in a file', () => {
  const forms = {
    'around everything': 'BEGIN;\ncreate table pet (id int);\ninsert into pet values (1), (2);\nCOMMIT;\n',
    'below statements':
      'set lock_timeout = 100;\ncreate table pet (id int);\nbegin;\ninsert into pet values (1), (2);\nend;',
    'several times':
      'start transaction;\ncreate table pet (id int);\ninsert into pet values (1);\ncommit;\nbegin work;\ninsert into pet values (2);\ncommit work;\nselect 1',
  }
  it.each(Object.entries(forms))('%s leave one transaction, which the history row belongs to', async (_name, text) => {
    const db = await testDatabase()
    await migrateUp(db, await testPack({ '1_pet.up.sql': text }), {}, context)
    const { history, pets } = await transactions(db)
    expect(pets).toHaveLength(2)
    expect(new Set([...history, ...pets]).size).toBe(1)
  })

  it('are undone with everything else when what follows them fails', async () => {
    const db = await testDatabase()
    const text =
      'begin;\ncreate table pet (id int);\ncommit;\nbegin;\ninsert into pet values (1);\ncommit;\nselect 1/0;'
    const error = await failure(migrateUp(db, await testPack({ '1_pet.up.sql': text }), {}, context))
    expect(error).toMatchObject({ failure: { sqlState: '22012', location: { line: 7 } } })
    expect(await tables(db)).toEqual([])
  })

  it('make one statement of what stands between them in a file without a transaction', async () => {
    const db = await testDatabase()
    const text = [
      '-- obs: no-transaction',
      'create table pet (id int primary key);',
      'begin;',
      'insert into pet values (1);',
      'insert into pet values (2);',
      'commit;',
      'create index concurrently idx on pet (id);',
      'begin; insert into pet values (3);',
      '  insert into pet values (1); commit;',
    ].join('\n')
    const pack = await testPack({ '1_pet.up.sql': text })
    const error = await failure(migrateUp(db, pack, {}, context))
    expect(error).toMatchObject({ failure: { sqlState: '23505', statement: 4, location: { line: 9 } } })
    const { pets } = await transactions(db)
    expect(pets).toHaveLength(2)
    expect(new Set(pets).size).toBe(1)
    await addFiles(pack, {
      '1_pet.up.sql': text.replace('  insert into pet values (1)', '  insert into pet values (4)'),
    })
    await migrateUp(db, pack, {}, context)
    expect((await transactions(db)).pets).toHaveLength(4)
    const rows = await db.sql`
      select concat_ws(' ', state, statement) as line from obs.migration_history where state <> 'running' order by id`
    expect(rows.map((row) => row['line'])).toEqual(['failed 4', 'applied 4'])
  })

  it('report a constraint that fails at the commit as the failure of that statement', async () => {
    const db = await testDatabase()
    const text = [
      '-- obs: no-transaction',
      'create table pet (id int unique deferrable initially deferred);',
      'begin; insert into pet values (1); insert into pet values (1); commit;',
    ].join('\n')
    const error = await failure(migrateUp(db, await testPack({ '1_pet.up.sql': text }), {}, context))
    expect(error).toMatchObject({ failure: { sqlState: '23505', statement: 2, location: { line: 3, column: 1 } } })
    expect(await db.sql`select from pet`).toEqual([])
  })
})

describe('copy from stdin', () => {
  const rows = "1\tRex\\tthe 🐶\n2\t\\N\n3\tselect '; -- $$ \\\\.\n"
  const text = `create table pet (id int primary key, name text);\ncopy pet (id, name) from stdin;\n${rows}\\.\ncomment on table pet is 'kept';\n`

  it.each([
    ['lines that end with LF', text],
    ['lines that end with CRLF', text.replaceAll('\n', '\r\n')],
    ['no statement after it', text.replace(/comment.*\n/, '')],
    ['no newline at the end', text.replace(/\ncomment.*\n/, '')],
    ['a comment behind the semicolon', text.replace('stdin;', 'stdin ; -- the pets')],
  ])('takes the rows of the file: %s', async (_name, content) => {
    const db = await testDatabase()
    await migrateUp(db, await testPack({ '1_pet.up.sql': content }), {}, context)
    expect(await db.sql`select name from pet order by id`).toEqual([
      { name: 'Rex\tthe 🐶' },
      { name: null },
      { name: "select '; -- $$ \\." },
    ])
    const { history, pets } = await transactions(db)
    expect(new Set([...history, ...pets]).size).toBe(1)
  })

  it('understands options, csv and an end that a body of a function seems to hold', async () => {
    const db = await testDatabase()
    const content = `create function f() returns text language sql as $f$
select 'copy pet from stdin;
\\.
' $f$;
-- copy pet from stdin;
create table pet (id int, name text);
copy pet from stdin with (format csv, delimiter ';', header, null 'n/a');
id;name
1;"a;b"
2;c
\\.
copy pet from stdin;
\\.
insert into pet values (3, f());`
    await migrateUp(db, await testPack({ '1_pet.up.sql': content }), {}, context)
    expect(await db.sql`select name from pet order by id`).toEqual([
      { name: 'a;b' },
      { name: 'c' },
      { name: 'copy pet from stdin;\n\\.\n' },
    ])
  })

  it('may begin and end a file, and follow upon itself', async () => {
    const db = await testDatabase()
    const copy = (row: string) => `copy pet from stdin;\n${row}\n\\.\n`
    const pack = await testPack({
      '1_pet.up.sql': 'create table pet (id int primary key);',
      '2_rows.up.sql': `${copy('1')}${copy('2')}select 1;\nselect 2;\n${copy('3')}`,
      '3_wrong.up.sql': `${copy('4')}${copy('1')}select 1;\n${copy('5')}`,
    })
    const error = await failure(migrateUp(db, pack, {}, context))
    expect(error).toMatchObject({ done: ['1_pet', '2_rows'], failure: { statement: 2, location: { line: 5 } } })
    expect(await db.sql`select id from pet order by id`).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
  })

  it('names the line of the row that the server refuses, and keeps nothing', async () => {
    const db = await testDatabase()
    const wrong = text.replace('2\t\\N', '2\tTom\n1\tagain')
    const error = await failure(migrateUp(db, await testPack({ '1_pet.up.sql': wrong }), {}, context))
    expect(error).toBeInstanceOf(MigrationFailedError)
    expect(error).toMatchObject({
      failure: { sqlState: '23505', statement: 2, location: { line: 5, snippet: expect.stringContaining('1 again') } },
    })
    expect(await tables(db)).toEqual([])
    const worse = text.replace('2\t\\N', 'two\tTom')
    const other = await failure(migrateUp(db, await testPack({ '1_pet.up.sql': worse }), {}, context))
    expect(other).toMatchObject({ failure: { sqlState: '22P02', location: { line: 4 } } })
  })

  it('is a statement of its own in a file without a transaction, and inside of begin and commit', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '1_pet.up.sql': `-- obs: no-transaction\ncreate table pet (id int);\ncopy pet from stdin;\n1\n\\.\nbegin;\ncopy pet from stdin;\n2\n\\.\ncopy pet from stdin;\nx\n\\.\ncommit;`,
    })
    const error = await failure(migrateUp(db, pack, {}, context))
    expect(error).toMatchObject({ failure: { statement: 3, location: { line: 11 } } })
    expect(await db.sql`select id from pet`).toEqual([{ id: 1 }])
    await addFiles(pack, {
      '1_pet.up.sql': `-- obs: no-transaction\ncreate table pet (id int);\ncopy pet from stdin;\n5\n\\.\nselect 1;`,
    })
    const edited = await failure(migrateUp(db, pack, {}, context))
    expect((edited as Error).message).toContain('statement 2 ran already and says something else now')
  })

  it('carries thousands of rows', async () => {
    const db = await testDatabase()
    const many = Array.from({ length: 30_000 }, (_, i) => `${i}\tpet number ${i} ünï 🐶\n`).join('')
    const content = `create table pet (id int, name text);\ncopy pet from stdin;\n${many}\\.\n`
    await migrateUp(db, await testPack({ '1_pet.up.sql': content }), {}, context)
    const [row] = await db.sql`select count(*) as count, count(distinct name) as names from pet where name like '%🐶'`
    expect(row).toEqual({ count: 30_000, names: 30_000 })
  })
})

describe('a dump of pg_dump', () => {
  it('leaves its settings and its empty search path to nobody', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '1_dump.up.sql': dump,
      '1_dump.verify.sql': 'select id from pet where name is null;',
      '2_toy.up.sql': 'create table toy (id int, pet int references pet);\nalter table pet add column age int;',
      '3_seen.up.sql': `create table seen as select name, setting from pg_settings where source = 'session';\ninsert into toy values (1, 1);`,
    })
    const { preservation } = await migrateUp(db, pack, { preserve: 'hashes' }, context)
    expect(preservation.mode).toBe('hashes')
    expect(await tables(db)).toEqual(['pet', 'seen', 'toy'])
    expect(await states(db, pack)).toEqual(['1 applied', '2 applied', '3 applied'])
    expect(await db.sql`select name from pet order by id`).toEqual([{ name: 'Rex' }, { name: "O'Tom" }])
    const seen = await db.sql`select name from seen`
    const left = seen.map((row) => row['name'])
    for (const name of [
      'row_security',
      'statement_timeout',
      'check_function_bodies',
      'xmloption',
      'client_min_messages',
    ])
      expect(left).not.toContain(name)
  })

  it('fails its own verification by name, although it emptied the search path', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '1_dump.up.sql': dump,
      '1_dump.verify.sql': `select id from pet where name = 'Rex';`,
    })
    const error = await failure(migrateUp(db, pack, {}, context))
    expect((error as Error).message).toContain('the verification returned 1 row')
    expect(await tables(db)).toEqual([])
  })

  it('cannot make obs write its history as somebody else', async () => {
    const db = await testDatabase()
    const role = `obs_r_${db.address.database}`
    await db.sql.unsafe(`create role ${role}; grant usage, create on schema public to ${role}`)
    try {
      const pack = await testPack({
        '1_pet.up.sql': `set role ${role};\ncreate table pet (id int);\nset row_security = off;`,
        '1_pet.verify.sql': `select current_user where current_user = '${role}';`,
        '2_toy.up.sql': 'create table toy ();',
      })
      await migrateUp(db, pack, {}, context)
      const owners =
        await db.sql`select tableowner = ${role} as theirs from pg_tables where schemaname = 'public' order by tablename`
      expect(owners).toEqual([{ theirs: true }, { theirs: false }])
    } finally {
      await db.sql.unsafe(`drop owned by ${role}; drop role ${role}`)
    }
  })
})

/** As pg_dump 18 writes it. */
const dump = `--
-- PostgreSQL database dump
--

\\restrict 4hQKQXjBnaBvDqAcEMi1jFeVzQyT5xK4BqJU0bhNqgtGfuVhk5ArxbhULzjzJlN

-- Dumped from database version 18.1
-- Dumped by pg_dump version 18.1

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: shout(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shout(word text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
begin
  if word = '\\.' then return ';'; end if; -- \\restrict
  return upper(word);
end;
$_$;


SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.pet (
    id integer NOT NULL,
    name text
);

ALTER TABLE public.pet ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.pet_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Data for Name: pet; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.pet (id, name) FROM stdin;
1\tRex
2\tO'Tom
\\.


--
-- Name: pet_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.pet_id_seq', 2, true);

ALTER TABLE ONLY public.pet
    ADD CONSTRAINT pet_pkey PRIMARY KEY (id);

--
-- PostgreSQL database dump complete
--

\\unrestrict 4hQKQXjBnaBvDqAcEMi1jFeVzQyT5xK4BqJU0bhNqgtGfuVhk5ArxbhULzjzJlN

`
