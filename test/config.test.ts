import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type GlobalFlags, loadSettings, type Settings } from '../src/config.js'
import { quietContext } from '../src/context.js'
import { withDatabase } from '../src/database/connect.js'
import { testDatabase } from './support/database.js'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'obs-settings-'))
})

afterEach(() => rm(folder, { recursive: true, force: true }))

function load(flags: GlobalFlags = {}, environment: NodeJS.ProcessEnv = {}): Promise<Settings> {
  return loadSettings(flags, { USER: 'ada', ...environment }, folder)
}

async function configure(content: object): Promise<void> {
  await writeFile(join(folder, 'obs.config.json'), JSON.stringify(content))
}

function databaseOf({ target }: Settings): string | undefined {
  return target.kind === 'server' ? target.address.database : undefined
}

const first = '8f14e45f-ceea-4e7a-9b1c-0242ac120001'
const second = '8f14e45f-ceea-4e7a-9b1c-0242ac120002'

describe('without any configuration', () => {
  it('the embedded server and the shipped pack are meant', async () => {
    expect(await load()).toMatchObject({
      configFile: undefined,
      target: { kind: 'embedded' },
      pack: { name: 'observability', schema: 'public', historySchema: 'obs', shipped: true },
      backups: join(folder, 'backups'),
      stateDirectory: join(folder, '.obs'),
      workspace: undefined,
      logLevel: 'info',
      logFormat: 'pretty',
    })
  })

  it('empty variables count as unset', async () => {
    const empty = { DATABASE_URL: '', PGHOST: '', OBS_PACK: '', OBS_WORKSPACE: '', OBS_LOG_LEVEL: '', OBS_CONFIG: '' }
    expect(await load({}, empty)).toEqual(await load())
  })
})

describe('precedence', () => {
  it('of the server: flag, DATABASE_URL, PG* variables, file, embedded', async () => {
    await configure({ databaseUrl: 'postgres://h/file' })
    expect(databaseOf(await load())).toBe('file')
    const variables = { PGHOST: 'h', PGDATABASE: 'pg' }
    expect(databaseOf(await load({}, variables))).toBe('pg')
    const both = { ...variables, DATABASE_URL: 'postgres://h/url' }
    expect(databaseOf(await load({}, both))).toBe('url')
    expect(databaseOf(await load({ databaseUrl: 'postgres://h/flag' }, both))).toBe('flag')
  })

  it('of the pack: flag, variable, file', async () => {
    await configure({ pack: 'a', packs: ['a', 'b', 'c'].map((name) => ({ name, migrations: name })) })
    expect((await load()).pack.name).toBe('a')
    expect((await load({}, { OBS_PACK: 'b' })).pack.name).toBe('b')
    expect((await load({ pack: 'c' }, { OBS_PACK: 'b' })).pack).toEqual({
      name: 'c',
      migrations: join(folder, 'c'),
      schema: 'public',
      historySchema: 'obs',
      shipped: false,
    })
  })

  it('of the log level: flag, --quiet and --verbose, variable, file', async () => {
    await configure({ logLevel: 'warn' })
    expect((await load()).logLevel).toBe('warn')
    expect((await load({}, { OBS_LOG_LEVEL: 'trace' })).logLevel).toBe('trace')
    expect((await load({ verbose: true }, { OBS_LOG_LEVEL: 'warn' })).logLevel).toBe('debug')
    expect((await load({ quiet: true }, { OBS_LOG_LEVEL: 'trace' })).logLevel).toBe('error')
    expect((await load({ logLevel: 'silent', verbose: true }, { OBS_LOG_LEVEL: 'trace' })).logLevel).toBe('silent')
  })

  it('of the log format: flag, variable, file', async () => {
    await configure({ logFormat: 'json' })
    expect((await load()).logFormat).toBe('json')
    expect((await load({}, { OBS_LOG_FORMAT: 'pretty' })).logFormat).toBe('pretty')
    expect((await load({ logFormat: 'json' }, { OBS_LOG_FORMAT: 'pretty' })).logFormat).toBe('json')
  })

  it('of the workspace: variable, file', async () => {
    await configure({ workspace: first })
    expect((await load()).workspace).toBe(first)
    expect((await load({}, { OBS_WORKSPACE: second.toUpperCase() })).workspace).toBe(second)
  })

  it('of the folders: variables from the current folder, the file’s from its own', async () => {
    await configure({ backups: 'dumps', stateDirectory: '../state' })
    expect(await load()).toMatchObject({ backups: join(folder, 'dumps'), stateDirectory: join(folder, '../state') })
    const below = await loadSettings({}, { OBS_BACKUPS: 'b', OBS_STATE_DIR: '/var/lib/obs' }, join(folder, 'sub'))
    expect(below).toMatchObject({ backups: join(folder, 'sub/b'), stateDirectory: '/var/lib/obs' })
    expect((await loadSettings({}, {}, join(folder, 'sub'))).backups).toBe(join(folder, 'dumps'))
  })

  it('of the file: --config, OBS_CONFIG', async () => {
    await writeFile(join(folder, 'a.json'), '{"logLevel":"debug"}')
    await writeFile(join(folder, 'b.json'), '{"logLevel":"error"}')
    expect((await load({}, { OBS_CONFIG: 'a.json' })).logLevel).toBe('debug')
    expect((await load({ config: 'b.json' }, { OBS_CONFIG: 'a.json' })).logLevel).toBe('error')
  })
})

