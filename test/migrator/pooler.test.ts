import { execFileSync, spawn } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { quietContext } from '../../src/context.js'
import type { ServerAddress } from '../../src/database/address.js'
import { withDatabase } from '../../src/database/connect.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { testPack } from '../support/packs.js'
import { transactionPooler } from '../support/transaction-pooler.js'

const context = quietContext()
const refusal = { code: 'transaction_pooler', exitCode: 2, hint: expect.stringContaining('Name the server itself') }

async function upThrough(address: ServerAddress): Promise<unknown> {
  const pack = await testPack({ '0001_pet.up.sql': 'create table pet (id int);' })
  return withDatabase(address, context, (database) => migrateUp(database, pack, {}, context))
}

async function relations({ sql }: TestDatabase): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) as count from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where nspname in ('public', 'obs')`
  return row?.count ?? -1
}

it.each(['last used', 'in turn'] as const)(
  'refuses a pooler in transaction mode that gives out the connection %s',
  async (choice) => {
    const db = await testDatabase()
    await expect(upThrough(await transactionPooler(db.address, choice))).rejects.toMatchObject(refusal)
    expect(await relations(db)).toBe(0)
  },
)

it('takes no proxy for a pooler that leaves every session its backend', async () => {
  const db = await testDatabase()
  await expect(upThrough(db.address)).resolves.toMatchObject({ applied: [{ version: 1 }] })
})

it('refuses pgbouncer in transaction mode, and takes it in session mode', async ({ skip }) => {
  const found = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer'].find(runs)
  if (!found) console.log('skipped: there is no pgbouncer on this machine')
  skip(!found, 'there is no pgbouncer on this machine')
  const db = await testDatabase()
  const bouncer = (mode: string) => pgbouncer(found ?? '', db.address, mode)
  await expect(upThrough(await bouncer('transaction'))).rejects.toMatchObject(refusal)
  expect(await relations(db)).toBe(0)
  await expect(upThrough(await bouncer('session'))).resolves.toMatchObject({ applied: [{ version: 1 }] })
})

function runs(path: string): boolean {
  try {
    execFileSync(path, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

let nextPort = 20_000 + (process.pid % 20_000)

async function pgbouncer(path: string, address: ServerAddress, mode: string): Promise<ServerAddress> {
  const folder = await mkdtemp(join(tmpdir(), 'obs-bouncer-'))
  const port = nextPort++
  const password = address.password?.reveal() ?? ''
  await writeFile(join(folder, 'users'), `"${address.user}" "${password}"\n`)
  await writeFile(
    join(folder, 'ini'),
    `[databases]
* = host=${address.host} port=${address.port} user=${address.user} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
auth_type = any
auth_file = ${folder}/users
pool_mode = ${mode}
unix_socket_dir =
ignore_startup_parameters = extra_float_digits
`,
  )
  await chmod(folder, 0o755)
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn(path, [...user, join(folder, 'ini')], { stdio: 'ignore' })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  const through = { ...address, host: '127.0.0.1', port, sslMode: 'disable', source: 'pgbouncer' } as const
  await vi.waitFor(() => listening(port), { timeout: 10_000, interval: 50 })
  return through
}

function listening(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}
