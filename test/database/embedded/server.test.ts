import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { quietContext } from '../../../src/context.js'
import type { ServerAddress } from '../../../src/database/address.js'
import { type Sql, withDatabase } from '../../../src/database/connect.js'
import { prepareHost } from '../../../src/database/embedded/host.js'
import { launch } from '../../../src/database/embedded/launch.js'
import { readLayout } from '../../../src/database/embedded/layout.js'
import {
  otherSessions,
  resetServer,
  runningServer,
  serverStatus,
  startServer,
  stopServer,
} from '../../../src/database/embedded/server.js'
import { credentials } from '../../../src/database/embedded/server-user.js'
import { InterruptedError } from '../../../src/errors.js'

const context = quietContext()
let folder: string
/** Characters that mean something to a shell or to PostgreSQL's configuration. */
let state: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'obs-embedded-'))
  state = join(folder, `it's "$HOME", ünï & co`, '.obs')
  await mkdir(state, { recursive: true })
  if (process.getuid?.() === 0) await promisify(execFile)('chmod', ['711', folder])
})

afterAll(async () => {
  await stopServer(state)
  await rm(folder, { recursive: true, force: true })
})

describe('the first start', () => {
  it('makes one server with one password, however many ask for it at once', async () => {
    expect(await serverStatus(state)).toMatchObject({ state: 'absent', pid: null })
    const layout = await readLayout(state)
    await mkdir(`${layout.home}.partial-4194304-killed`)
    const addresses = await Promise.all([1, 2, 3].map(() => startServer(state, context)))
    expect(new Set(addresses.map(({ port, password }) => `${port} ${password?.reveal()}`)).size).toBe(1)
    expect(await readdir(state)).toEqual(['.gitignore', 'server'])
    for (const address of addresses) expect(await ask(address, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }])
  })
})

