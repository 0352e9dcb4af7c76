import type { ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readCatalog } from '../../src/database/catalog.js'
import { type Sql, withSession } from '../../src/database/connect.js'
import { type CliResult, obs } from '../support/cli.js'
import { openTestDatabase, type TestDatabase } from '../support/database.js'

let cwd: string
/** One database with migrations to go, one that is up to date. */
const databases = new Map<string, TestDatabase & { close(): Promise<void> }>()

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'obs-interrupt-'))
  for (const version of ['8', '10']) {
    const database = await openTestDatabase()
    databases.set(version, database)
    const env = { DATABASE_URL: database.url }
    expect(await obs(['migrate', 'up', '--to', version], { cwd, env })).toMatchObject({ code: 0 })
    await database.sql`
      insert into workspaces (id, workspace_id, workspace_code, workspace_name, created_at, updated_at)
      values (${workspace}, ${workspace}, 'kept', 'Kept', now(), now())`
  }
})

afterAll(async () => {
  for (const database of databases.values()) await database.close()
  await rm(cwd, { recursive: true, force: true })
})

const workspace = '8f14e45f-ceea-4e7a-9b1c-0242ac120001'

it.each([
  ['8', ['migrate', 'up', '--backup', 'none']],
  ['8', ['migrate', 'down', '--to', '6', '--backup', 'none', '--yes']],
  ['10', ['backup', 'create']],
  ['10', ['seed', '--days', '1']],
  ['10', ['validate']],
  ['10', ['query', 'home-kpis']],
])('at version %s, Ctrl-C during obs %j exits with 130 and leaves no session and no change', async (version, args) => {
  const database = databases.get(version)
  if (!database) throw new Error(`no database at version ${version}`)
  const before = await state(database)
  const result = await withEveryTableLocked(database.sql, () => interruptWhenWaiting(database, args))
  expect(result).toMatchObject({ code: 130, stdout: '' })
  expect(result.stderr).toContain('interrupted')
  expect(await sessionsOfObs(database)).toBe(0)
  expect(await state(database)).toEqual(before)
})

async function interruptWhenWaiting({ sql, url }: TestDatabase, args: readonly string[]): Promise<CliResult> {
  const over = new AbortController()
  let interrupting: Promise<void> = Promise.resolve()
  const started = (child: ChildProcess) => {
    interrupting = whenWaiting(sql, over.signal).then(() => void child.kill('SIGINT'))
  }
  const result = await obs(args, { cwd, env: { DATABASE_URL: url }, started })
  over.abort()
  await interrupting
  return result
}

/** Everything a command could have changed: the catalog, the rows, the files. */
async function state(database: TestDatabase): Promise<object> {
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

/** Resolves once a session of obs waits for a lock, or the run is over without ever having waited. */
async function whenWaiting(sql: Sql, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const [row] = await sql<{ waiting: boolean }[]>`
      select exists (
        select from pg_stat_activity
        where datname = current_database() and application_name like 'obs %' and wait_event_type = 'Lock'
      ) as waiting`
    if (row?.waiting) return
    await sleep(50)
  }
}

async function sessionsOfObs(database: TestDatabase): Promise<number> {
  const [row] = await database.sql<{ sessions: number }[]>`
    select count(*)::int as sessions from pg_stat_activity
    where datname = current_database() and application_name like 'obs %' and pid <> pg_backend_pid()
      and application_name <> current_setting('application_name')`
  return row?.sessions ?? 0
}
