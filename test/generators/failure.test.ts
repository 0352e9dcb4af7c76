import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { quietContext, type RunContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import { type Sql, withDatabase, withSession } from '../../src/database/connect.js'
import { type ListedRun, listRuns } from '../../src/generators/list-runs.js'
import { Secret } from '../../src/secret.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { contents, count, resumeSmall, seedSmall, templates } from './seeding.js'

let database: TestDatabase
let sql: Sql

let databases: Awaited<ReturnType<typeof templates>>
beforeAll(async () => {
  databases = await templates()
})
afterAll(() => databases.drop())

beforeEach(async () => {
  database = await databases.migrated()
  sql = database.sql
})

/** Rows, tables, runs and schemas of shards: everything a run could leave behind. */
async function everything(): Promise<object> {
  const schemas = await sql`select nspname from pg_namespace where nspname like 'obs\\_seed\\_%'`
  return { rows: await contents(sql), catalog: await readCatalog(sql, ['public']), schemas, runs: await runs() }
}

function runs(): Promise<readonly ListedRun[]> {
  return withSession(sql, listRuns)
}

describe('a run that does not finish', { timeout: 120_000 }, () => {
  it.each([
    ['after its first rows', 'advance' as const, 'generating and loading traces'],
    ['before its partitions are attached', 'step' as const, 'attaching'],
  ])(
    'shows nothing when it is interrupted %s, and ends as if nothing had happened when it is resumed',
    async (_, event, when) => {
      const undisturbed = await databases.migrated()
      await seedSmall(undisturbed, { scale: 0.1 })
      const before = await contents(sql)
      const stop = new AbortController()
      let step = ''
      const context: RunContext = {
        signal: stop.signal,
        progress: {
          step: (text) => {
            step = text
            if (event === 'step' && step.startsWith(when)) stop.abort()
          },
          advance: (done) => {
            if (event === 'advance' && step.startsWith(when) && done > 0) stop.abort()
          },
          warn: () => undefined,
        },
      }
      const run = withDatabase(database.address, context, (own) => seedSmall(own, { scale: 0.1 }, context))
      await expect(run).rejects.toMatchObject({
        exitCode: 130,
        hint: expect.stringMatching(/--resume.*obs seed remove/),
      })
      await expectSessionsToEnd()
      expect(await contents(sql)).toEqual(before)
      const [unfinished] = await runs()
      expect(unfinished).toMatchObject({ state: 'unfinished' })
      await expect(seedSmall(database)).rejects.toMatchObject({ code: 'unfinished_run', run: unfinished?.run_id })
      await expect(resumeSmall(database, { scale: 0.1 })).resolves.toMatchObject({ resumed: true })
      expect(await contents(sql)).toEqual(await contents(undisturbed.sql))
      expect(await runs()).toMatchObject([{ state: 'finished', run_id: unfinished?.run_id }])
    },
  )

  it('leaves nothing when the server refuses a row of a late month, and says which', async () => {
    await sql`alter table traces add constraint no_november check (timestamp < '2026-11-05')`
    const before = await everything()
    await expect(seedSmall(database)).rejects.toMatchObject({
      code: 'seed_failed',
      exitCode: 1,
      message: expect.stringMatching(/rolled back.*no_november.*COPY traces_y2026m11/),
      details: { sqlstate: '23514', constraint: 'no_november' },
    })
    expect(await everything()).toEqual(before)
  })

  it('leaves nothing when rows vanish on their way in', async () => {
    await sql.unsafe(`
      create function swallow() returns trigger language plpgsql as $$ begin return null; end $$;
      create trigger swallow before insert on evaluations for each row when (new.score > 80) execute function swallow()`)
    const before = await everything()
    await expect(seedSmall(database)).rejects.toMatchObject({ code: 'rows_missing', table: 'evaluations' })
    expect(await everything()).toEqual(before)
  })

  it('keeps the earlier runs when their replacement fails', async () => {
    database = await databases.seeded()
    sql = database.sql
    await sql`alter table evaluations add constraint passing check (score < 0) not valid`
    const before = await everything()
    await expect(seedSmall(database, { seed: 7, mode: 'replace' })).rejects.toMatchObject({ code: 'seed_failed' })
    expect(await everything()).toEqual(before)
  })

  it('keeps the rows when only the refresh of the sums fails, which the next one makes up for', async () => {
    await sql`alter function traces_refresh_rollups() rename to kept`
    await sql.unsafe(`
      create function traces_refresh_rollups() returns bigint language plpgsql as $$ begin raise 'no room'; end $$`)
    await expect(seedSmall(database)).rejects.toMatchObject({
      code: 'refresh_failed',
      message: expect.stringContaining('no room'),
    })
    expect(await count(sql, 'traces')).toBeGreaterThan(1000)
    expect(await count(sql, 'obs.seed_runs')).toBe(1)
    expect(await count(sql, 'traces_hourly')).toBe(0)
    await sql`select kept()`
    const [row] = await sql`select sum(trace_count) - (select count(*) from traces) as missing from traces_hourly`
    expect(Number(row?.['missing'])).toBe(0)
  })
})

describe('a run that is interrupted behind its commit', () => {
  it('says that its rows stay and how their sums are made up for', async () => {
    const stop = new AbortController()
    const { progress } = quietContext()
    const context: RunContext = {
      signal: stop.signal,
      progress: { ...progress, step: (text) => void (text.startsWith('refreshing') && stop.abort()) },
    }
    const run = withDatabase(database.address, context, (own) => seedSmall(own, {}, context))
    await expect(run).rejects.toMatchObject({
      exitCode: 130,
      message: expect.stringContaining('is loaded'),
      hint: expect.stringContaining('traces_refresh_rollups()'),
      details: { refresh: 'traces_refresh_rollups' },
    })
    await expectSessionsToEnd()
    expect(await count(sql, 'traces')).toBeGreaterThan(1000)
    await expect(seedSmall(database)).rejects.toMatchObject({ code: 'already_seeded' })
  })
})

describe('a run that cannot begin', () => {
  it('is refused with exit code 4 while another is under way', async () => {
    const first = seedSmall(database)
    const second = await withDatabase(database.address, quietContext(), async (own) => {
      await waitFor(async () => (await count(sql, `pg_locks where locktype = 'advisory' and granted`)) > 0)
      return seedSmall(own).catch((error: unknown) => error)
    })
    expect(second).toMatchObject({ code: 'seed_running', exitCode: 4 })
    const { tables } = await first
    expect(await count(sql, 'traces')).toBe(tables['traces']?.rows)
  })

  it('is refused with exit code 1 in a database that is not migrated far enough, and names the command', async () => {
    const empty = await testDatabase()
    await expect(seedSmall(empty)).rejects.toMatchObject({
      code: 'schema_not_ready',
      exitCode: 1,
      hint: expect.stringContaining('obs migrate up'),
    })
    await sql`alter table evaluations drop column score`
    await expect(seedSmall(database)).rejects.toMatchObject({ missing: ['evaluations.score'] })
    expect(await count(sql, 'traces')).toBe(0)
  })

  it('names every option that cannot be used', async () => {
    const run = seedSmall(database, { days: 0, seed: -1, scale: 0, workspace: 'mine' })
    await expect(run).rejects.toMatchObject({
      code: 'invalid_seed_options',
      exitCode: 2,
      details: { problems: { length: 4 } },
    })
    await expect(seedSmall(database, { profile: 'dmo' })).rejects.toMatchObject({
      code: 'unknown_profile',
      message: expect.stringContaining('did you mean "demo"?'),
    })
  })

  it('does not wait for ever for a table that somebody holds', async () => {
    await withSession(sql, async (session) => {
      await session.unsafe('begin; lock table evaluations in access exclusive mode')
      const run = seedSmall(database, { lockTimeout: 200 })
      await expect(run).rejects.toMatchObject({ code: 'lock_timeout', exitCode: 4 })
      await session.unsafe('rollback')
    })
    expect(await count(sql, 'traces')).toBe(0)
  })
})

describe('a role that may not write', () => {
  it('is told so, and nothing is changed', async () => {
    const role = `reader_${database.address.database}`
    await sql.unsafe(`create role ${role}; grant select on all tables in schema public to ${role}`)
    const before = await everything()
    try {
      const run = withDatabase(database.address, quietContext(), async (own) => {
        await own.sql.unsafe(`alter role ${role} login password 'reader'`)
        return withDatabase({ ...own.address, user: role, password: new Secret('reader') }, quietContext(), (weak) =>
          seedSmall(weak),
        )
      })
      await expect(run).rejects.toMatchObject({ code: 'permission_denied' })
      expect(await everything()).toEqual(before)
    } finally {
      await sql.unsafe(`drop owned by ${role}; drop role ${role}`)
    }
  })
})

async function expectSessionsToEnd(): Promise<void> {
  const busy = () =>
    count(sql, `pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`)
  await waitFor(async () => (await busy()) === 0)
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20))
}
