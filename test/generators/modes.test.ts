import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import type { Sql } from '../../src/database/connect.js'
import type { TestDatabase } from '../support/database.js'
import { addTraces, addWorkspace, otherWorkspace } from '../support/observability.js'
import { contents, count, differences, rawRollup, rollup, seedSmall, small, templates, workspace } from './seeding.js'

let databases: Awaited<ReturnType<typeof templates>>
let database: TestDatabase
let sql: Sql

beforeAll(async () => {
  databases = await templates()
})
afterAll(() => databases.drop())

async function use(chosen: Promise<TestDatabase>): Promise<void> {
  database = await chosen
  sql = database.sql
}

describe('a workspace that was seeded', () => {
  beforeEach(() => use(databases.seeded()))

  const firstRun = async () => {
    const [run] = await sql<{ run_id: string; traces: number }[]>`
      select run_id, (rows->>'traces')::int as traces from obs.seed_runs`
    if (!run) throw new Error('the template has no run')
    return run
  }

  it('is refused a second run that says neither --append nor --replace', async () => {
    const before = await contents(sql)
    await expect(seedSmall(database, { ...small, seed: 7 })).rejects.toMatchObject({
      code: 'already_seeded',
      exitCode: 1,
      hint: expect.stringMatching(/--append.*--replace/),
    })
    expect(await contents(sql)).toEqual(before)
  })

  it('keeps its rows and gets others when a run is appended', async () => {
    const first = await firstRun()
    await sql`create table before as select * from traces`
    const second = await seedSmall(database, { ...small, mode: 'append' })
    expect(second.run_id).not.toBe(first.run_id)
    expect(await count(sql, 'before b where exists (select from traces t where t.* is not distinct from b.*)')).toBe(
      first.traces,
    )
    expect(await count(sql, 'traces')).toBe(first.traces + (second.tables['traces']?.rows ?? 0))
    expect(await count(sql, '(select trace_id from traces group by 1 having count(*) > 1) d')).toBe(0)
    expect(second.tables).toMatchObject({
      agents: { inserted: 0 },
      users: { inserted: 0 },
      departments: { inserted: 0 },
    })
    expect(await sql`select run_id, ordinal from obs.seed_runs order by ordinal`).toEqual([
      { run_id: first.run_id, ordinal: 0 },
      { run_id: second.run_id, ordinal: 1 },
    ])
    await expectRollupsToMatch()
  })

  it('goes on with its own users and agents when a run with another seed is appended', async () => {
    const fleet = await count(sql, 'agents')
    const { run_id } = await seedSmall(database, { ...small, seed: 7, scale: 0.05, mode: 'append' })
    const strangers = await sql`
      select t.trace_id
      from traces t
      left join users u on u.user_id = t.user_id and u.department_id = t.department_id and u.user_segment = t.user_segment
      left join agents a on a.agent_id = t.agent_id
      where t.metadata->>'obs_run' = ${run_id} and (t.timestamp > u.signed_up_at and a.id is not null) is not true`
    expect(strangers).toEqual([])
    expect(await count(sql, 'agents')).toBe(fleet)
  })

  it('holds the same after --replace as if it had been seeded that way at once, ids apart', async () => {
    const fresh = await databases.seeded()
    await use(databases.migrated())
    await seedSmall(database, { ...small, seed: 7, days: 40 })
    const result = await seedSmall(database, { ...small, mode: 'replace' })
    const withoutIds = "md5(string_agg(md5((to_jsonb(t) - 'id')::text), '' order by trace_id)) as hash from traces t"
    expect(await sql.unsafe(`select ${withoutIds}`)).toEqual(await fresh.sql.unsafe(`select ${withoutIds}`))
    const [{ traces: _, ...replaced }, { traces: __, ...seeded }] = [await contents(sql), await contents(fresh.sql)]
    expect(replaced).toEqual(seeded)
    expect(result.replaced['traces']).toBeGreaterThan(result.tables['traces']?.rows ?? 0)
    expect(await count(sql, 'obs.seed_runs')).toBe(1)
    await expectRollupsToMatch()
  })

  it('can be replaced by the very same run, and again', async () => {
    const first = await firstRun()
    for (let i = 0; i < 2; i++) {
      const again = await seedSmall(database, { ...small, mode: 'replace' })
      expect(again.run_id).toBe(first.run_id)
      expect(again.replaced['traces']).toBe(first.traces)
    }
    expect(await count(sql, 'traces')).toBe(first.traces)
    const partitions = await sql<{ name: string }[]>`
      select inhrelid::regclass::text as name from pg_inherits where inhparent = 'traces'::regclass order by 1`
    expect(partitions.map(({ name }) => name)).toEqual(['traces_default', 'traces_y2026m10', 'traces_y2026m11'])
    const strangers = await sql`
      select indexrelid::regclass from pg_index join pg_inherits on inhrelid = indrelid
      where inhparent = 'traces'::regclass and indexrelid::regclass::text !~ ('^' || indrelid::regclass || '_[a-z]')
         or indexrelid::regclass::text ~ '_new'`
    expect(strangers).toEqual([])
    await expectRollupsToMatch()
  })
})

