import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Sql, withSession, withTransaction } from '../../src/database/connect.js'
import { openTestDatabase } from '../support/database.js'
import { first, loadMvp, migrate, textOf } from './pack.js'

let database: Awaited<ReturnType<typeof openTestDatabase>>
let sql: Sql

beforeAll(async () => {
  database = await openTestDatabase()
  sql = database.sql
  await migrate(sql, 0, 1)
  await loadMvp(sql)
  await migrate(sql, 1, 7)
})

beforeEach(() => refresh(sql))

afterAll(() => database.close())

describe('rollups', () => {
  it('hold the sums of all traces once they are made', async () => {
    const [sums] = await sql`
      select sum(trace_count)::int as traces, sum(cost_usd) as cost, max(latency_max_ms) as slowest from traces_daily`
    const [raw] =
      await sql`select count(*)::int as traces, sum(cost_usd) as cost, max(latency_ms) as slowest from traces`
    expect(sums).toEqual(raw)
    expect(await differences()).toEqual([])
  })

  it('follow inserts, updates and deletes, recomputing only the hours they touched', async () => {
    await insert('new-1', '2026-06-01 10:15:00+00', 100)
    await insert('new-2', '2026-06-01 10:45:00+00', 300)
    expect(await differences()).not.toEqual([])
    expect(await refresh(sql)).toBe(1)
    expect(await differences()).toEqual([])

    await sql`update traces set timestamp = timestamp + interval '3 months', latency_ms = 7 where trace_id = 'new-1'`
    expect(await refresh(sql)).toBe(2)
    expect(await differences()).toEqual([])

    await sql`delete from traces where trace_id like 'new-%'`
    expect(await refresh(sql)).toBe(2)
    expect(await differences()).toEqual([])
    expect(await refresh(sql)).toBe(0)
  })

  it('count a row once when it is inserted and updated by one statement', async () => {
    await insert('twice', '2026-06-03 08:00:00+00', 10)
    await sql`
      insert into traces select (jsonb_populate_record(t, '{"latency_ms": 20}')).*
      from traces t where trace_id = 'twice'
      on conflict (timestamp, trace_id) do update set latency_ms = excluded.latency_ms`
    await refresh(sql)
    expect(await differences()).toEqual([])
    await sql`delete from traces where trace_id = 'twice'`
  })

  it('keep apart what differs in a dimension that may be null', async () => {
    const hour = '2026-06-02 03:00:00+00'
    await insert('null-1', hour, 1)
    await insert('null-2', hour, 2)
    await sql`update traces set model = null, model_provider = null, user_segment = null where trace_id = 'null-1'`
    await refresh(sql)
    await insert('null-3', hour, 3)
    await refresh(sql)
    const rows = await sql`
      select model is null as is_unknown, trace_count::int as traces from traces_hourly
      where bucket = ${hour} and agent_id = 'made-by-test' order by 1`
    expect(rows.map(({ is_unknown, traces }) => [is_unknown, traces])).toEqual([
      [false, 2],
      [true, 1],
    ])
    expect(await differences()).toEqual([])
    await sql`delete from traces where agent_id = 'made-by-test'`
  })

  it('are not touched by a refresh that nothing called for', async () => {
    const marks = () => sql`select ctid::text, xmin::text from traces_hourly order by 1`
    const before = await marks()
    expect(await refresh(sql)).toBe(0)
    expect([...(await marks())]).toEqual([...before])
  })

  it('pick up a writer that commits after a refresh, at the next one', async () => {
    await withSession(sql, (writer) =>
      withTransaction(writer, async () => {
        await insert('late', '2026-06-04 11:30:00+00', 50, writer)
        await insert('seen', '2026-06-04 11:40:00+00', 60)
        expect(await refresh(sql)).toBe(1)
      }),
    )
    expect(await differences()).not.toEqual([])
    expect(await refresh(sql)).toBe(1)
    expect(await differences()).toEqual([])
    await sql`delete from traces where trace_id in ('late', 'seen')`
  })

  it('are not doubled by refreshes at the same time', async () => {
    await sql`update traces set latency_ms = latency_ms + 1`
    const hours = await Promise.all([refresh(sql), refresh(sql), refresh(sql)])
    expect([...hours].sort((a, b) => a - b).slice(0, 2)).toEqual([0, 0])
    expect(await differences()).toEqual([])
  })

  it('wait for a refresh of the same hour that has not committed yet', async () => {
    await insert('one', '2026-06-08 09:10:00+00', 10)
    const second = await withSession(sql, (session) =>
      withTransaction(session, async () => {
        expect(await refresh(session)).toBe(1)
        await insert('two', '2026-06-08 09:20:00+00', 20)
        const waiting = refresh(sql)
        await expect.poll(() => sql`select from pg_locks where locktype = 'advisory' and not granted`).toHaveLength(1)
        return { waiting }
      }),
    )
    expect(await second.waiting).toBe(1)
    expect(await differences()).toEqual([])
    await sql`delete from traces where agent_id = 'made-by-test'`
  })

  it('refuse a second row for the same dimensions, unknown ones included', async () => {
    await insert('once', '2026-06-09 09:00:00+00', 10)
    await sql`update traces set model = null, user_segment = null where trace_id = 'once'`
    await refresh(sql)
    for (const table of ['traces_hourly', 'traces_daily']) {
      const again = sql`insert into ${sql(table)} select * from ${sql(table)} where agent_id = 'made-by-test'`
      await expect(again).rejects.toMatchObject({ code: '23505', constraint_name: `${table}_key` })
    }
    await sql`delete from traces where trace_id = 'once'`
  })

  it('stay right while writers and refreshes run against each other', async () => {
    const write = async (n: number) => {
      for (let i = 0; i < 10; i++) await insert(`busy-${n}-${i}`, `2026-06-05 1${n}:${10 + i}:00+00`, i)
    }
    const sweep = async () => {
      for (let i = 0; i < 8; i++) await refresh(sql)
    }
    await Promise.all([write(0), write(1), sweep(), sweep()])
    await refresh(sql)
    expect(await differences()).toEqual([])
    await sql`delete from traces where trace_id like 'busy-%'`
  })

  it('take the hours of a partition that was filled before it was attached', async () => {
    await sql`select traces_ensure_partitions('2026-11-01 00:00+00', '2026-12-01 00:00+00')`
    await sql.unsafe(`
      alter table traces detach partition traces_y2026m11;
      insert into traces_y2026m11
        select (jsonb_populate_record(t, jsonb_build_object('timestamp', timestamp + interval '4 months'))).*
        from traces t where timestamp >= '2026-07-01 00:00+00' and timestamp < '2026-07-08 00:00+00';
      alter table traces attach partition traces_y2026m11
        for values from ('2026-11-01 00:00+00') to ('2026-12-01 00:00+00');
      insert into traces_rollup_changes (bucket)
        select distinct date_trunc('hour', timestamp, 'UTC') from traces_y2026m11`)
    await refresh(sql)
    expect(await differences()).toEqual([])
    await sql`delete from traces where timestamp > '2026-11-01 00:00+00'`
  })

  it('use UTC buckets whatever the time zone of the session', async () => {
    await withSession(sql, async (session) => {
      await session`set time zone 'Asia/Kathmandu'`
      await insert('far', '2026-06-06 23:50:00+00', 9, session)
      await refresh(session)
      await session`reset time zone`
    })
    const [row] = await sql`
      select h.bucket as hour, d.bucket as day
      from traces_hourly h join traces_daily d using (workspace_id, agent_id)
      where agent_id = 'made-by-test'`
    expect(row).toEqual({ hour: new Date('2026-06-06T23:00Z'), day: new Date('2026-06-06T00:00Z') })
    await sql`delete from traces where trace_id = 'far'`
  })

  it('cannot be led astray by a temporary table of the same name', async () => {
    await withSession(sql, async (session) => {
      await session`create temporary table traces_rollup_changes (bucket timestamptz)`
      await insert('decoy', '2026-06-07 01:00:00+00', 9, session)
      expect(await session`select count(*) from pg_temp.traces_rollup_changes`).toEqual([{ count: 0 }])
      await session`drop table pg_temp.traces_rollup_changes`
    })
    expect(await refresh(sql)).toBe(1)
    await sql`delete from traces where trace_id = 'decoy'`
  })

  it('are empty once the traces are truncated', async () => {
    await withSession(sql, async (session) => {
      await session`begin`
      await session`truncate traces`
      await refresh(session)
      const [left] = await session`
        select (select count(*) from traces_hourly) as hours, (select count(*) from traces_daily) as days`
      expect(left).toEqual({ hours: 0, days: 0 })
      await session`rollback`
    })
    expect(await differences()).toEqual([])
  })
})

/** The proof that comes with the migration: hours and days whose sums are not those of the traces. */
async function differences(): Promise<readonly object[]> {
  const results = (await sql.unsafe(textOf('0007_rollups', 'verify', 'postgres') ?? '')) as unknown as object[][]
  return results.flat()
}

async function refresh(on: Sql): Promise<number> {
  const [row] = await on<{ hours: number }[]>`select traces_refresh_rollups() as hours`
  return row?.hours ?? -1
}

async function insert(trace: string, timestamp: string, latency: number, on: Sql = sql): Promise<void> {
  await on`
    insert into traces (trace_id, workspace_id, agent_id, timestamp, latency_ms, model, model_provider, tokens_total,
                        cost_usd, department_id, environment_id, version, intent_category, user_segment)
    select ${trace}, workspace_id, 'made-by-test', ${timestamp}::text::timestamptz, ${latency}, 'm', 'p', 3, 0.5,
           department_id, environment_id, 'v2.1', 'research', 'new'
    from traces where workspace_id = ${first} order by timestamp, trace_id limit 1`
}
