import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { quietContext } from '../../src/context.js'
import { type ServerAddress, withDatabaseName } from '../../src/database/address.js'
import { type Sql, withDatabase, withSession, withTransaction } from '../../src/database/connect.js'
import { startServer, stopServer } from '../../src/database/embedded/server.js'
import { exitCodes, InterruptedError, ObsError } from '../../src/errors.js'
import { Secret } from '../../src/secret.js'
import { onServer, serverAddress, testDatabase } from '../support/database.js'

let folder: string
let server: ServerAddress

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'obs-connect-'))
  server = await startServer(folder, quietContext())
})

afterAll(async () => {
  await stopServer(folder)
  await rm(folder, { recursive: true, force: true })
})

it('knows what the server is', async () => {
  const { platform } = await testDatabase()
  expect(platform.name).toBe('postgres')
  expect(platform.serverVersion).toBeGreaterThanOrEqual(150000)
})

describe('a connection that cannot be had', () => {
  it('says that nobody listens', async () => {
    const port = await portOfNobody()
    const error = await failure({ ...server, port })
    expect(error).toMatchObject({
      code: 'server_unreachable',
      exitCode: exitCodes.connection,
      message: `cannot reach a PostgreSQL server at 127.0.0.1:${port} (ECONNREFUSED)`,
    })
  })

  it('says that a host is unknown', async () => {
    const error = await failure({ ...server, host: 'db.invalid' })
    expect(error).toMatchObject({ code: 'server_unreachable', exitCode: exitCodes.connection })
    expect(error.message).toMatch(/^cannot reach a PostgreSQL server at db\.invalid:\d+ \(E/)
  })

  it('says that a socket folder has no socket', async () => {
    const error = await failure({ ...server, host: folder })
    expect(error).toMatchObject({ code: 'server_unreachable', exitCode: exitCodes.connection })
  })

  it('asks somebody who hangs up only once', async () => {
    const asked: Socket[] = []
    const address = await listening((socket) => {
      asked.push(socket)
      socket.end()
    })
    const error = await failure(address)
    expect(error).toMatchObject({ code: 'server_unreachable', exitCode: exitCodes.connection })
    expect(error.message).toMatch(/hung up/)
    expect(asked).toHaveLength(1)
  })

  it('does not take a web server for PostgreSQL', async () => {
    const address = await listening((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'))
    })
    const error = await failure({ ...address, sslMode: 'prefer' })
    expect(error).toMatchObject({ code: 'server_unreachable', exitCode: exitCodes.connection })
  })

  it('says that the password is wrong, and not which one it was', async () => {
    const error = await failure({ ...server, password: new Secret('open-sesame-8461') })
    expect(error).toMatchObject({
      code: 'authentication_failed',
      exitCode: exitCodes.connection,
      message: 'the server refused the user "obs": password authentication failed for user "obs"',
    })
    expect(everyTextOf(error)).not.toContain('open-sesame-8461')
  })

  it('says that a password is needed', async () => {
    const { password: _, ...withoutPassword } = server
    const error = await failure(withoutPassword)
    expect(error).toMatchObject({ code: 'authentication_failed', exitCode: exitCodes.connection })
  })

  it('says which database does not exist', async () => {
    const error = await failure(withDatabaseName(server, 'nowhere'))
    expect(error).toMatchObject({
      code: 'unknown_database',
      exitCode: exitCodes.connection,
      message: `the database "nowhere" does not exist at 127.0.0.1:${server.port}`,
    })
  })

  it('says that there are too many connections', async () => {
    const address = await role('connection limit 1')
    await withDatabase(address, quietContext(), async () => {
      const error = await failure(address)
      expect(error).toMatchObject({ code: 'server_not_ready', exitCode: exitCodes.connection })
      expect(error.message).toMatch(/^the server is not accepting connections: too many connections for role/)
    })
  })

  it('says that the server wants no TLS', async () => {
    const error = await failure({ ...server, sslMode: 'require' })
    expect(error).toMatchObject({ exitCode: exitCodes.connection })
  })
})

describe('a role without rights', () => {
  it('is told what it may not do', async () => {
    const error = await failure(await role(), (sql) => sql`create table public.pet (id int)`)
    expect(error).toMatchObject({ code: 'permission_denied', exitCode: exitCodes.failed })
    expect(error.message).toMatch(/^the role "role_\w+" may not do this: permission denied for schema public$/)
    expect(await tables()).toEqual([])
  })

  it('is told that it may only read', async () => {
    const address = await role('superuser')
    await withDatabase(server, quietContext(), ({ sql }) =>
      sql`alter role ${sql(address.user)} set default_transaction_read_only = on`.then(),
    )
    const error = await failure(address, (sql) => sql`create table public.pet (id int)`)
    expect(error).toMatchObject({ code: 'read_only', exitCode: exitCodes.failed })
    expect(await tables()).toEqual([])
  })
})

describe('a session whose connection is lost', () => {
  it('fails from then on, and never goes on in another session', async () => {
    const { sql } = await testDatabase()
    const codes: unknown[] = []
    const lost = withSession(sql, (session) =>
      withTransaction(session, async () => {
        await session`create table pet (id int)`
        await killSelf(session, sql).catch((error: unknown) => codes.push(codeOf(error)))
        await sql`select 1`
        await session`insert into pet values (1)`.catch((error: unknown) => codes.push(codeOf(error)))
        await session`select 1`
      }),
    )
    await expect(lost).rejects.toMatchObject({ code: 'CONNECTION_ENDED' })
    expect(codes).toHaveLength(2)
    expect(await sql`select from pg_class where relname = 'pet'`).toHaveLength(0)
  })

  it('is explained as a lost connection', async () => {
    const { address } = await testDatabase()
    const error = await failure(address, (sql) => withSession(sql, (session) => killSelf(session, sql)))
    expect(error).toMatchObject({ code: 'connection_lost', exitCode: exitCodes.connection })
  })
})

describe('an interruption', () => {
  it('rolls back the statement in progress and leaves no session and no lock', async () => {
    const { sql, address } = await testDatabase()
    await sql`create table pet (id int)`
    const stop = new AbortController()
    const run = withDatabase(address, quietContext(stop.signal), (database) =>
      withSession(database.sql, (session) =>
        withTransaction(session, async () => {
          await session`insert into pet values (1)`
          await session`lock table pet in access exclusive mode`
          setTimeout(() => stop.abort(), 50)
          await session`select pg_sleep(60)`
        }),
      ),
    )
    await expect(run).rejects.toBeInstanceOf(InterruptedError)
    await expect(run).rejects.toMatchObject({ exitCode: exitCodes.interrupted })
    const others = await onServer((all) =>
      all`select pid from pg_stat_activity where datname = ${address.database} and query ~ 'pg_sleep' and pid <> pg_backend_pid()`.then(),
    )
    expect(others).toHaveLength(0)
    expect(await sql`select * from pet`).toHaveLength(0)
  })

  it('lets no engine go on in a new session', async () => {
    const { address } = await testDatabase()
    const stop = new AbortController()
    const seen: unknown[] = []
    const run = withDatabase(address, quietContext(stop.signal), async ({ sql }) => {
      setTimeout(() => stop.abort(), 50)
      await sql`select pg_sleep(60)`.catch(() => undefined)
      await withSession(sql, async () => undefined).catch((error: unknown) => seen.push(error))
      await sql`create table left_over (id int)`
    })
    await expect(run).rejects.toBeInstanceOf(InterruptedError)
    expect(seen).toEqual([expect.any(InterruptedError)])
    const left = await withDatabase(address, quietContext(), ({ sql }) =>
      sql`select from pg_class where relname = 'left_over'`.then(),
    )
    expect(left).toHaveLength(0)
  })

  it('opens nothing when it came before', async () => {
    const run = withDatabase(serverAddress(), quietContext(AbortSignal.abort()), async () => 'opened')
    await expect(run).rejects.toBeInstanceOf(InterruptedError)
  })

  it('keeps what was finished before it came', async () => {
    const stop = new AbortController()
    const run = withDatabase(serverAddress(), quietContext(stop.signal), async () => {
      stop.abort()
      return 'finished'
    })
    await expect(run).resolves.toBe('finished')
  })
})

// The last ones, because the server does not come back.
describe('a server that stops midway', () => {
  it('is a lost connection, not a hang', async () => {
    const run = failure(server, (sql) => withSession(sql, (session) => session`select pg_sleep(60)`.then()))
    await until(() => isSleeping(server))
    await stopServer(folder)
    expect(await run).toMatchObject({ code: 'connection_lost', exitCode: exitCodes.connection })
    expect(await failure(server)).toMatchObject({ code: 'server_unreachable' })
  })
})

/** What `work` fails with; everything that could be printed of it is free of the server's password. */
async function failure(
  address: ServerAddress,
  work: (sql: Sql) => PromiseLike<unknown> = async () => undefined,
): Promise<ObsError> {
  const run = withDatabase(address, quietContext(), async ({ sql }) => void (await work(sql)))
  const error = await run.then(
    () => expect.fail('the connection was made'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof ObsError)) throw error
  expect(everyTextOf(error)).not.toContain(server.password?.reveal())
  return error
}

function everyTextOf(error: ObsError): string {
  const { message, hint, details, code } = error
  return [inspect(error, { depth: 10 }), JSON.stringify({ message, hint, details, code }), error.stack].join('\n')
}

/** A role of the test's own on the file's server. */
async function role(attributes = ''): Promise<ServerAddress> {
  const user = `role_${randomBytes(4).toString('hex')}`
  const password = randomBytes(9).toString('hex')
  await withDatabase(server, quietContext(), ({ sql }) =>
    sql.unsafe(`create role ${user} login password '${password}' ${attributes}`).then(),
  )
  return { ...server, user, password: new Secret(password), source: 'the test' }
}

function tables(): Promise<string[]> {
  return withDatabase(server, quietContext(), async ({ sql }) => {
    const rows = await sql<{ name: string }[]>`select relname as name from pg_class where relname = 'pet'`
    return rows.map((row) => row.name)
  })
}

async function killSelf(session: Sql, sql: Sql): Promise<void> {
  const [row] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`
  await sql`select pg_terminate_backend(${row?.pid ?? 0}, 5000)`
  await session`select 1`
}

async function isSleeping(address: ServerAddress): Promise<boolean> {
  const rows = await withDatabase(address, quietContext(), ({ sql }) =>
    sql`select from pg_stat_activity where query ~ 'pg_sleep' and pid <> pg_backend_pid()`.then(),
  )
  return rows.length > 0
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** Somebody who listens and is no PostgreSQL server. */
async function listening(onConnection: (socket: Socket) => void): Promise<ServerAddress> {
  const listener = createServer((socket) => {
    socket.on('error', () => undefined)
    onConnection(socket)
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void listener.close())
  await once(listener, 'listening')
  return { ...server, port: portOf(listener) }
}

async function portOfNobody(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const port = portOf(listener)
  listener.close()
  await once(listener, 'close')
  return port
}

function portOf(listener: Server): number {
  const address = listener.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