describe('the server', () => {
  let address: ServerAddress

  beforeEach(async () => {
    address = await startServer(state, context)
  })

  it('says where it is without being started', async () => {
    const status = await serverStatus(state)
    expect(status).toMatchObject({ state: 'running', port: address.port, version: '18' })
    expect(await ask(address, (sql) => sql`select current_setting('data_directory') as folder`)).toEqual([
      { folder: status.dataDirectory },
    ])
    expect(await runningServer(state)).toEqual(address)
  })

  it('is safe for data and fit for bulk loads', async () => {
    const rows = await ask<{ name: string; setting: string }>(
      address,
      (sql) => sql`select name, setting from pg_settings where name = any(${Object.keys(wanted)})`,
    )
    expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual(wanted)
  })

  const wanted = {
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    data_checksums: 'on',
    server_encoding: 'UTF8',
    wal_level: 'minimal',
    listen_addresses: '127.0.0.1',
    unix_socket_permissions: '0700',
    TimeZone: 'UTC',
    jit: 'off',
  }

  it('works in the database obs as the superuser obs, in C.UTF-8', async () => {
    const rows = await ask(
      address,
      (sql) => sql`
        select current_database() as name, datlocale as locale, rolsuper as superuser
        from pg_database, pg_roles where datname = current_database() and rolname = current_user`,
    )
    expect(rows).toEqual([{ name: 'obs', locale: 'C.UTF-8', superuser: true }])
  })

  it('wants the password on both of its doors', async () => {
    const { socket } = await serverStatus(state)
    const viaSocket = { ...address, host: socket ?? '' }
    expect(await ask(viaSocket, (sql) => sql`select inet_client_addr() as from`)).toEqual([{ from: null }])
    const { password: _, ...stranger } = viaSocket
    await expect(ask(stranger, (sql) => sql`select 1`)).rejects.toMatchObject({ code: 'authentication_failed' })
    expect(await ask(address, (sql) => sql`select distinct auth_method from pg_hba_file_rules`)).toEqual([
      { auth_method: 'scram-sha-256' },
    ])
  })

  it('keeps its password in one file, for its owner alone, and out of every argument list', async () => {
    const layout = await readLayout(state)
    const password = address.password?.reveal() ?? ''
    expect((await stat(layout.password)).mode & 0o777).toBe(0o600)
    expect((await stat(layout.data)).mode & 0o077).toBe(0)
    expect((await stat(layout.socket)).mode & 0o777).toBe(0o700)
    const { stdout } = await promisify(execFile)('grep', ['-rlF', password, layout.state])
    expect(stdout.trim().split('\n')).toEqual([layout.password])
    const { stdout: processes } = await promisify(execFile)('ps', ['-eo', 'args'])
    expect(processes).not.toContain(password)
  })

  it('keeps its port over a restart, unless somebody took it', async () => {
    await stopServer(state)
    expect((await startServer(state, context)).port).toBe(address.port)
    await stopServer(state)
    const squatter = await listenOn(address.port)
    const elsewhere = await startServer(state, context)
    expect(elsewhere.port).not.toBe(address.port)
    squatter.close()
    expect(await ask(elsewhere, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }])
  })

  it('tries another port when one is taken at the last moment', async () => {
    await stopServer(state)
    const squatter = await listenOn(0)
    const taken = portOf(squatter)
    const offered: number[] = []
    await launch(await prepareHost(state, context), context, async () => {
      const free = await listenOn(0)
      const port = offered.length === 0 ? taken : portOf(free)
      free.close()
      offered.push(port)
      return port
    })
    expect(offered[0]).toBe(taken)
    expect(await serverStatus(state)).toMatchObject({ state: 'running', port: offered[1] })
  })

  it('stops cleanly, once, and leaves nothing to recover', async () => {
    await ask(address, (sql) => sql`create table if not exists kept (id int)`)
    await ask(address, (sql) => sql`insert into kept values (1)`)
    const asleep = ask(address, (sql) => sql`select pg_sleep(60)`)
    const gone = expect(asleep).rejects.toMatchObject({ code: 'connection_lost' })
    while ((await otherSessions(address, context)).length === 0) await new Promise((next) => setTimeout(next, 10))
    await expect(stopServer(state)).resolves.toBe(true)
    await gone
    await expect(stopServer(state)).resolves.toBe(false)
    expect(await serverStatus(state)).toMatchObject({ state: 'stopped', pid: null, port: null })
    await truncate((await readLayout(state)).log)
    const again = await startServer(state, context)
    expect(await ask(again, (sql) => sql`select * from kept`)).toEqual([{ id: 1 }])
    expect(await readFile((await readLayout(state)).log, 'utf8')).not.toMatch(/not properly shut down/)
  })

  it('comes back after it was killed, with everything that was committed', async () => {
    await ask(address, (sql) => sql`create table survivors as select 1 as id`)
    await kill()
    expect(await serverStatus(state)).toMatchObject({ state: 'stopped' })
    const again = await startServer(state, context)
    expect(await ask(again, (sql) => sql`select * from survivors`)).toEqual([{ id: 1 }])
  })

  it('is not mistaken for the process that has its number by now', async () => {
    const { user, layout } = await prepareHost(state, context)
    const pidFile = join(layout.data, 'postmaster.pid')
    const content = await readFile(pidFile, 'utf8')
    await stopServer(state)
    const stranger = spawn('sleep', ['60'], { ...credentials(user), cwd: '/' })
    onTestFinished(() => void stranger.kill('SIGKILL'))
    await started(stranger)
    await writeFile(pidFile, content.replace(/^\d+/, String(stranger.pid)))
    expect(await serverStatus(state)).toMatchObject({ state: 'stopped' })
    await expect(stopServer(state)).resolves.toBe(false)
    const [again, beside] = await Promise.all([startServer(state, context), startServer(state, context)])
    expect(beside.port).toBe(again.port)
    expect(await ask(again, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }])
    expect(stranger.exitCode).toBeNull()
  })

  it('makes the database again that somebody dropped', async () => {
    await ask({ ...address, database: 'postgres' }, (sql) => sql`drop database obs with (force)`)
    await stopServer(state)
    expect(await ask(await startServer(state, context), (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }])
  })

  it('sets a log aside that has grown beyond 10 MB', async () => {
    const { log } = await readLayout(state)
    await stopServer(state)
    await appendFile(log, Buffer.alloc(10 * 1024 * 1024 + 1, '.'))
    await startServer(state, context)
    expect((await stat(log)).size).toBeLessThan(10_000)
    expect((await stat(`${log}.1`)).size).toBeGreaterThan(10 * 1024 * 1024)
  })

  it('shows the end of its log when it does not start', async () => {
    const { data } = await readLayout(state)
    await stopServer(state)
    const overrides = join(data, 'postgresql.auto.conf')
    const before = await readFile(overrides, 'utf8')
    await writeFile(overrides, "shared_buffers = 'plenty'\n")
    await expect(startServer(state, context)).rejects.toMatchObject({
      code: 'server_start_failed',
      message: expect.stringMatching(/invalid value for parameter "shared_buffers": "plenty"/),
      hint: expect.stringContaining('server.log'),
    })
    await writeFile(overrides, before)
    await expect(startServer(state, context)).resolves.toMatchObject({ database: 'obs' })
  })

  it('leaves data of another major version alone', async () => {
    const { data } = await readLayout(state)
    await stopServer(state)
    await writeFile(join(data, 'PG_VERSION'), '17\n')
    await expect(startServer(state, context)).rejects.toMatchObject({
      code: 'data_version_mismatch',
      message: expect.stringMatching(/data is of PostgreSQL 17, and obs comes with PostgreSQL 18/),
    })
    expect(existsSync(join(data, 'postmaster.pid'))).toBe(false)
    await writeFile(join(data, 'PG_VERSION'), '18\n')
  })

  it('is not started for a run that is interrupted already', async () => {
    await stopServer(state)
    await expect(startServer(state, quietContext(AbortSignal.abort()))).rejects.toBeInstanceOf(InterruptedError)
    expect(await serverStatus(state)).toMatchObject({ state: 'stopped' })
  })

  it('is deleted by a reset, and a new one takes its place', async () => {
    await expect(resetServer(state, context)).resolves.toEqual({ existed: true, stopped: true })
    expect(await readdir(state)).toEqual(['.gitignore'])
    await expect(resetServer(state, context)).resolves.toEqual({ existed: false, stopped: false })
    const fresh = await startServer(state, context)
    expect(fresh.password?.reveal()).not.toBe(address.password?.reveal())
    expect(await ask(fresh, (sql) => sql`select relname from pg_class where relname = 'kept'`)).toEqual([])
  })
})

function ask<Row extends object = Record<string, unknown>>(
  address: ServerAddress,
  question: (sql: Sql) => PromiseLike<unknown>,
): Promise<Row[]> {
  const options = { connections: 1 }
  return withDatabase(address, context, async ({ sql }) => [...((await question(sql)) as Row[])], options)
}

/** Kills the server and waits until its pid file names nobody. */
async function kill(): Promise<void> {
  const { pid } = await serverStatus(state)
  if (pid !== null) process.kill(pid, 'SIGKILL')
  while ((await serverStatus(state)).state === 'running') await new Promise((next) => setTimeout(next, 10))
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
}

async function listenOn(port: number): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  onTestFinished(() => void server.close())
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
