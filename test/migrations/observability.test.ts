import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCatalog } from '../../src/database/catalog.js'
import type { Sql } from '../../src/database/connect.js'
import { type Fingerprint, fingerprintTable } from '../../src/database/fingerprint.js'
import { openTestDatabase, testDatabase } from '../support/database.js'
import { first, loadMvp, migrate, migrations, second, textOf } from './pack.js'

const newest = migrations.length
const mvpTables = ['traces', 'events', 'performance_metrics']
const derivedTables = ['departments', 'environments', 'workspaces', 'users', 'agents', 'traces_hourly', 'traces_daily']

let database: Awaited<ReturnType<typeof openTestDatabase>>
let sql: Sql
let before: { catalog: readonly string[]; tables: Record<string, Fingerprint> }

beforeAll(async () => {
  database = await openTestDatabase()
  sql = database.sql
  await migrate(sql, 0, 1)
  await loadMvp(sql)
  before = { catalog: await readCatalog(sql, ['public']), tables: await fingerprints(sql, mvpTables) }
  await migrate(sql, 1, newest)
})

afterAll(() => database.close())

describe('up', () => {
  it('keeps the 2,000 traces and every value in them', async () => {
    expect(before.tables['traces']?.rows).toBe(2000)
    expect(await mvpFingerprints()).toEqual(before.tables)
  })

  it('gives each workspace ten departments and three environments under ids that anyone can compute', async () => {
    const codes = await sql`
      select workspace_id, 'department' as kind, department_code as code, id from departments
      union all
      select workspace_id, 'environment', environment_code, id from environments`
    expect(codes).toHaveLength(26)
    for (const { workspace_id, kind, code, id } of codes) {
      expect(id).toBe(uuidV5(base, `${kind}:${workspace_id}:${code}`))
    }
    expect(await sql`select sum(monthly_budget_usd)::int as budget from departments group by workspace_id`).toEqual([
      { budget: 282_000 },
      { budget: 282_000 },
    ])
  })

  it('computes the same version 5 ids as RFC 9562, whatever the length and the script of the name', async () => {
    const names = [...Array(140).keys()].map((length) => 'x'.repeat(length)).concat('é☃𝄞', "o'clock\\\n")
    const rows = await sql`select name, uuid_v5(${base}, name) as id from unnest(${names}::text[]) name`
    expect(rows.map(({ id }) => id)).toEqual(names.map((name) => uuidV5(base, name)))
  })

  it('spreads environments 70 to 20 to 10', async () => {
    const rows = await sql<{ code: string; share: number }[]>`
      select environment_code as code, count(*)::float / 2000 as share
      from traces t join environments e on e.workspace_id = t.workspace_id and e.id = t.environment_id
      group by 1`
    const shares = Object.fromEntries(rows.map(({ code, share }) => [code, share]))
    expect(Math.abs((shares['production'] ?? 0) - 0.7)).toBeLessThan(0.04)
    expect(Math.abs((shares['staging'] ?? 0) - 0.2)).toBeLessThan(0.04)
    expect(Math.abs((shares['development'] ?? 0) - 0.1)).toBeLessThan(0.03)
  })

  it('rolls versions out one after the other', async () => {
    const rows = await sql<{ month: number; v18: number; v19: number; v20: number; v21: number }[]>`
      select extract(month from timestamp at time zone 'UTC')::int as month,
             avg((version = 'v1.8')::int)::float as v18, avg((version = 'v1.9')::int)::float as v19,
             avg((version = 'v2.0')::int)::float as v20, avg((version = 'v2.1')::int)::float as v21
      from traces group by 1 order by 1`
    const [may, june, july] = rows
    expect(may?.v18).toBeGreaterThan(0.02)
    expect(july?.v18).toBe(0)
    expect(may?.v19).toBeGreaterThan(june?.v19 ?? 1)
    expect(june?.v20).toBeGreaterThan(may?.v20 ?? 1)
    expect(may?.v21).toBe(0)
    expect(july?.v21).toBeGreaterThan(0.1)
  })

  it('partitions by month and leaves the default partition empty', async () => {
    const rows = await sql`
      select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bounds
      from pg_inherits join pg_class c on c.oid = inhrelid
      where inhparent = 'traces'::regclass order by 1`
    expect(rows.map(({ name }) => name)).toEqual([
      'traces_default',
      'traces_y2026m05',
      'traces_y2026m06',
      'traces_y2026m07',
    ])
    expect(await sql`select count(*) from traces_default`).toEqual([{ count: 0 }])
    const [edge] = await sql`
      select tableoid::regclass::text as place from traces where timestamp = '2026-05-31 23:59:59.999999+00'`
    expect(edge).toEqual({ place: 'traces_y2026m05' })
  })

  it('has at least 18 indexes on traces, with the names of the convention', async () => {
    const rows = await sql<{ name: string }[]>`
      select indexrelid::regclass::text as name from pg_index where indrelid = 'traces'::regclass`
    const names = rows.map(({ name }) => name)
    expect(names.length).toBeGreaterThanOrEqual(18)
    expect(names).toEqual(expect.arrayContaining(indexes))
  })

  it('lists each agent and each user of a workspace once', async () => {
    const [counts] = await sql`
      select (select count(*) from agents) as agents,
             (select count(distinct (workspace_id, agent_id)) from traces) as agents_seen,
             (select count(*) from users) as users,
             (select count(distinct (workspace_id, user_id)) from traces where user_id is not null) as users_seen,
             (select count(*) from workspaces) as workspaces`
    expect(counts).toMatchObject({ agents: counts?.['agents_seen'], users: counts?.['users_seen'], workspaces: 2 })
    const [agent] = await sql`select id, owner_team from agents where agent_id = 'atlas' and workspace_id = ${second}`
    expect(agent?.['id']).toBe(uuidV5(base, `agent:${second}:atlas`))
  })

  it('refuses a department of another workspace', async () => {
    const [foreign] = await sql`select id from departments where workspace_id = ${second} limit 1`
    const steal = sql`
      update traces set department_id = ${foreign?.['id']}
      where (timestamp, trace_id) = (select timestamp, trace_id from traces where workspace_id = ${first} limit 1)`
    await expect(steal).rejects.toMatchObject({ code: '23503', constraint_name: 'fk_traces_department' })
  })

  it('refuses an intent, a segment or a version that is none', async () => {
    const change = (column: string) => sql`update traces set ${sql(column)} = ''`
    await expect(change('intent_category')).rejects.toMatchObject({ constraint_name: 'chk_traces_intent_category' })
    await expect(change('user_segment')).rejects.toMatchObject({ constraint_name: 'chk_traces_user_segment' })
    await expect(change('version')).rejects.toMatchObject({ constraint_name: 'chk_traces_version' })
  })

  it('leaves nothing in the text that ends or opens a transaction', () => {
    const texts = migrations.flatMap((name) => [textOf(name, 'up', 'postgres'), textOf(name, 'down', 'timescaledb')])
    for (const text of texts) expect(text).not.toMatch(/^\s*(begin|commit|rollback)\s*;/m)
  })
})

