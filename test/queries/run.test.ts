import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { parseDatabaseUrl } from '../../src/database/address.js'
import { withDatabase } from '../../src/database/connect.js'
import { parseFilters } from '../../src/queries/filters.js'
import type { Kpi, KpiRequest } from '../../src/queries/kpi.js'
import { costByDepartment } from '../../src/queries/observability/cost-by-department.js'
import { homeKpis } from '../../src/queries/observability/home-kpis.js'
import { observabilityKpis } from '../../src/queries/observability/kpis.js'
import { versionAdoption } from '../../src/queries/observability/version-adoption.js'
import { runKpi } from '../../src/queries/run.js'
import { testDatabase } from '../support/database.js'
import {
  addTraces,
  addWorkspace,
  demoWorkspace,
  installObservability,
  otherWorkspace,
} from '../support/observability.js'
import { ask, openPreparedDatabase, paperWorkspace } from './support.js'

let database: Awaited<ReturnType<typeof openPreparedDatabase>>

beforeAll(async () => {
  database = await openPreparedDatabase()
})

afterAll(() => database.close())

const may = { from: '2024-05-10', to: '2024-05-20' }
const filters = parseFilters({ workspace: 'demo', ...may })

/** A KPI that does whatever a test wants to see done inside the transaction. */
function probe<Data>(work: (request: KpiRequest) => Promise<Data>): Kpi<Data> {
  return {
    name: 'probe',
    summary: 'what a test asks',
    filters: [],
    run: async (request) => ({ data: await work(request), source: 'raw', workspaceId: demoWorkspace }),
    layout: () => [],
    table: () => ({ columns: [], rows: [] }),
  }
}

/** The same run with whatever it warned about. */
async function askAndListen(kpi: Kpi<unknown>, question: Parameters<typeof parseFilters>[0]) {
  const warnings: string[] = []
  const { progress, signal } = quietContext()
  const context = { progress: { ...progress, warn: (text: string) => warnings.push(text) }, signal }
  return { envelope: await ask(database, kpi, question, context), warnings }
}

describe('the transaction of a KPI', () => {
  it('is read-only and sees one snapshot', async () => {
    const settings = probe(async ({ db }) => {
      const { rows } = await sql`
        select current_setting('transaction_read_only') as read_only,
               current_setting('transaction_isolation') as isolation,
               current_setting('statement_timeout') as timeout`.execute(db)
      return rows[0]
    })
    const { data } = await runKpi(database, settings, filters, quietContext(), { timeout: 1500 })
    expect(data).toEqual({ read_only: 'on', isolation: 'repeatable read', timeout: '1500ms' })
  })

  it('cannot write', async () => {
    const writing = probe(({ db }) => sql`delete from traces`.execute(db))
    await expect(runKpi(database, writing, filters, quietContext())).rejects.toMatchObject({ code: '25006' })
    const [row] = await database.sql`select count(*)::int as count from traces`
    expect(row?.['count']).toBeGreaterThan(8000)
  })

  it('cannot be turned into one that writes', async () => {
    const cunning = probe(async ({ db }) => {
      await sql`set transaction read write`.execute(db)
    })
    await expect(runKpi(database, cunning, filters, quietContext())).rejects.toMatchObject({ code: '25001' })
  })

  it('ends when a statement takes longer than it may', async () => {
    const slow = probe(({ db }) => sql`select pg_sleep(60)`.execute(db))
    await expect(runKpi(database, slow, filters, quietContext(), { timeout: 50 })).rejects.toMatchObject({
      code: 'query_timeout',
      exitCode: 1,
      message: 'probe was cancelled: a statement may take 0.05 s',
      hint: expect.stringContaining('--timeout'),
    })
  })

  it('never goes on in another session when its own is lost', async () => {
    let went = false
    const losing = probe(async ({ db }) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
      await database.sql`select pg_terminate_backend(${rows[0]?.pid ?? 0}, 5000)`
      await sql`select 1`.execute(db).catch(() => undefined)
      await sql`select 1`.execute(db)
      went = true
    })
    await expect(runKpi(database, losing, filters, quietContext())).rejects.toThrow()
    expect(went).toBe(false)
  })

  it('ends at once when the run is interrupted', async () => {
    const interruption = new AbortController()
    const context = quietContext(interruption.signal)
    const slow = probe(async ({ db }) => {
      setTimeout(() => interruption.abort(), 20)
      await sql`select pg_sleep(60)`.execute(db)
    })
    const address = parseDatabaseUrl(database.url, 'the test')
    const run = withDatabase(address, context, (own) => runKpi(own, slow, filters, context))
    await expect(run).rejects.toMatchObject({ exitCode: 130 })
  })

  it('leaves the connection as it found it', async () => {
    await withDatabase(
      parseDatabaseUrl(database.url, 'the test'),
      quietContext(),
      async (single) => {
        await runKpi(single, homeKpis, filters, quietContext(), { timeout: 1500 })
        const [row] = await single.sql`
          select current_setting('statement_timeout') as timeout, current_setting('transaction_read_only') as read_only`
        expect(row).toEqual({ timeout: '0', read_only: 'off' })
      },
      { connections: 1 },
    )
  })
})

