import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  addressFromPgVariables,
  connectionUrl,
  describeAddress,
  parseDatabaseUrl,
  type ServerAddress,
} from '../../src/database/address.js'
import { UsageError } from '../../src/errors.js'
import { Secret } from '../../src/secret.js'

const nothing = { USER: 'ada' }
const parse = (url: string, environment: NodeJS.ProcessEnv = nothing) =>
  parseDatabaseUrl(url, '--database-url', environment)

/** The parts of an address, the password in the clear. */
function parts({ host, port, database, user, password, sslMode }: ServerAddress) {
  return { host, port, database, user, password: password?.reveal(), sslMode }
}

function failure(url: string): UsageError {
  try {
    parse(url)
  } catch (error) {
    if (error instanceof UsageError) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('a URL', () => {
  it('says everything', () => {
    expect(parts(parse('postgresql://grace:hopper@db.example.com:6543/cobol?sslmode=require'))).toEqual({
      host: 'db.example.com',
      port: 6543,
      database: 'cobol',
      user: 'grace',
      password: 'hopper',
      sslMode: 'require',
    })
  })

  it('says nothing, and means what libpq means', () => {
    const defaults = {
      host: 'localhost',
      port: 5432,
      database: 'ada',
      user: 'ada',
      password: undefined,
      sslMode: 'prefer',
    }
    expect(parts(parse('postgres://'))).toEqual(defaults)
    expect(parts(parse('postgres:///'))).toEqual(defaults)
    expect(parts(parse('postgres://@/?'))).toEqual(defaults)
  })

  it.each([
    ['p@ss', 'p@ss'],
    ['p%40ss%2Fw%3Aord%3F%23', 'p@ss/w:ord?#'],
    ['a:b:c', 'a:b:c'],
    ['100%25', '100%'],
    ['%E2%82%AC', '€'],
    ['€uro', '€uro'],
    ['a%2Fb c', 'a/b c'],
    ['a+b', 'a+b'],
    ["it's[]{}|\\^`", "it's[]{}|\\^`"],
    ['a&b=c', 'a&b=c'],
    ['', undefined],
  ])('has the password %j', (written, meant) => {
    expect(parts(parse(`postgres://u:${written}@h/d`))).toMatchObject({
      user: 'u',
      password: meant,
      host: 'h',
      database: 'd',
    })
  })

  it('names a socket', () => {
    const socket = { host: '/var/run/pg', port: 5433, database: 'd', user: 'u', password: 'p' }
    expect(parts(parse('postgres://u:p@/d?host=/var/run/pg&port=5433'))).toMatchObject(socket)
    expect(parts(parse('postgres://u:p@%2Fvar%2Frun%2Fpg:5433/d'))).toMatchObject(socket)
    expect(parts(parse('postgres:///d?host=%2Fvar%2Frun%2Fpg&port=5433&user=u&password=p'))).toMatchObject(socket)
  })

  it('names an IPv6 address', () => {
    expect(parts(parse('postgres://u@[::1]:5433/d'))).toMatchObject({ host: '::1', port: 5433 })
    expect(parts(parse('postgres://[2001:db8::1]/d'))).toMatchObject({ host: '2001:db8::1', port: 5432 })
  })

  it('prefers its parameters, as libpq does', () => {
    expect(parts(parse('postgres://u:p@h:1/d?host=h2&port=2&dbname=d2&user=u2&password=p%262'))).toMatchObject({
      host: 'h2',
      port: 2,
      database: 'd2',
      user: 'u2',
      password: 'p&2',
    })
  })

  it('has databases and users with any character', () => {
    expect(parts(parse('postgres://dom%5Cu%40x@h/a%2Fb%20%3Fc%25'))).toMatchObject({
      user: 'dom\\u@x',
      database: 'a/b ?c%',
    })
  })

  it('takes ssl for short', () => {
    expect(parse('postgres://h/d?ssl=true').sslMode).toBe('require')
    expect(parse('postgres://h/d?ssl=0').sslMode).toBe('disable')
    expect(failure('postgres://h/d?ssl=maybe').message).toContain('ssl')
  })

  it('lets libpq’s variables fill in what it leaves out', () => {
    const environment = {
      ...nothing,
      PGUSER: 'u',
      PGPASSWORD: 'p',
      PGPORT: '6000',
      PGSSLMODE: 'require',
      PGHOST: 'other',
    }
    expect(parts(parse('postgres://h/d', environment))).toEqual({
      host: 'h',
      port: 6000,
      database: 'd',
      user: 'u',
      password: 'p',
      sslMode: 'require',
    })
    expect(parts(parse('postgres://me:mine@h:1/d?sslmode=disable', environment))).toMatchObject({
      user: 'me',
      password: 'mine',
      port: 1,
      sslMode: 'disable',
    })
  })
})

describe('a URL that cannot be used', () => {
  it.each([
    'mysql://u:hush@h/d',
    'localhost:5432',
    '',
    ' postgres://h/d',
    'postgres:/h',
    'postgres://u:hush@h:0/d',
    'postgres://u:hush@h:65536/d',
    'postgres://u:hush@h:54.2/d',
    'postgres://u:hush',
    'postgres://u:5#hush@h/d',
    'postgres://u:5/hush@h/d',
    'postgres://u:5?hush@h/d',
    'postgres://u:hush#@h/d',
    'postgres://u:100%hush@h/d',
    'postgres://u:hush%00@h/d',
    'postgres://u:hush@h/d?sslmode=maybe',
    'postgres://u:hush@h/d?sslmode=verify-ca',
    'postgres://u:hush@h1,h2/d',
    'postgres://u:hush@h1:1,h2:2/d',
    'postgres://u:hush@h/d?pgbouncer=true&schema=x',
  ])('is refused without its password: %j', (url) => {
    const error = failure(url)
    expect(error.exitCode).toBe(2)
    expect(error.message).toContain('--database-url')
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('hush')
  })

  it('is told which parameters there are', () => {
    const error = failure('postgres://h/d?pgbouncer=true&schema=x&sslmode=require')
    expect(error.message).toContain('pgbouncer, schema')
    expect(error.hint).toContain('sslmode')
  })

  it('is told how to write special characters', () => {
    expect(failure('postgres://u:a#b@h/d').hint).toContain('%23')
    expect(failure('postgres://u:50%@h/d').hint).toContain('%25')
  })
})

describe('an address as a URL', () => {
  it('never shows the password to people', () => {
    expect(describeAddress(parse('postgres://u:hush@h/d'))).toBe('postgres://u:***@h:5432/d')
  })

  it('is the same address when it is read again', () => {
    const text = fc.string({ minLength: 1, unit: 'grapheme' }).filter((value) => !value.includes('\0'))
    const host = fc.oneof(
      fc.constantFrom('localhost', '::1', '10.0.0.1', '/tmp/a b'),
      fc.stringMatching(/^[a-z0-9.-]{1,20}$/),
    )
    fc.assert(
      fc.property(
        text,
        text,
        text,
        host,
        fc.integer({ min: 1, max: 65535 }),
        (user, password, database, host, port) => {
          const address = {
            user,
            password: new Secret(password),
            database,
            host,
            port,
            sslMode: 'prefer',
            source: 'x',
          } as const
          expect(parts(parse(connectionUrl(address)))).toEqual(parts(address))
        },
      ),
    )
  })
})

describe('libpq’s variables', () => {
  it('name a server', () => {
    const address = addressFromPgVariables({
      PGHOST: 'h',
      PGPORT: '6000',
      PGDATABASE: 'd',
      PGUSER: 'u',
      PGPASSWORD: 'p',
    })
    expect(address && parts(address)).toEqual({
      host: 'h',
      port: 6000,
      database: 'd',
      user: 'u',
      password: 'p',
      sslMode: 'prefer',
    })
  })

  it.each<NodeJS.ProcessEnv>([{}, { PGUSER: 'u', PGPASSWORD: 'p' }, { PGHOST: '', PGPORT: '' }])(
    'name none: %j',
    (environment) => {
      expect(addressFromPgVariables(environment)).toBeUndefined()
    },
  )

  it('are checked', () => {
    expect(() => addressFromPgVariables({ PGPORT: 'hush' })).toThrow('PG* variables names a port')
    expect(() => addressFromPgVariables({ PGHOST: 'h', PGSSLMODE: 'yes' })).toThrow(
      'PG* variables asks for sslmode "yes"',
    )
  })
})

describe('certificates', () => {
  let folder: string
  let root: string

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'obs-tls-'))
    root = join(folder, 'root.pem')
    writeFileSync(root, 'ROOT')
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('are verified as far as the sslmode says', () => {
    expect(parse('postgres://h/d').tls).toBeUndefined()
    expect(parse('postgres://h/d?sslmode=require').tls).toMatchObject({ rejectUnauthorized: false })
    expect(parse('postgres://h/d?sslmode=verify-full').tls).toEqual({ rejectUnauthorized: true })
    expect(parse(`postgres://h/d?sslmode=verify-full&sslrootcert=${root}`).tls).toEqual({
      ca: 'ROOT',
      rejectUnauthorized: true,
    })
    for (const mode of ['require', 'verify-ca']) {
      const tls = parse(`postgres://h/d?sslmode=${mode}&sslrootcert=${root}`).tls
      expect(tls).toMatchObject({ ca: 'ROOT', rejectUnauthorized: true })
      expect(tls?.checkServerIdentity?.()).toBeUndefined()
    }
  })

  it('come from the environment as well', () => {
    const address = addressFromPgVariables({ PGHOST: 'h', PGSSLMODE: 'verify-ca', PGSSLROOTCERT: root, PGSSLKEY: root })
    expect(address?.tls).toMatchObject({ ca: 'ROOT', key: 'ROOT' })
  })

  it('that cannot be read are named', () => {
    const missing = join(folder, 'missing.pem')
    const error = failure(`postgres://u:hush@h/d?sslmode=verify-full&sslrootcert=${missing}`)
    expect(error.message).toBe(`--database-url names a file as sslrootcert that cannot be read: ${missing}`)
  })
})