describe('backfill', () => {
  it('reads department and intent off the name of the agent', async () => {
    const own = await testDatabase()
    await migrate(own.sql, 0, 1)
    for (const agent of agents.keys()) await insertTrace(own.sql, { trace_id: agent, agent_id: agent })
    await migrate(own.sql, 1, 4)
    const rows = await own.sql<{ agent: string; department: string; intent: string }[]>`
      select agent_id as agent, department_code as department, intent_category as intent
      from traces t join departments d on d.workspace_id = t.workspace_id and d.id = t.department_id`
    expect(rows).toHaveLength(agents.size)
    for (const { agent, department, intent } of rows)
      expect([agent, department, intent]).toEqual([agent, ...(agents.get(agent) ?? [])])
  })

  it('calls the users of failed requests struggling and the others by latency', async () => {
    const own = await testDatabase()
    await migrate(own.sql, 0, 1)
    const cases = [
      { trace_id: 'a', status: 'error', latency_ms: 100 },
      { trace_id: 'b', status: 'timeout', latency_ms: 30_000 },
      { trace_id: 'c', status: 'success', latency_ms: 799 },
      { trace_id: 'd', status: 'success', latency_ms: 800 },
      { trace_id: 'e', status: null, latency_ms: 6000 },
      { trace_id: 'f', status: 'success', latency_ms: 12_000 },
    ]
    for (const one of cases) await insertTrace(own.sql, one)
    await migrate(own.sql, 1, 4)
    const rows = await own.sql`select user_segment from traces order by trace_id`
    expect(rows.map((row) => row['user_segment'])).toEqual([
      'struggling',
      'struggling',
      'power_user',
      'regular',
      'new',
      'dormant',
    ])
  })

  it('gives a row the same values whatever else is in the table', async () => {
    const own = await testDatabase()
    await migrate(own.sql, 0, 1)
    await loadMvp(own.sql)
    await own.sql`delete from traces where right(trace_id, 1) <> '7'`
    await migrate(own.sql, 1, 4)
    const values = (from: Sql) => from`
      select trace_id, department_id, environment_id, version, intent_category, user_segment
      from traces where right(trace_id, 1) = '7' order by trace_id`
    const few = await values(own.sql)
    expect(few.length).toBeGreaterThan(50)
    expect([...few]).toEqual([...(await values(sql))])
  })

  it('carries rows at the ends of time, without users, models and status', async () => {
    const own = await testDatabase()
    await migrate(own.sql, 0, 1)
    for (const timestamp of ['-infinity', '0044-03-15 12:00:00+00 BC', '1969-12-31 23:59:59+00', 'infinity']) {
      await insertTrace(own.sql, { trace_id: timestamp, status: null })
      await own.sql`update traces set timestamp = ${timestamp}::text::timestamptz where trace_id = ${timestamp}`
    }
    await migrate(own.sql, 1, newest)
    expect(await own.sql`select count(*) from traces_default`).toEqual([{ count: 4 }])
    expect(await own.sql`select sum(trace_count)::int as traces from traces_daily`).toEqual([{ traces: 4 }])
    await migrate(own.sql, newest, 1)
    expect(await own.sql`select count(*) from traces`).toEqual([{ count: 4 }])
  })
})

