import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { quietContext } from '../../src/context.js'
import { connectionUrl, type ServerAddress, withDatabaseName } from '../../src/database/address.js'
import { type Database, type Sql, withDatabase, withSession } from '../../src/database/connect.js'
import { resetServer, startServer } from '../../src/database/embedded/server.js'
import { quoteIdentifier } from '../../src/database/quote.js'
import { inDatabase } from '../support/backups.js'
import { obs } from '../support/cli.js'

// Each test starts obs several times.
vi.setConfig({ testTimeout: 180_000 })

let cwd: string
/** A server of its own: half-restored databases are told by their names, and other tests make such too. */
let server: ServerAddress

/** A backup of 1,000 pets, and a template of the same database when it has lost most of them. */
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'obs-replace-kill-'))
  server = await startServer(cwd, quietContext())
  await onServer((sql) => sql.unsafe('create database pets'))
  await withDatabase(withDatabaseName(server, 'pets'), quietContext(), async (database) => {
    await database.sql.unsafe('create table pet (id int primary key); insert into pet select generate_series(1, 1000)')
    await createBackup(database, { directory: join(cwd, 'backups'), engine: 'built-in' }, quietContext())
    await database.sql.unsafe('delete from pet where id > 10')
  })
})
afterAll(async () => {
  await resetServer(cwd, quietContext())
  await rm(cwd, { recursive: true, force: true })
})

let live: { readonly address: ServerAddress; readonly url: string }

beforeEach(async () => {
  const address = withDatabaseName(server, 'live')
  live = { address, url: connectionUrl(address) }
  await onServer((sql) => sql.unsafe('create database live template pets'))
  onTestFinished(dropAll)
})

function onServer<T>(work: (sql: Database['sql']) => Promise<T>): Promise<T> {
  return withDatabase(withDatabaseName(server, 'postgres'), quietContext(), ({ sql }) => work(sql), { connections: 1 })
}

const run = (args: readonly string[], started?: (child: ChildProcess) => void) =>
  obs(args, { cwd, env: { DATABASE_URL: live.url }, ...(started ? { started } : {}) })

const replace = (started?: (child: ChildProcess) => void) =>
  run(['backup', 'restore', 'latest', '--replace', '--yes', '--json'], started)

/** The names of the databases that belong to this test. */
async function databases(): Promise<readonly string[]> {
  const rows = await onServer(
    (sql) => sql<{ name: string }[]>`
      select datname as name from pg_database
      where datname ~ '^obs_restore_' or starts_with(datname, ${live.address.database}) order by 1`,
  )
  return rows.map(({ name }) => name)
}

async function dropAll(): Promise<void> {
  for (const name of await databases()) {
    await onServer((sql) => sql.unsafe(`drop database if exists ${quoteIdentifier(name)} with (force)`))
  }
}

function petsIn(database: string): Promise<number> {
  return inDatabase(withDatabaseName(live.address, database), async ({ sql }) => {
    const [row] = await sql<{ pets: number }[]>`select count(*) as pets from pet`
    return row?.pets ?? 0
  })
}

/** Kills obs, as the kernel would, once it has said `step`. */
function killAt(step: string) {
  return (child: ChildProcess) => {
    let heard = ''
    child.stderr?.on('data', (text: string) => {
      heard += text
      if (heard.includes(step)) child.kill('SIGKILL')
    })
  }
}

/** Holds a lock that lets `rename` wait, and kills obs when it does. */
async function killWhileRenaming(name: () => Promise<string>): Promise<void> {
  await onServer((sql) =>
    withSession(sql, async (session) => {
      const killed = replace((child) => {
        void (async () => {
          const database = await name()
          await session`begin`
          await session.unsafe(`comment on database ${quoteIdentifier(database)} is 'in the way'`)
          await whenWaiting(sql, database)
          child.kill('SIGKILL')
        })()
      })
      expect((await killed).code).toBe(null)
      await session`rollback`
    }),
  )
}

async function whenWaiting(sql: Sql, database: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const rows = await sql`
        select from pg_stat_activity
        where wait_event_type = 'Lock' and query like ${`alter database ${quoteIdentifier(database)} rename%`}`
      expect(rows).toHaveLength(1)
    },
    { timeout: 30_000, interval: 10 },
  )
}

async function unfinished(): Promise<string> {
  return vi.waitFor(
    async () => {
      const found = (await databases()).find((name) => name.startsWith('obs_restore_'))
      expect(found).toBeDefined()
      return found ?? ''
    },
    { timeout: 30_000, interval: 10 },
  )
}

/** The database is as it was, and the next restore removes what was left and does its work. */
async function expectUntouchedAndRecoverable(): Promise<void> {
  const { database } = live.address
  expect(await petsIn(database)).toBe(10)
  expect((await databases()).filter((name) => name.includes('_replaced_'))).toEqual([])
  const again = await replace()
  expect(again, again.stderr).toMatchObject({ code: 0 })
  const { kept } = JSON.parse(again.stdout)
  expect(await databases()).toEqual([database, kept])
  expect([await petsIn(database), await petsIn(kept)]).toEqual([1000, 10])
}

it.each(['restoring definitions', 'restoring rows', 'restoring indexes', 'checking what was restored'])(
  'leaves the database as it was when it is killed at: %s',
  async (step) => {
    expect((await replace(killAt(step))).code).toBe(null)
    await expectUntouchedAndRecoverable()
  },
)

it('leaves the database as it was when it is killed before the first rename', async () => {
  await killWhileRenaming(async () => live.address.database)
  await expectUntouchedAndRecoverable()
})

it('leaves the database as it was when it is killed between the two renames', async () => {
  await killWhileRenaming(unfinished)
  await expectUntouchedAndRecoverable()
})

it('is whole either way when it is killed at any moment of the swap', async () => {
  const { database } = live.address
  for (const delay of [0, 5, 15]) {
    const before = await petsIn(database)
    const killed = await replace((child) => {
      child.stderr?.on('data', (text: string) => {
        if (text.includes('giving the restored database')) setTimeout(() => child.kill('SIGKILL'), delay)
      })
    })
    const after = await petsIn(database)
    const kept = (await databases()).filter((name) => name.includes('_replaced_'))
    expect([null, 0]).toContain(killed.code)
    if (kept.length === 0) expect(after).toBe(before)
    else expect([after, await petsIn(kept[0] ?? '')]).toEqual([1000, before])
    await dropAll()
    await onServer((sql) => sql.unsafe('create database live template pets'))
  }
})
