import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { main } from '../../src/cli.js'
import { withSession } from '../../src/database/connect.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { takeDownOutput } from '../support/printed.js'

let folder: string
const printed = takeDownOutput()

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'obs-lint-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await files({
    'obs.config.json': JSON.stringify({ packs: [{ name: 'pets', migrations: '.', schema: 'public' }] }),
    '0001_pet.up.sql': 'create table pet (id bigint primary key, name varchar(20));',
    '0001_pet.down.sql': 'drop table pet;',
    '0002_index.up.sql': 'create index pet_name on pet (name);',
    '0002_index.down.sql': 'drop index pet_name;',
  })
})

afterEach(() => {
  process.exitCode = undefined
})

async function files(content: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(content)) await writeFile(join(folder, name), text)
}

/** Runs `obs migrate lint …`, with a server that nobody reaches unless another is named. */
function lint(...args: readonly string[]): Promise<number> {
  return obs('lint', '--database-url', 'postgres://nobody@127.0.0.1:1/none', ...args)
}

function lintOn(db: TestDatabase, ...args: readonly string[]): Promise<number> {
  return obs('lint', '--database-url', db.url, ...args)
}

function obs(...args: readonly string[]): Promise<number> {
  printed.stdout = ''
  printed.stderr = ''
  process.exitCode = undefined
  return main(['migrate', ...args, '--config', join(folder, 'obs.config.json'), '--no-color'])
}

function rules(): readonly string[] {
  const { findings } = JSON.parse(printed.stdout) as { findings: readonly { rule: string }[] }
  return findings.map((one) => one.rule)
}

describe('obs migrate lint', () => {
  it('needs no database, exits 1 on an error, and names the place', async () => {
    expect(await lint()).toBe(1)
    expect(printed.stdout).toContain('error index-blocks-writes')
    expect(printed.stdout).toContain('0002_index.up.sql:1:1')
    expect(printed.stdout).toContain('Found 1 error in 2 migrations for PostgreSQL 18.')
  })

  it('looks at the migrations that are named', async () => {
    expect(await lint('1', '--json')).toBe(0)
    expect(rules()).toEqual([])
    expect(await lint('2', '--json')).toBe(1)
    expect(await lint('--since', '0', '--json')).toBe(0)
    expect(await lint('--since', '1', '--json')).toBe(1)
  })

  it('fails on what it is told to fail on', async () => {
    await files({ '0002_index.up.sql': 'select 1;', '0002_index.down.sql': '', '0003_x.up.sql': 'select 2;' })
    await rm(join(folder, '0002_index.down.sql'))
    const exits = async (failOn: string) => lint('--fail-on', failOn)
    expect([await exits('error'), await exits('warning'), await exits('notice')]).toEqual([0, 1, 1])
    await files({ '0003_x.up.sql': 'truncate pet;' })
    expect([await exits('error'), await exits('never')]).toEqual([1, 0])
  })

  it('reports a file that cannot be run as a finding with its place', async () => {
    await files({ '0003_x.up.sql': 'select 1;\nselekt 2;' })
    expect(await lint('3', '--json')).toBe(1)
    expect(JSON.parse(printed.stdout).findings).toMatchObject([{ rule: 'cannot-run', line: 2, column: 1 }])
  })

  it('writes a report beside the table', async () => {
    const path = join(folder, 'out', 'lint.sarif')
    expect(await lint('--format', 'sarif', '--output', path)).toBe(1)
    expect(JSON.parse(await readFile(path, 'utf8')).runs[0].results).toHaveLength(1)
    expect(printed.stdout).toContain(`Report written to ${path}`)
    expect(await lint('--format', 'github')).toBe(1)
    expect(printed.stdout).toMatch(
      /^::error file=.*0002_index\.up\.sql,line=1,col=1,endColumn=\d+,title=index-blocks-writes::/,
    )
  })

  it('lists and explains the rules', async () => {
    expect(await lint('--rules')).toBe(0)
    expect(printed.stdout).toContain('index-blocks-writes')
    expect(await lint('--explain', 'truncate')).toBe(0)
    expect(printed.stdout).toContain('-- obs: allow truncate <reason>')
  })

  it.each([
    [['--explain', 'trunkate'], 'unknown rule "trunkate", did you mean "truncate"?'],
    [['--format', 'xml'], 'unknown format "xml"'],
    [['--server-version', '9.6'], 'It is 15, 16, 17 or 18.'],
    [['7'], 'no migration is called "7"'],
    [['1', '--since', '1'], 'versions and --since say two different things'],
    [['--since', '1', '--pending'], '--since and --pending say two different things'],
    [['--json', '--format', 'sarif'], '--json and --format sarif both want stdout'],
    [['--output', '/'], '--output names a folder: /'],
  ])('refuses %j with exit code 2', async (args, message) => {
    expect(await lint(...args)).toBe(2)
    const said = printed.stderr || JSON.parse(printed.stdout).error.message
    expect(said).toContain(message)
  })
})