describe('down', () => {
  it('to 1 gives the MVP back, and up again the same schema and the same values', async () => {
    const tables = [...mvpTables, ...derivedTables]
    const after = { catalog: await readCatalog(sql, ['public']), tables: await fingerprints(sql, tables) }
    await migrate(sql, newest, 1)
    expect(await readCatalog(sql, ['public'])).toEqual(before.catalog)
    expect(await fingerprints(sql, mvpTables)).toEqual(before.tables)
    await migrate(sql, 1, newest)
    expect(await readCatalog(sql, ['public'])).toEqual(after.catalog)
    expect(await fingerprints(sql, tables)).toEqual(after.tables)
  })

  it('to 1 and up again makes a partition that was added since just as it was', async () => {
    const own = await testDatabase()
    await migrate(own.sql, 0, 1)
    await insertTrace(own.sql, {})
    await migrate(own.sql, 1, newest)
    await own.sql.unsafe(`
      select traces_ensure_partitions('2026-08-01 00:00+00', '2026-09-01 00:00+00');
      insert into traces select (jsonb_populate_record(t, '{"timestamp": "2026-08-05T10:00:00Z"}')).* from traces t`)
    const catalog = await readCatalog(own.sql, ['public'])
    await migrate(own.sql, newest, 1)
    await migrate(own.sql, 1, newest)
    expect(await readCatalog(own.sql, ['public'])).toEqual(catalog)
  })

  it('step by step undoes exactly what each up did', async () => {
    const own = await testDatabase()
    const catalogs: (readonly string[])[] = [await readCatalog(own.sql, ['public'])]
    for (let version = 1; version <= newest; version++) {
      await migrate(own.sql, version - 1, version)
      catalogs[version] = await readCatalog(own.sql, ['public'])
    }
    for (let version = newest; version >= 1; version--) {
      await migrate(own.sql, version, version - 1)
      expect(await readCatalog(own.sql, ['public'])).toEqual(catalogs[version - 1])
    }
  })

  it('to 0 refuses while a table holds rows and says which', async () => {
    const own = await testDatabase()
    await migrate(own.sql, 0, 1)
    await insertTrace(own.sql, {})
    await own.sql`insert into performance_metrics (workspace_id, metric_name, value) values (${first}, 'm', 1)`
    await expect(migrate(own.sql, 1, 0)).rejects.toMatchObject({
      message: 'reverting the baseline would drop tables that hold rows: traces, performance_metrics',
      hint: expect.stringContaining('obs backup create'),
    })
    expect(await own.sql`select count(*) from traces`).toEqual([{ count: 1 }])
    await own.sql`delete from traces`
    await own.sql`delete from performance_metrics`
    await migrate(own.sql, 1, 0)
    expect(await readCatalog(own.sql, ['public'])).toEqual([])
  })
})