describe('rows that obs did not make', () => {
  const others = ['2026-10-28T09:00:00Z', '2026-11-03T10:00:00Z', '2026-11-03T10:00:00.000001Z', '2019-05-05T05:05:05Z']

  beforeEach(async () => {
    await use(databases.migrated())
    await addWorkspace(sql, workspace, 'demo')
    await addWorkspace(sql, otherWorkspace, 'other')
    await addTraces(
      sql,
      [...others.map((timestamp) => ({ timestamp })), { timestamp: others[0] ?? '', workspace: otherWorkspace }],
      'own',
    )
    await sql`create table own as select * from traces`
  })

  const kept = () => differences(sql, 'select * from own', `select * from traces where trace_id like 'own%'`)

  it('stay as they are when runs are added, replaced and replaced again', async () => {
    await seedSmall(database, { ...small, workspace })
    expect(await kept()).toBe(0)
    await seedSmall(database, { ...small, workspace, mode: 'append' })
    expect(await kept()).toBe(0)
    await addTraces(sql, [{ timestamp: '2026-11-04T00:00:00Z', agent: 'engineering-code-assistant-1' }], 'own-later')
    await sql`insert into own select * from traces where trace_id = 'own-later1'`
    const result = await seedSmall(database, { ...small, workspace, seed: 7, days: 3, mode: 'replace' })
    expect(await kept()).toBe(0)
    expect(await count(sql, 'traces')).toBe(6 + (result.tables['traces']?.rows ?? 0))
    await expectRollupsToMatch()
  })

  it('keep the agents and users that they name', async () => {
    await seedSmall(database, { ...small, workspace })
    const [agent] = await sql<{ agent_id: string }[]>`select agent_id from agents order by agent_id desc limit 1`
    await addTraces(sql, [{ timestamp: '2026-11-04T00:00:00Z', agent: agent?.agent_id ?? '' }], 'own-later')
    for (let attempt = 1; attempt < 5; attempt++) {
      await seedSmall(database, { ...small, days: 1, workspace, seed: attempt, mode: 'replace' })
      expect(await count(sql, `agents where agent_id = '${agent?.agent_id}'`)).toBe(1)
    }
  }, 120_000)

  it('do not make a workspace count as seeded', async () => {
    await expect(seedSmall(database, { ...small, workspace })).resolves.toMatchObject({ replaced: {} })
  })

  it('are not touched when they claim to be synthetic: the run is refused', async () => {
    await seedSmall(database, { ...small, workspace })
    const [run] = await sql<{ run_id: string }[]>`select run_id from obs.seed_runs`
    await sql`update traces set metadata = ${sql.json({ obs_run: run?.run_id ?? '' })} where trace_id = 'own2'`
    await sql`update own set metadata = ${sql.json({ obs_run: run?.run_id ?? '' })} where trace_id = 'own2'`
    const before = await count(sql, 'traces')
    await expect(seedSmall(database, { ...small, workspace, mode: 'replace' })).rejects.toMatchObject({
      code: 'unknown_synthetic_rows',
      run: run?.run_id,
    })
    expect(await count(sql, 'traces')).toBe(before)
    expect(await kept()).toBe(0)
  })

  it('are not touched when their run is unknown', async () => {
    await seedSmall(database, { ...small, workspace })
    await sql`update traces set metadata = '{"obs_run": "restored"}' where trace_id = 'own2'`
    await expect(seedSmall(database, { ...small, workspace, mode: 'replace' })).rejects.toMatchObject({
      code: 'unknown_synthetic_rows',
      details: { run: 'restored', recorded: 0, found: 1 },
    })
  })

  it('leave the default partition for the partition of their month when that is loaded', async () => {
    expect(await count(sql, 'traces_default')).toBe(5)
    await seedSmall(database, { ...small, workspace })
    const rows = await sql<{ part: string; trace_id: string }[]>`
      select tableoid::regclass::text as part, trace_id from traces where trace_id like 'own%' order by 1, 2`
    expect(rows.map(({ part }) => part)).toEqual([
      'traces_default',
      'traces_y2026m10',
      'traces_y2026m10',
      'traces_y2026m11',
      'traces_y2026m11',
    ])
    expect(await kept()).toBe(0)
    await expectRollupsToMatch()
  })
})

