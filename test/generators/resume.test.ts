import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { type Sql, withDatabase, withSession } from '../../src/database/connect.js'
import { listRuns } from '../../src/generators/list-runs.js'
import { observability } from '../../src/generators/observability/pack.js'
import { removeRun } from '../../src/generators/remove-run.js'
import type { SeedOptions } from '../../src/generators/seed.js'
import type { TestDatabase } from '../support/database.js'
import { addTraces, addWorkspace } from '../support/observability.js'
import {
  contents,
  count,
  differences,
  rawRollup,
  resumeSmall,
  rollup,
  seedSmall,
  small,
  templates,
  workspace,
} from './seeding.js'

let databases: Awaited<ReturnType<typeof templates>>
let database: TestDatabase
let sql: Sql
let known: ReturnType<typeof contents> | undefined

beforeAll(async () => {
  databases = await templates()
})
afterAll(() => databases.drop())

beforeEach(async () => {
  database = await databases.migrated()
  sql = database.sql
})

/** What a run holds that nothing disturbed. */
async function undisturbed() {
  known ??= contents((await databases.seeded()).sql)
  return known
}

/** Runs up to the transaction that makes the run visible; the server cuts the connection in the middle of that. */
async function breakOff(options: Partial<SeedOptions> = {}): Promise<string> {
  await sql.unsafe(`
    create function cut() returns trigger language plpgsql as $$
      begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
    create trigger cut before insert on evaluations execute function cut()`)
  const run = withDatabase(database.address, quietContext(), (own) => seedSmall(own, { ...small, ...options }))
  await expect(run).rejects.toMatchObject({
    code: 'connection_lost',
    exitCode: 3,
    hint: expect.stringContaining('--resume'),
  })
  await sql`drop function cut() cascade`
  const [unfinished] = await withSession(sql, listRuns)
  expect(unfinished).toMatchObject({ state: 'unfinished' })
  return unfinished?.run_id ?? ''
}

function remove(run: string) {
  return removeRun(database, { generators: observability, schema: 'public', run }, quietContext())
}

describe('a run that lost its connections', () => {
  it('shows nothing, and ends as an undisturbed one when it is resumed', async () => {
    const before = await contents(sql)
    await breakOff()
    expect(await contents(sql)).toEqual(before)
    const result = await resumeSmall(database)
    expect(result).toMatchObject({ resumed: true, proof: { verified: true } })
    expect(await contents(sql)).toEqual(await undisturbed())
    expect(await count(sql, `pg_namespace where nspname like 'obs\\_seed\\_%'`)).toBe(0)
  })

  it('is refused when an option says something else than it was begun with', async () => {
    const run = await breakOff()
    await expect(resumeSmall(database, { seed: 7, days: 3 })).rejects.toMatchObject({
      code: 'other_options',
      run,
      differences: ['--days was 14 and is 3 now', '--seed was 42 and is 7 now'],
    })
  })

  it('is refused when a table was altered in between, and can be taken away', async () => {
    const before = await contents(sql)
    const run = await breakOff()
    await sql`alter table traces add column note text`
    await expect(resumeSmall(database)).rejects.toMatchObject({ code: 'table_altered', run, tables: ['traces'] })
    await sql`alter table traces drop column note`
    expect(await remove(run)).toEqual({ run_id: run, state: 'unfinished', removed: {} })
    expect(await contents(sql)).toEqual(before)
    expect(await withSession(sql, listRuns)).toEqual([])
    await expect(resumeSmall(database)).rejects.toMatchObject({ code: 'nothing_to_resume' })
  })

  it('keeps what is not its own in its schema', async () => {
    const run = await breakOff()
    await sql.unsafe(`create table obs_seed_${run}.mine as select 1 as n`)
    await expect(remove(run)).rejects.toMatchObject({ code: 'staging_not_ours', details: { tables: ['mine'] } })
    expect(await count(sql, `obs_seed_${run}.mine`)).toBe(1)
  })

  it('leaves room for the rows that were written in the meantime', async () => {
    await addWorkspace(sql, workspace, 'demo')
    await breakOff({ workspace })
    await addTraces(sql, [{ timestamp: '2026-10-28T09:00:00Z' }, { timestamp: '2026-11-03T10:00:00Z' }], 'own')
    await sql`create table own as select * from traces`
    const { tables } = await resumeSmall(database)
    expect(await differences(sql, 'select * from own', `select * from traces where trace_id like 'own%'`)).toBe(0)
    expect(await count(sql, 'traces')).toBe(2 + (tables['traces']?.rows ?? 0))
    expect(await count(sql, 'traces_default')).toBe(0)
  })
})

it.each([2, 4])(
  'holds the same with %i workers as with one',
  async (workers) => {
    await seedSmall(database, { ...small, workers })
    expect(await contents(sql)).toEqual(await undisturbed())
  },
  180_000,
)

describe('a run that is taken away', () => {
  it('leaves what was there before it', async () => {
    const before = await contents(sql)
    const { run_id, tables } = await seedSmall(database, small)
    expect(await remove(run_id)).toMatchObject({ state: 'finished', removed: { traces: tables['traces']?.rows } })
    expect(await contents(sql)).toEqual(before)
    await expect(remove(run_id)).rejects.toMatchObject({ code: 'unknown_run' })
  })

  it('leaves the run that was appended to it, whose people it made', async () => {
    const first = await seedSmall(database, small)
    const second = await seedSmall(database, { ...small, seed: 7, mode: 'append' })
    await remove(first.run_id)
    expect(await count(sql, 'traces')).toBe(second.tables['traces']?.rows)
    expect(await count(sql, 'traces t where not exists (select from agents a where a.agent_id = t.agent_id)')).toBe(0)
    expect(await differences(sql, rollup('traces_hourly'), rawRollup('hour'))).toBe(0)
    expect(await withSession(sql, listRuns)).toMatchObject([{ run_id: second.run_id, state: 'finished' }])
  })
})