describe('another schema than public', () => {
  it('holds the whole pack, and its functions find their own tables from any search path', async () => {
    const own = await testDatabase()
    await own.sql.unsafe('create schema "Team A"')
    await migrate(own.sql, 0, 1, 'Team A')
    await loadMvp(own.sql, 'Team A')
    await migrate(own.sql, 1, newest, 'Team A')
    expect(await readCatalog(own.sql, ['public'])).toEqual([])
    expect(
      await own.sql`select "Team A".traces_ensure_partitions('2026-08-01 00:00+00', '2026-09-01 00:00+00') as made`,
    ).toEqual([{ made: 1 }])
    await own.sql`delete from "Team A".traces where status <> 'success'`
    const [row] = await own.sql`select "Team A".traces_refresh_rollups() as hours`
    expect(row?.['hours']).toBeGreaterThan(0)
    await migrate(own.sql, newest, 1, 'Team A')
  })
})

/** The last two match no pattern: their department comes from a hash. */
const agents = new Map([
  ['engineering-code-assistant-7', ['engineering', 'code_generation']],
  ['Code-Review-Helper', ['engineering', 'code_generation']],
  ['support-bot', ['support', 'customer_support']],
  ['sales-lead-scorer', ['sales', 'general_assistance']],
  ['translator-eu', ['marketing', 'translation']],
  ['content-writer', ['marketing', 'content_creation']],
  ['hr-onboarding', ['hr', 'automation']],
  ['contract-reviewer', ['legal', 'research']],
  ['invoice-processor', ['finance', 'automation']],
  ['data-analyst-2', ['data', 'data_analysis']],
  ['workflow-automation-3', ['operations', 'automation']],
  ['product-feedback-miner', ['product', 'general_assistance']],
  ['chronos', ['legal', 'general_assistance']],
  ['помощник', ['hr', 'general_assistance']],
])

const base = uuidV5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'https://obs.dev/observability')

const indexes = [
  'department',
  'environment',
  'version',
  'intent',
  'user_segment',
  'workspace_dept_time',
  'workspace_env_time',
  'dept_env_time',
  'workspace_timestamp',
  'agent_timestamp',
  'status',
  'model',
  'tags',
  'trace_id_timestamp',
  'workspace_agent',
  'workspace_model',
  'workspace_status',
  'workspace_user',
].map((name) => `idx_traces_${name}`)

/** RFC 9562 section 5.5, by the SHA-1 of the platform. */
function uuidV5(namespace: string, name: string): string {
  const digest = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name, 'utf8')
    .digest()
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x50, 6)
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8)
  return digest.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

async function insertTrace(into: Sql, values: Readonly<Record<string, string | number | null>>): Promise<void> {
  const row = {
    trace_id: 't',
    workspace_id: first,
    agent_id: 'atlas',
    timestamp: '2026-06-15 10:00:00+00',
    latency_ms: 5,
    ...values,
  }
  await into`insert into traces ${into([row])}`
}

async function fingerprints(from: Sql, tables: readonly string[]): Promise<Record<string, Fingerprint>> {
  const entries = []
  for (const table of tables) entries.push([table, await fingerprintTable(from, { schema: 'public', table })])
  return Object.fromEntries(entries)
}

/** The MVP tables as they are now, by the columns they had then. */
async function mvpFingerprints(): Promise<Record<string, Fingerprint>> {
  const entries = []
  for (const table of mvpTables) {
    const columns = Object.keys(before.tables[table]?.columns ?? {})
    entries.push([table, await fingerprintTable(sql, { schema: 'public', table, columns })])
  }
  return Object.fromEntries(entries)
}
