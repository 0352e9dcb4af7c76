import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Sql } from '../../src/database/connect.js'
import { openTestDatabase } from '../support/database.js'
import { loadMvp, migrate } from './pack.js'

let database: Awaited<ReturnType<typeof openTestDatabase>>
let sql: Sql

beforeAll(async () => {
  database = await openTestDatabase()
  sql = database.sql
  await migrate(sql, 0, 1)
  await loadMvp(sql)
  await migrate(sql, 1, 7)
})

beforeEach(async () => {
  await sql`delete from traces where trace_id like 'test-%'`
  for (const { name } of await partitions('traces_y202[7-9]%')) await sql`drop table ${sql(name)}`
})

afterAll(() => database.close())

describe('traces_ensure_partitions', () => {
  it('makes the missing months of a half-open window and says how many', async () => {
    expect(await ensure('2027-01-31 23:59:59.999999+00', '2027-03-01 00:00:00+00')).toBe(2)
    expect((await partitions('traces_y2027%')).map(({ name }) => name)).toEqual(['traces_y2027m01', 'traces_y2027m02'])
    expect(await ensure('2027-01-01 00:00:00+00', '2027-03-01 00:00:00.000001+00')).toBe(1)
    expect(await ensure('2027-01-01 00:00:00+00', '2027-04-01 00:00:00+00')).toBe(0)
    expect(await ensure('2027-05-01 00:00:00+00', '2027-05-01 00:00:00+00')).toBe(0)
  })

  it('cuts months in UTC whatever the time zone of the session', async () => {
    await sql.unsafe(`
      set time zone 'Pacific/Auckland';
      select traces_ensure_partitions('2027-01-15 00:00+00', '2027-01-16 00:00+00');
      reset time zone`)
    await insert('test-edge', '2027-01-31 23:59:59.999999+00')
    await insert('test-next', '2027-02-01 00:00:00+00')
    const rows = await sql`
      select trace_id, tableoid::regclass::text as place from traces where trace_id like 'test-%' order by 1`
    expect(rows.map(({ place }) => place)).toEqual(['traces_y2027m01', 'traces_default'])
  })

  it('moves the rows of a new month out of the default partition and leaves the others there', async () => {
    await insert('test-in-1', '2027-06-01 00:00:00+00')
    await insert('test-in-2', '2027-06-30 23:59:59.999999+00')
    await insert('test-out', '2027-07-01 00:00:00+00')
    const before = await sql`select * from traces where trace_id like 'test-%' order by trace_id`
    expect(await sql`select count(*) from traces_default`).toEqual([{ count: 3 }])
    expect(await ensure('2027-06-10 00:00+00', '2027-06-11 00:00+00')).toBe(1)
    expect(await sql`select count(*) from traces_default`).toEqual([{ count: 1 }])
    expect(await sql`select count(*) from traces_y2027m06`).toEqual([{ count: 2 }])
    expect([...(await sql`select * from traces where trace_id like 'test-%' order by trace_id`)]).toEqual([...before])
  })

  it('gives a partition every index, constraint and default of the table', async () => {
    await ensure('2027-01-01 00:00+00', '2027-02-01 00:00+00')
    const shape = (table: string) => sql`
      select pg_get_constraintdef(oid) as line from pg_constraint where conrelid = ${table}::regclass
      union all
      select regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', '') from pg_index where indrelid = ${table}::regclass
      union all
      select attname || ' ' || attnotnull || ' ' || coalesce(pg_get_expr(adbin, adrelid), '')
      from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
      where attrelid = ${table}::regclass and attnum > 0
      order by 1`
    const expected = await shape('traces')
    expect(expected.length).toBeGreaterThan(40)
    expect([...(await shape('traces_y2027m01'))]).toEqual([...expected])
    expect([...(await shape('traces_y2026m05'))]).toEqual([...expected])
  })

  it('makes each month once when several ask at the same time', async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => ensure('2028-01-01 00:00+00', '2028-07-01 00:00+00')))
    expect(made.reduce((sum, count) => sum + count)).toBe(6)
    expect(await partitions('traces_y2028%')).toHaveLength(6)
  })

  it.each([
    ['-infinity', '2027-01-01 00:00+00'],
    ['2027-01-01 00:00+00', 'infinity'],
    ['1969-12-31 00:00+00', '1970-02-01 00:00+00'],
    ['2027-01-01 00:00+00', null],
  ])('refuses a window from %s to %s and makes nothing', async (from, to) => {
    const before = await partitions('traces_%')
    await expect(ensure(from, to)).rejects.toMatchObject({ code: '22023' })
    expect([...(await partitions('traces_%'))]).toEqual([...before])
  })

  it('does not lock readers and writers of the table out while it works', async () => {
    await sql.begin(async (transaction) => {
      await transaction`select traces_ensure_partitions('2029-01-01 00:00+00', '2029-02-01 00:00+00')`
      const locks = await transaction`
        select mode from pg_locks where relation = 'traces'::regclass and pid = pg_backend_pid()`
      expect(locks.map(({ mode }) => mode)).not.toContain('AccessExclusiveLock')
    })
  })
})

async function ensure(from: string, to: string | null): Promise<number> {
  const [row] = await sql<{ made: number }[]>`
    select traces_ensure_partitions(${from}::text::timestamptz, ${to}::text::timestamptz) as made`
  return row?.made ?? -1
}

function partitions(pattern: string) {
  return sql<{ name: string }[]>`
    select relname as name from pg_inherits join pg_class c on c.oid = inhrelid
    where inhparent = 'traces'::regclass and relname similar to ${pattern.replaceAll('_', '\\_')} order by 1`
}

async function insert(trace: string, timestamp: string): Promise<void> {
  await sql`
    insert into traces (trace_id, workspace_id, agent_id, timestamp, latency_ms,
                        department_id, environment_id, version, intent_category)
    select ${trace}, workspace_id, 'atlas', ${timestamp}::text::timestamptz, 1,
           department_id, environment_id, 'v2.1', 'research'
    from traces order by timestamp, trace_id limit 1`
}
