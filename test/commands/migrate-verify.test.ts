import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import { verifyApplied } from '../../src/migrator/run/verify-applied.js'
import { type CliResult, obs } from '../support/cli.js'
import { onServer, testDatabase } from '../support/database.js'
import { addFiles, testPack } from '../support/packs.js'

const context = quietContext()

const pets = {
  '0001_pet.up.sql': `create table pet (id int primary key, name text); insert into pet values (1, 'Rex'), (2, 'Tom');`,
  '0001_pet.down.sql': 'drop table pet;',
  '0001_pet.verify.sql': `select id from pet where id < 0;\nselect id::bigint * 9007199254740993 as big, name from pet\n  where name = '';`,
  '0002_age.up.sql': 'alter table pet add column age int;',
  '0002_age.down.sql': 'alter table pet drop column age;',
  '0003_code.ts': `export const up = ({ sql }) => sql.unsafe('create table toy (id int)')
    export const verify = ({ sql }) => sql.unsafe('select * from toy where id is null')`,
}

describe('obs migrate verify', () => {
  it('says of every applied migration whether its verify script still holds', async () => {
    const database = await testDatabase()
    const pack = await testPack(pets)
    expect(await verifyApplied(database, pack, context)).toEqual({ current: 0, migrations: [] })
    await migrateUp(database, pack, {}, context)
    const states = async () => (await verifyApplied(database, pack, context)).migrations.map((one) => one.state)
    expect(await states()).toEqual(['passed', 'none', 'passed'])
    await database.sql`update pet set name = '' where id = 2`
    await database.sql`insert into toy values (null)`
    const { migrations } = await verifyApplied(database, pack, context)
    expect(migrations).toMatchObject([
      { state: 'rows', rows: 1, sample: { big: '18014398509481986', name: '' }, location: { line: 2, column: 1 } },
      { state: 'none' },
      { state: 'rows', rows: 1, sample: { id: null } },
    ])
  })

  it('goes on after a script that does not run, and lets none of them write', async () => {
    const database = await testDatabase()
    const pack = await testPack(pets)
    await migrateUp(database, pack, {}, context)
    await addFiles(pack, {
      '0001_pet.verify.sql': 'delete from pet returning id;',
      '0002_age.verify.sql': 'select nothing from pet;',
    })
    const { migrations } = await verifyApplied(database, pack, context)
    expect(migrations).toMatchObject([
      { state: 'error', error: expect.stringContaining('read-only transaction') },
      { state: 'error', error: 'column "nothing" does not exist', location: { line: 1, column: 8 } },
      { state: 'passed' },
    ])
    expect(await database.sql`select from pet`).toHaveLength(2)
  })
})