describe('the envelope', () => {
  it('says what was asked and where the numbers come from', async () => {
    const envelope = await ask(database, costByDepartment, {
      workspace: 'demo',
      range: '10d',
      asOf: '2024-05-20T00:00:00Z',
      department: 'sales',
    })
    expect(Object.keys(envelope)).toEqual(['data', 'meta', 'filters_applied'])
    expect(envelope.meta).toEqual({
      workspace_id: demoWorkspace,
      generated_at: expect.stringMatching(/^\d{4}-.*Z$/),
      query_duration_ms: expect.any(Number),
      source: 'rollup',
    })
    expect(envelope.filters_applied).toEqual({
      range: '10d',
      from: '2024-05-10T00:00:00.000Z',
      to: '2024-05-20T00:00:00.000Z',
      department: 'sales',
      environment: null,
      version: null,
    })
  })

  it('says raw as soon as one trace was read', async () => {
    const crooked = await ask(database, costByDepartment, { workspace: 'demo', ...may, to: '2024-05-20T00:00:01Z' })
    expect(crooked.meta.source).toBe('raw')
    expect((await ask(database, homeKpis, { workspace: 'demo', ...may })).meta.source).toBe('raw')
  })

  it('holds plain numbers throughout', async () => {
    for (const kpi of observabilityKpis) {
      const { data } = await ask(database, kpi, { workspace: 'demo', ...may })
      expect(JSON.parse(JSON.stringify(data))).toEqual(data)
      expect(JSON.stringify(data)).not.toMatch(/"(requests|cost_usd|value|count)":"/)
    }
  })
})

describe('the rollups', () => {
  it('are what whole days are answered from', async () => {
    const own = await testDatabase()
    await installObservability(own.sql)
    await addWorkspace(own.sql, demoWorkspace, 'demo')
    await addTraces(own.sql, [{ timestamp: '2024-05-10T10:10:00Z' }])
    await own.sql`select traces_refresh_rollups()`
    await own.sql`update traces_daily set trace_count = trace_count + 100`
    const days = await ask(own, versionAdoption, may)
    expect([days.meta.source, days.data.versions[0]?.requests]).toEqual(['rollup', 101])
  })

  it('are passed over while traces have changed since they were refreshed', async () => {
    const own = await testDatabase()
    await installObservability(own.sql)
    await addWorkspace(own.sql, demoWorkspace, 'demo')
    await addTraces(own.sql, [{ timestamp: '2024-05-10T10:10:00Z' }], 'first')
    await own.sql`select traces_refresh_rollups()`
    await addTraces(own.sql, [{ timestamp: '2024-05-10T10:20:00Z' }], 'second')
    const before = await ask(own, versionAdoption, may)
    await own.sql`select traces_refresh_rollups()`
    const after = await ask(own, versionAdoption, may)
    expect([before.meta.source, after.meta.source]).toEqual(['raw', 'rollup'])
    expect(before.data).toEqual(after.data)
    expect(after.data.versions[0]?.requests).toBe(2)
  })

  it('give the same days in every time zone', async () => {
    const own = { ...may, workspace: 'demo' }
    const here = await ask(database, versionAdoption, own)
    const url = new URL(database.url)
    await database.sql.unsafe(`alter database ${url.pathname.slice(1)} set timezone to 'America/New_York'`)
    const there = await withDatabase(parseDatabaseUrl(database.url, 'the test'), quietContext(), (elsewhere) =>
      ask(elsewhere, versionAdoption, own),
    )
    expect(there.data).toEqual(here.data)
  })
})

describe('the workspace', () => {
  it('keeps everybody else out of every KPI', async () => {
    const own = await testDatabase()
    await installObservability(own.sql)
    await addWorkspace(own.sql, demoWorkspace, 'demo')
    await addTraces(own.sql, [{ timestamp: '2024-05-10T10:10:00Z' }], 'mine')
    await own.sql`select traces_refresh_rollups()`
    const alone = await Promise.all(observabilityKpis.map((kpi) => ask(own, kpi, { workspace: 'demo', ...may })))
    await addWorkspace(own.sql, otherWorkspace, 'other', { engineering: 1, legal: 2 })
    const theirs = { workspace: otherWorkspace, version: 'v9', provider: 'theirs', status: 'error' as const }
    await addTraces(
      own.sql,
      [
        { ...theirs, timestamp: '2024-05-10T10:10:00Z', department: 'legal' },
        { ...theirs, timestamp: '2024-05-01T10:10:00Z', environment: 'staging' },
      ],
      'theirs',
    )
    await own.sql`select traces_refresh_rollups()`
    const together = await Promise.all(observabilityKpis.map((kpi) => ask(own, kpi, { workspace: 'demo', ...may })))
    expect(together.map((envelope) => envelope.data)).toEqual(alone.map((envelope) => envelope.data))
    await expect(ask(own, homeKpis, { workspace: 'demo', ...may, version: 'v9' })).rejects.toMatchObject({
      code: 'unknown_version',
    })
    await expect(ask(own, homeKpis, { workspace: 'demo', ...may, department: 'legal' })).rejects.toMatchObject({
      code: 'unknown_department',
    })
  })

  it('is the only one there is, else the demo workspace', async () => {
    expect((await ask(database, versionAdoption, may)).meta.workspace_id).toBe(demoWorkspace)
    const own = await testDatabase()
    await installObservability(own.sql)
    await addWorkspace(own.sql, otherWorkspace, 'acme')
    expect((await ask(own, versionAdoption, may)).meta.workspace_id).toBe(otherWorkspace)
    await addWorkspace(own.sql, paperWorkspace, 'umbrella')
    await expect(ask(own, versionAdoption, may)).rejects.toMatchObject({
      exitCode: 2,
      code: 'workspace_not_chosen',
      message: 'this database has 2 workspaces: acme, umbrella',
    })
  })

  it('is named by its id or its code', async () => {
    const byId = await ask(database, versionAdoption, { ...may, workspace: otherWorkspace.toUpperCase() })
    const byCode = await ask(database, versionAdoption, { ...may, workspace: 'other' })
    expect(byId.data).toEqual(byCode.data)
    await expect(ask(database, versionAdoption, { ...may, workspace: 'othr' })).rejects.toMatchObject({
      exitCode: 2,
      message: 'unknown workspace "othr", did you mean "other"?',
    })
  })

  it('is missing from a database that holds nothing', async () => {
    const own = await testDatabase()
    await installObservability(own.sql)
    await expect(ask(own, homeKpis, may)).rejects.toMatchObject({ code: 'no_data', exitCode: 1 })
  })
})

describe('a filter', () => {
  it('that names nothing is refused with what there is', async () => {
    await expect(ask(database, homeKpis, { ...may, department: 'enginering' })).rejects.toMatchObject({
      exitCode: 2,
      message: 'unknown department "enginering", did you mean "engineering"?',
      hint: 'Choose one of engineering, sales, support.',
      details: { known: ['engineering', 'sales', 'support'] },
    })
    await expect(ask(database, homeKpis, { ...may, environment: 'prod' })).rejects.toMatchObject({ exitCode: 2 })
    await expect(ask(database, homeKpis, { ...may, version: 'v2.2' })).rejects.toMatchObject({
      message: expect.stringMatching(/^unknown version "v2\.2", did you mean "v2\.\d"\?$/),
      hint: 'Choose one of v1.9, v2.0, v2.1.',
    })
  })

  it('is refused when the workspace has nothing to choose from', async () => {
    const own = await testDatabase()
    await installObservability(own.sql)
    await addWorkspace(own.sql, demoWorkspace, 'demo', {})
    await expect(ask(own, homeKpis, { department: 'engineering' })).rejects.toMatchObject({
      exitCode: 2,
      hint: 'Leave --department away: the workspace has no departments.',
    })
  })

  it('that the KPI does not take is refused before anything is asked', async () => {
    const versioned = parseFilters({ version: 'v2.0' })
    const parity = observabilityKpis.find((kpi) => kpi.name === 'environment-parity')
    const run = () => runKpi(database, parity ?? homeKpis, versioned, quietContext())
    await expect(run()).rejects.toMatchObject({
      exitCode: 2,
      message: 'environment-parity takes no --version',
      hint: expect.stringContaining('--department, --environment'),
    })
  })

  it.each(["'; drop table traces; --", '" or 1=1 --', '$1', '\\', "sales' or '1'='1", '\u0000', '%', '{}'])(
    'is never SQL: %j',
    async (value) => {
      for (const name of ['department', 'environment', 'version', 'workspace']) {
        await expect(ask(database, homeKpis, { ...may, [name]: value })).rejects.toMatchObject({
          code: `unknown_${name}`,
          exitCode: 2,
        })
      }
      const [row] = await database.sql`select count(*)::int as count from traces`
      expect(row?.['count']).toBeGreaterThan(8000)
    },
  )

  it('finds values with quotes in them', async () => {
    const own = await testDatabase()
    await installObservability(own.sql)
    await addWorkspace(own.sql, demoWorkspace, "the o'hara; --", { 'r"n\'d': 1 })
    await addTraces(own.sql, [{ timestamp: '2024-05-10T10:10:00Z', department: 'r"n\'d', version: "v'1" }])
    const { data } = await ask(own, homeKpis, {
      ...may,
      workspace: "the o'hara; --",
      department: 'r"n\'d',
      version: "v'1",
    })
    expect(data.requests.value).toBe(1)
  })
})

describe('an answer as of a moment', () => {
  it('stays the same when later traces arrive', async () => {
    const own = await testDatabase()
    await installObservability(own.sql)
    await addWorkspace(own.sql, demoWorkspace, 'demo')
    await addTraces(
      own.sql,
      [
        { timestamp: '2024-05-08T10:10:00Z', version: 'v2.0' },
        { timestamp: '2024-05-10T10:10:00Z', version: 'v2.0' },
      ],
      'early',
    )
    await own.sql`select traces_refresh_rollups()`
    const question = { range: '2d', asOf: '2024-05-10T12:20:00Z' }
    const before = await Promise.all(observabilityKpis.map((kpi) => ask(own, kpi, question)))
    await addTraces(
      own.sql,
      [
        // The moment itself, the same hour, the same day, and later.
        { timestamp: '2024-05-10T12:20:00Z', version: 'v3.0' },
        { timestamp: '2024-05-10T12:40:00Z', version: 'v3.0' },
        { timestamp: '2024-05-10T23:00:00Z', version: 'v3.0' },
        { timestamp: '2024-05-12T10:00:00Z', version: 'v2.0' },
      ],
      'late',
    )
    await own.sql`select traces_refresh_rollups()`
    const after = await Promise.all(observabilityKpis.map((kpi) => ask(own, kpi, question)))
    expect(after.map(({ data }) => data)).toEqual(before.map(({ data }) => data))
    expect(after.map(({ filters_applied }) => filters_applied)).toEqual(
      before.map(({ filters_applied }) => filters_applied),
    )
  })
})

describe('a range without traces', () => {
  it('is pointed out with the time of the newest trace', async () => {
    const { warnings } = await askAndListen(homeKpis, { workspace: 'paper', from: '2024-07-01', to: '2024-07-02' })
    expect(warnings).toEqual([
      'the newest trace is from 2024-06-03T12:30:00.000Z, before the range begins (2024-07-01T00:00:00.000Z); ' +
        '--as-of 2024-06-03T12:30:01.000Z ends the range there',
    ])
  })

  it('is pointed out before the first trace, too', async () => {
    const { warnings } = await askAndListen(homeKpis, { workspace: 'paper', from: '2023-01-01', to: '2023-01-02' })
    expect(warnings).toEqual(['the workspace has no traces before 2023-01-02T00:00:00.000Z'])
  })

  it('is pointed out when it is a part of the period before', async () => {
    const { warnings } = await askAndListen(homeKpis, { workspace: 'demo', from: '2024-05-03', to: '2024-05-07' })
    expect(warnings).toEqual([
      'the period before begins 2024-04-29T00:00:00.000Z and traces only 2024-05-01T00:13:07.250Z; ' +
        'changes compare with a part of it',
    ])
  })

  it('is the only thing that is pointed out', async () => {
    const { warnings } = await askAndListen(homeKpis, { workspace: 'demo', from: '2024-05-11', to: '2024-05-21' })
    expect(warnings).toEqual([])
  })
})

describe('the schema', () => {
  it('is asked for when the tables are missing', async () => {
    const own = await testDatabase()
    await expect(ask(own, homeKpis, may)).rejects.toMatchObject({
      code: 'schema_missing',
      exitCode: 1,
      hint: expect.stringContaining('obs migrate up'),
      details: { missing: expect.arrayContaining(['traces', 'traces_daily', 'workspaces']) },
    })
  })

  it('may have any name', async () => {
    const own = await testDatabase()
    await installObservability(own.sql)
    await addWorkspace(own.sql, demoWorkspace, 'demo')
    await addTraces(own.sql, [{ timestamp: '2024-05-10T10:10:00Z' }])
    await own.sql.unsafe('alter schema public rename to "My ""Schema"')
    const run = (schema: string) => runKpi(own, homeKpis, parseFilters(may), quietContext(), { schema })
    await expect(run('public')).rejects.toMatchObject({ code: 'schema_missing' })
    expect((await run('My "Schema')).data.requests.value).toBe(1)
  })
})