describe('settings that cannot be used', () => {
  it('are reported all at once, each with where it came from', async () => {
    await configure({ logLevel: 'loud', pakc: 'x', databaseUrl: 'mysql://u:hush@h/d' })
    const flags = { logFormat: 'xml', databaseUrl: 'http://u:hush@h' }
    const error = await load(flags, { OBS_WORKSPACE: 'mine', OBS_LOG_LEVEL: 'shout' }).catch((thrown) => thrown)
    expect(error).toMatchObject({ exitCode: 2, code: 'invalid_settings', hint: expect.stringContaining('docs/') })
    for (const part of [
      '--log-format must be one of pretty, json',
      'OBS_WORKSPACE is not a UUID',
      'OBS_LOG_LEVEL must be one of trace',
      `${join(folder, 'obs.config.json')} has 2 problems:`,
      'pakc: is not a setting, did you mean pack?',
      '--database-url is not a PostgreSQL URL',
    ]) {
      expect(error.message).toContain(part)
    }
    expect(error.details.problems).toHaveLength(4)
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('hush')
  })

  it('are named by their own code when there is one', async () => {
    await configure({ packs: [{ name: 'app', migrations: 'db' }] })
    await expect(load({}, { OBS_PACK: 'ap' })).rejects.toMatchObject({
      exitCode: 2,
      code: 'unknown_pack',
      message: 'unknown pack "ap" in OBS_PACK, did you mean "app"?',
    })
    await expect(load({ databaseUrl: '' })).rejects.toMatchObject({ code: 'invalid_database_url' })
    await expect(load({ config: 'none.json' })).rejects.toMatchObject({ code: 'config_not_found' })
  })

  it('name the file that holds a bad URL', async () => {
    await configure({ databaseUrl: 'postgres://u:hush@h:port/d' })
    await expect(load()).rejects.toThrow(`databaseUrl in ${join(folder, 'obs.config.json')} names a port`)
  })

  it('do not leave the choice between several packs to chance', async () => {
    await configure({ packs: ['a', 'b'].map((name) => ({ name, migrations: name })) })
    await expect(load()).rejects.toMatchObject({ code: 'pack_not_chosen', exitCode: 2 })
  })
})

describe('a server that was named', () => {
  it('is the one that is worked on, however odd its password', async () => {
    const { sql, url } = await testDatabase()
    const role = `odd_${new URL(url).pathname.slice(-12)}`
    const password = 'p@ss/w:or?d#% \'"&=+€'
    await sql.unsafe(`create role ${role} login password '${password.replaceAll("'", "''")}'`)
    const named = new URL(url)
    const address = `postgres://${role}:${encodeURIComponent(password)}@${named.host}${named.pathname}`
    try {
      const { target } = await load({ databaseUrl: address })
      if (target.kind !== 'server') throw new Error('the flag was passed over')
      const who = await withDatabase(target.address, quietContext(), ({ sql: own }) => own`select current_user as name`)
      expect(who[0]?.['name']).toBe(role)
      expect(JSON.stringify(target)).not.toContain('p@ss')
    } finally {
      await sql.unsafe(`drop role ${role}`)
    }
  })

  it('takes its password from PGPASSWORD when the URL has none', async () => {
    const { url } = await testDatabase()
    const named = new URL(url)
    const { target } = await load(
      { databaseUrl: `postgres://${named.username}@${named.host}${named.pathname}` },
      { PGPASSWORD: decodeURIComponent(named.password) },
    )
    if (target.kind !== 'server') throw new Error('the flag was passed over')
    const rows = await withDatabase(target.address, quietContext(), ({ sql }) => sql`select 1 as one`)
    expect(rows[0]).toEqual({ one: 1 })
  })
})
