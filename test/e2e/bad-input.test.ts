import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readCatalog } from '../../src/database/catalog.js'
import { obs } from '../support/cli.js'
import { onServer, serverAddress, type TestDatabase, testDatabase } from '../support/database.js'

let cwd: string

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'obs-bad-'))
})

afterEach(() => rm(cwd, { recursive: true, force: true }))

/** Everything in the database that a command could have changed. */
function contents({ sql }: TestDatabase): Promise<readonly string[]> {
  return readCatalog(sql, ['public', 'obs'])
}

describe('a server that cannot be used', () => {
  const password = 'correct-horse-battery'

  const situations: [string, () => string, string][] = [
    [
      'nothing listens',
      () => `postgres://obs:${password}@127.0.0.1:1/obs`,
      'cannot reach a PostgreSQL server at 127.0.0.1:1',
    ],
    [
      'the host does not exist',
      () => `postgres://obs:${password}@nowhere.invalid/obs`,
      'cannot reach a PostgreSQL server at nowhere.invalid:5432',
    ],
    ['the password is wrong', () => onTestServer({ password }), 'refused the user'],
    [
      'the database does not exist',
      () => onTestServer({ database: 'no_such_database' }),
      'the database "no_such_database" does not exist',
    ],
  ]

  it.each(situations)('is reported with exit code 3 when %s', async (_, url, message) => {
    for (const command of [
      ['migrate', 'status'],
      ['migrate', 'up'],
      ['seed'],
      ['validate'],
      ['query', 'home-kpis'],
      ['backup', 'create'],
    ]) {
      const { code, stdout, stderr } = await obs(command, { cwd, env: { DATABASE_URL: url() } })
      expect({ command, code, stdout }).toEqual({ command, code: 3, stdout: '' })
      expect(stderr).toContain(message)
      expect(stderr).toContain('DATABASE_URL')
      expect(stderr).not.toContain(password)
    }
    expect(await readdir(cwd)).toEqual([])
  })

  it.each([
    'mysql://root@localhost/app',
    'localhost:5432/app',
    'postgres://localhost:99999/app',
    'postgres://localhost/app?sslmode=maybe',
    'postgres://localhost/app?pool=7',
  ])('is refused with exit code 2 when the URL is %s', async (url) => {
    const { code, stderr } = await obs(['migrate', 'status', '--database-url', url], { cwd })
    expect(code).toBe(2)
    expect(stderr).toContain('--database-url')
  })
})

describe('seed refuses', () => {
  it.each([
    ['--days', '0'],
    ['--days', '-3'],
    ['--days', 'abc'],
    ['--days', '1.5'],
    ['--as-of', '2999-01-01'],
    ['--as-of', 'yesterday'],
    ['--profile', 'dmo'],
    ['--scale', '0'],
    ['--seed', 'x'],
    ['--workspace', 'mine'],
  ])('%s %s with exit code 2 and changes nothing', async (flag, value) => {
    const database = await testDatabase()
    const { code, stdout, stderr } = await obs(['seed', `${flag}=${value}`], {
      cwd,
      env: { DATABASE_URL: database.url },
    })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(flag)
    expect(await contents(database)).toEqual([])
  })

  it('a database without the schema and names the command that makes it', async () => {
    const database = await testDatabase()
    const { code, stderr } = await obs(['seed', '--days', '1'], { cwd, env: { DATABASE_URL: database.url } })
    expect(code).toBe(1)
    expect(stderr).toContain('obs migrate up')
    expect(await contents(database)).toEqual([])
  })
})

describe('query and validate refuse', () => {
  it.each([
    [['query', 'home-kpi'], 'home-kpis'],
    [['query', 'home-kpis', '--range', '30x'], '--range'],
    [['query', 'home-kpis', '--format', 'xls'], '--format'],
    [['validate', 'integrty'], 'integrity'],
    [['validate', '--format', 'junt'], 'junit'],
  ])('%s with exit code 2, naming %s', async (args, named) => {
    const { code, stdout, stderr } = await obs(args, { cwd })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(named)
    expect(await readdir(cwd)).toEqual([])
  })
})

describe('a folder of migrations that cannot run', () => {
  async function project(files: Readonly<Record<string, string>>): Promise<void> {
    const config = { packs: [{ name: 'app', migrations: '.', schema: 'public' }] }
    await writeFile(join(cwd, 'obs.config.json'), JSON.stringify(config))
    for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text)
  }

  it('shows file, line, column and a caret for a syntax error, and runs nothing', async () => {
    await project({
      '0001_pet.up.sql': 'create table pet (id int);\n',
      '0001_pet.down.sql': 'drop table pet;\n',
      '0002_owner.up.sql': '-- owners\ncreate table owner (\n  id int,\n  nam text nul\n);\n',
      '0002_owner.down.sql': 'drop table owner;\n',
    })
    const database = await testDatabase()
    const { code, stderr } = await obs(['migrate', 'up'], { cwd, env: { DATABASE_URL: database.url } })
    expect(code).toBe(2)
    expect(stderr).toContain('0002_owner.up.sql:4:')
    expect(stderr).toMatch(/nam text nul\n.*\^/)
    expect(await contents(database)).toEqual([])
  })

  it('names both files of a duplicate version', async () => {
    await project({ '0001_pet.up.sql': 'create table pet ();', '1_cat.up.sql': 'create table cat ();' })
    const database = await testDatabase()
    const { code, stderr } = await obs(['migrate', 'up'], { cwd, env: { DATABASE_URL: database.url } })
    expect(code).toBe(2)
    expect(stderr).toContain('0001_pet.up.sql')
    expect(stderr).toContain('1_cat.up.sql')
    expect(await contents(database)).toEqual([])
  })

  it('says which down is missing before it reverts anything', async () => {
    await project({
      '0001_pet.up.sql': 'create table pet (id int);',
      '0002_cat.up.sql': 'create table cat (id int);',
      '0002_cat.down.sql': 'drop table cat;',
    })
    const database = await testDatabase()
    const env = { DATABASE_URL: database.url }
    expect((await obs(['migrate', 'up'], { cwd, env })).code).toBe(0)
    const before = await contents(database)
    const { code, stderr } = await obs(['migrate', 'down', '--to', '0', '--yes'], { cwd, env })
    expect(code).toBe(2)
    expect(stderr).toContain('0001_pet')
    expect(await contents(database)).toEqual(before)
  })
})

it('says that a role may not write, exits with 1 and changes nothing', async () => {
  const database = await testDatabase()
  const role = `reader_${database.address.database}`
  await onServer((sql) => sql.unsafe(`create role ${role} login password 'only-reads'`))
  try {
    const env = { DATABASE_URL: database.url.replace(/\/\/[^@]+@/, `//${role}:only-reads@`) }
    const { code, stderr } = await obs(['migrate', 'up'], { cwd, env })
    expect(code).toBe(1)
    expect(stderr).toContain(role)
    expect(stderr).not.toContain('only-reads')
    expect(await contents(database)).toEqual([])
  } finally {
    await onServer((sql) => sql.unsafe(`drop role ${role}`))
  }
})

/** The test server's URL with parts of it changed. */
function onTestServer({ password, database }: { readonly password?: string; readonly database?: string }): string {
  const address = serverAddress()
  const secret = encodeURIComponent(password ?? address.password?.reveal() ?? '')
  return `postgres://${address.user}:${secret}@${address.host}:${address.port}/${database ?? address.database}`
}
