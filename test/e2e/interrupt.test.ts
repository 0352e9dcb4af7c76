import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readCatalog } from '../../src/database/catalog.js'
import { type Sql, withSession } from '../../src/database/connect.js'
import { obs } from '../support/cli.js'
import { openTestDatabase, type TestDatabase } from '../support/database.js'

let cwd: string
let database: TestDatabase & { close(): Promise<void> }

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'obs-interrupt-'))
  database = await openTestDatabase()
  const env = { DATABASE_URL: database.url }
  expect(await obs(['migrate', 'up', '--to', '8'], { cwd, env })).toMatchObject({ code: 0 })
  await database.sql`
    insert into workspaces (id, workspace_id, workspace_code, workspace_name, created_at, updated_at)
    values (${workspace}, ${workspace}, 'kept', 'Kept', now(), now())`
})

afterAll(async () => {
  await database.close()
  await rm(cwd, { recursive: true, force: true })
})

const workspace = '8f14e45f-ceea-4e7a-9b1c-0242ac120001'

it.each([
  [['migrate', 'up', '--backup', 'none']],
  [['migrate', 'down', '--to', '6', '--backup', 'none', '--yes']],
  [['backup', 'create']],
  [['seed', '--days', '1']],
  [['validate']],
  [['query', 'home-kpis']],
])('Ctrl-C during obs %j exits with 130, and leaves no session and no change', async (args) => {
  const before = await state()
  const result = await withEveryTableLocked(database.sql, async () => {
    return obs(args, {
      cwd,
      env: { DATABASE_URL: database.url },
      started: (child) => void whenWaiting(database.sql).then(() => child.kill('SIGINT')),
    })
  })
  expect(result).toMatchObject({ code: 130, stdout: '' })
  expect(result.stderr).toContain('interrupted')
  expect(await sessionsOfObs()).toBe(0)
  expect(await state()).toEqual(before)
})

/** Everything a command could have changed: the catalog, the rows, the files. */
async function state(): Promise<object> {
  const [history] =
    await database.sql`select count(*) from obs.migration_history where state in ('applied', 'reverted')`
  const [traces] = await database.sql`select count(*) from traces`
  const files = await readdir(cwd, { recursive: true })
  const backups = files.filter((file) => /^backups\/[^/]+$/.test(file))
  return { catalog: await readCatalog(database.sql, ['public']), history, traces, backups }
}

/** Holds a lock that every reader and writer of the pack's tables has to wait for. */
function withEveryTableLocked<T>(sql: Sql, work: () => Promise<T>): Promise<T> {
  return withSession(sql, async (session) => {
    await session`begin`
    await session`lock table traces, departments, environments, workspaces, agents, users, traces_hourly, traces_daily`
    try {
      return await work()
    } finally {
      await session`rollback`
    }
  })
}

/** Resolves once a session of obs waits for a lock. */
async function whenWaiting(sql: Sql): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    const [row] = await sql<{ waiting: boolean }[]>`
      select exists (
        select from pg_stat_activity
        where datname = current_database() and application_name like 'obs %' and wait_event_type = 'Lock'
      ) as waiting`
    if (row?.waiting) return
    await sleep(50)
  }
  throw new Error('no session of obs ever waited for a lock')
}

async function sessionsOfObs(): Promise<number> {
  const [row] = await database.sql<{ sessions: number }[]>`
    select count(*)::int as sessions from pg_stat_activity
    where datname = current_database() and application_name like 'obs %' and pid <> pg_backend_pid()
      and application_name <> current_setting('application_name')`
  return row?.sessions ?? 0
}