describe('a second workspace', () => {
  it('keeps its rows even when they carry the mark of a run of the first', async () => {
    await use(databases.seeded())
    await addWorkspace(sql, otherWorkspace, 'other')
    await addTraces(sql, [{ timestamp: '2026-11-04T00:00:00Z', workspace: otherWorkspace }], 'copied')
    await sql`update traces set metadata = (select jsonb_build_object('obs_run', run_id) from obs.seed_runs) where trace_id = 'copied1'`
    await seedSmall(database, { ...small, workspace, seed: 7, mode: 'replace' })
    expect(await count(sql, `traces where trace_id = 'copied1'`)).toBe(1)
    expect(await count(sql, `traces where metadata->>'obs_run' not in (select run_id from obs.seed_runs)`)).toBe(1)
  })

  it('is seeded beside the first and replaced without it', async () => {
    await use(databases.seeded())
    await seedSmall(database, { ...small, workspace: otherWorkspace })
    const first = `select * from traces where workspace_id = '${workspace}'`
    await sql.unsafe(`create table before as ${first}`)
    await seedSmall(database, { ...small, workspace: otherWorkspace, seed: 7, mode: 'replace' })
    expect(await differences(sql, 'select * from before', first)).toBe(0)
    expect(await count(sql, 'obs.seed_runs')).toBe(2)
    await expectRollupsToMatch()
  })
})

describe('the workspace', () => {
  beforeEach(() => use(databases.migrated()))

  it('is the demo one in an empty database', async () => {
    expect((await seedSmall(database, small)).workspace_id).toBe(workspace)
  })

  it('is the only one there is', async () => {
    await addWorkspace(sql, otherWorkspace, 'other')
    expect((await seedSmall(database, small)).workspace_id).toBe(otherWorkspace)
  })

  it('is the demo one when there are several', async () => {
    await addWorkspace(sql, otherWorkspace, 'other')
    await addWorkspace(sql, '8f14e45f-ceea-4e7a-9b1c-0242ac120003', 'third')
    expect((await seedSmall(database, small)).workspace_id).toBe(workspace)
  })

  it('uses the departments and environments that it has, under the ids they have', async () => {
    const id = '11111111-2222-4333-8444-555555555555'
    await sql`insert into workspaces (id, workspace_id, workspace_code, workspace_name) values (${workspace}, ${workspace}, 'mine', 'Mine')`
    await sql`
      insert into departments (id, workspace_id, department_code, department_name)
      values (${id}, ${workspace}, 'engineering', 'Our engineers')`
    const result = await seedSmall(database, small)
    expect(result.tables['departments']).toEqual({ rows: 10, inserted: 9 })
    expect(await count(sql, `traces where department_id = '${id}' and agent_id like 'engineering-%'`)).toBeGreaterThan(
      0,
    )
    expect(await sql`select department_name from departments where id = ${id}`).toEqual([
      { department_name: 'Our engineers' },
    ])
    expect(await sql`select workspace_code from workspaces`).toEqual([{ workspace_code: 'mine' }])
  })
})

it('forgets runs whose rows are gone, as after a migration down and up', async () => {
  await use(databases.seeded())
  await sql`truncate traces`
  await sql`truncate evaluations`
  await seedSmall(database, small)
  expect(await count(sql, 'obs.seed_runs')).toBe(1)
  expect(await count(sql, 'users')).toBe(500)
})

it('warns when rows of a replaced run were gone already', async () => {
  await use(databases.seeded())
  await sql`delete from traces where ctid in (select ctid from traces_y2026m11 limit 3) and tableoid = 'traces_y2026m11'::regclass`
  const warnings: string[] = []
  const quiet = quietContext()
  const context = { ...quiet, progress: { ...quiet.progress, warn: (text: string) => void warnings.push(text) } }
  await seedSmall(database, { ...small, mode: 'replace' }, context)
  expect(warnings).toEqual([
    expect.stringMatching(/^3 of the \d+ rows of run [0-9a-f]{16} were gone from traces already$/),
  ])
})

async function expectRollupsToMatch(): Promise<void> {
  await sql`select traces_refresh_rollups()`
  expect(await differences(sql, rollup('traces_hourly'), rawRollup('hour'))).toBe(0)
  expect(await differences(sql, rollup('traces_daily'), rawRollup('day'))).toBe(0)
}