describe('as a command', () => {
  let cwd: string

  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'obs-verify-'))
  })

  afterAll(() => rm(cwd, { recursive: true, force: true }))

  async function project(files: Readonly<Record<string, string>>) {
    const database = await testDatabase()
    const pack = await testPack(files)
    const config = join(cwd, `${pack.migrations.split('/').at(-1)}.json`)
    await writeFile(
      config,
      JSON.stringify({ packs: [{ name: 'pets', migrations: pack.migrations, schema: 'public' }] }),
    )
    const run = (args: readonly string[], started?: (child: ChildProcess) => void): Promise<CliResult> =>
      obs(['--config', config, 'migrate', ...args], {
        cwd,
        env: { DATABASE_URL: database.url },
        ...(started ? { started } : {}),
      })
    return { database, run }
  }

  it('answers with an exit code, a table and JSON', async () => {
    const { database, run } = await project(pets)
    expect(await run(['up', '--backup', 'none'])).toMatchObject({ code: 0 })
    const good = await run(['verify'])
    expect(good).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('2 of 3 applied migrations have a verify script'),
    })
    await database.sql`update pet set name = ''`
    const bad = await run(['verify'])
    expect(bad.code).toBe(1)
    expect(bad.stdout).toContain('1 pet: it returned 2 rows where none may be')
    expect(bad.stdout).toContain('1 of 2 verify scripts do not hold')
    const { code, stdout } = await run(['verify', '--json'])
    expect({ code, answer: JSON.parse(stdout) }).toMatchObject({
      code: 1,
      answer: {
        pack: 'pets',
        current: 3,
        failed: 1,
        migrations: [{ state: 'rows' }, { state: 'none' }, { state: 'passed' }],
      },
    })
  })

  it('judges round trips, and fails for what does not come back and does not say so', async () => {
    const { database, run } = await project({
      '1_pet.up.sql': 'create table pet (id int primary key, name text);',
      '1_pet.down.sql': 'drop table pet;',
      '2_name.up.sql': '-- obs: drops pet.name\nalter table pet drop column name;',
      '2_name.down.sql': 'alter table pet add column name text;',
    })
    const { code, stdout, stderr } = await run(['verify', '--roundtrip', '--rows', '5', '--seed', '4', '--json'])
    expect({ code, answer: JSON.parse(stdout) }).toMatchObject({
      code: 1,
      answer: {
        pack: 'pets',
        rows: 5,
        seed: 4,
        passed: false,
        short_tables: [],
        labels: { lossless: 1, schema_only: 1, irreversible: 0 },
        migrations: [
          { version: 1, label: 'lossless', ok: true, values_lost_on_down: ['pet'], declared: null },
          {
            version: 2,
            label: 'schema-only',
            ok: false,
            reasons: [expect.stringMatching(/^pet\.name has other values in \d rows?$/)],
          },
        ],
      },
    })
    expect(stderr).toContain('round trip of 2_name')
    const text = await run(['verify', '--roundtrip'])
    expect(text.stdout).toContain('if it is meant: -- obs: lossy <reason>')
    expect(text.stdout).toContain('1 of 2 do not come back as they were')
    expect(await run(['verify', '--roundtrip', '--to', '1'])).toMatchObject({ code: 0 })
    expect(await database.sql`select from pg_namespace where nspname = 'obs'`).toHaveLength(0)
  })

  it.each([
    [['--from', '1'], '--from says something about --roundtrip'],
    [['--roundtrip', '--from', '7'], 'there is no migration with version 7'],
    [['--roundtrip', '--rows', '0'], '--rows'],
    [['--roundtrip', '--seed', '-1'], '--seed'],
    [['--roundtrip', '--sample', 'nowhere.sql'], 'cannot read the sample file nowhere.sql'],
  ])('refuses %j', async (args, message) => {
    const { run } = await project({ '1_pet.up.sql': 'create table pet (id int);' })
    expect(await run(['verify', ...args])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(message),
    })
  })

  it('says so when the role may not create databases', async () => {
    const { database, run } = await project({ '1_pet.up.sql': 'create table pet (id int);' })
    const role = `obs_test_${process.pid}_poor`
    await onServer((sql) => sql.unsafe(`create role ${role} login password 'x'`))
    try {
      const url = new URL(database.url)
      url.username = role
      url.password = 'x'
      const result = await run(['verify', '--roundtrip', '--database-url', url.href])
      expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('may not create the scratch database') })
    } finally {
      await onServer((sql) => sql.unsafe(`drop role ${role}`))
    }
  })

  it('drops the scratch database on Ctrl-C', async () => {
    const { run } = await project({ '1_slow.up.sql': 'select pg_sleep(60);' })
    let scratch: string | undefined
    let interrupting: Promise<void> = Promise.resolve()
    const result = await run(['verify', '--roundtrip'], (child) => {
      interrupting = whenSleeping().then((name) => {
        scratch = name
        child.kill('SIGINT')
      })
    })
    await interrupting
    expect(result).toMatchObject({ code: 130, stdout: '' })
    expect(scratch).toMatch(/^obs_scratch_/)
    expect(await onServer((sql) => sql`select from pg_database where datname = ${scratch ?? ''}`)).toHaveLength(0)
  })
})

/** The scratch database in which a migration sleeps. */
async function whenSleeping(): Promise<string> {
  for (;;) {
    const [row] = await onServer(
      (sql) => sql<{ name: string }[]>`
        select datname as name from pg_stat_activity where datname like 'obs\\_scratch\\_%' and wait_event = 'PgSleep'`,
    )
    if (row) return row.name
    await sleep(100)
  }
}