describe('obs migrate lint with a database', () => {
  it('says how many rows a table holds, and is silent about an empty one', async () => {
    const db = await testDatabase()
    expect(await lintOn(db, '2', '--connect', '--json')).toBe(1)
    await db.sql`create table pet (id bigint primary key, name varchar(20))`
    expect(await lintOn(db, '2', '--connect', '--json')).toBe(0)
    await db.sql`insert into pet select i, 'x' from generate_series(1, 1234) i`
    await db.sql`analyze pet`
    expect(await lintOn(db, '2', '--connect', '--json')).toBe(1)
    expect(JSON.parse(printed.stdout).findings[0].message).toContain('pet (1,234 rows)')
    expect(JSON.parse(printed.stdout).server_version).toBe(String(Math.floor(db.platform.serverVersion / 10_000)))
  })

  it('believes no statistics that say a table is empty', async () => {
    const db = await testDatabase()
    await db.sql`create table pet (id bigint primary key, name varchar(20)) with (autovacuum_enabled = off)`
    await db.sql`analyze pet`
    await db.sql`insert into pet values (1, 'x')`
    expect(await lintOn(db, '2', '--connect', '--json')).toBe(1)
  })

  it('looks at what is pending, on the tables as they are', async () => {
    const db = await testDatabase()
    expect(await obs('up', '--to', '1', '--database-url', db.url)).toBe(0)
    await db.sql`insert into pet values (1, 'x')`
    await db.sql`alter table pet add column note text, add constraint named check (note is not null and name <> '') not valid`
    await db.sql`update pet set note = 'y'`
    await files({
      '0003_note.up.sql': 'alter table pet alter name type varchar(30); alter table pet validate constraint named;',
      '0003_note.down.sql': 'alter table pet alter name type varchar(20);',
      '0004_required.up.sql': 'alter table pet alter note set not null;',
      '0004_required.down.sql': 'alter table pet alter note drop not null;',
      '0005_other.up.sql': 'create table other (id bigint primary key);',
      '0005_other.down.sql': 'drop table other;',
      '0006_index.up.sql': 'create index other_id on other (id);',
      '0006_index.down.sql': 'drop index other_id;',
    })
    expect(await lintOn(db, '--pending', '--json')).toBe(1)
    expect(JSON.parse(printed.stdout).migrations).toBe(5)
    expect(rules()).toEqual(['index-blocks-writes'])
  })

  it('changes nothing and takes no lock', async () => {
    const db = await testDatabase()
    await db.sql`create table pet (id bigint primary key, name varchar(20))`
    await withSession(db.sql, async (other) => {
      await other`begin`
      await other`lock table pet in access exclusive mode`
      expect(await lintOn(db, '--pending', '--json')).toBe(1)
      await other`rollback`
    })
    expect(await db.sql`select from pg_namespace where nspname = 'obs'`).toEqual([])
  })
})
