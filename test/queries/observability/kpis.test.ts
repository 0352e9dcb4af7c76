import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quietContext } from '../../../src/context.js'
import { costByDepartment } from '../../../src/queries/observability/cost-by-department.js'
import { environmentParity } from '../../../src/queries/observability/environment-parity.js'
import { intentDistribution } from '../../../src/queries/observability/intent-distribution.js'
import { versionAdoption } from '../../../src/queries/observability/version-adoption.js'
import { addTraces, addWorkspace, demoWorkspace } from '../../support/observability.js'
import { ask, openPreparedDatabase, paperQuestion } from '../support.js'

let database: Awaited<ReturnType<typeof openPreparedDatabase>>

beforeAll(async () => {
  database = await openPreparedDatabase()
})

afterAll(() => database.close())

/** Begins and ends within an hour, so that every table has a part of it. */
const crooked = { workspace: 'demo', from: '2024-05-10T10:17:00Z', to: '2024-05-25T03:43:12.345Z' }
const inside = () => database.sql`
  t.workspace_id = ${demoWorkspace} and timestamp >= ${crooked.from}::timestamptz and timestamp < ${crooked.to}::timestamptz`

describe('cost-by-department', () => {
  it('gives the numbers that paper gives', async () => {
    const { data } = await ask(database, costByDepartment, paperQuestion)
    expect(data).toEqual({
      total: {
        cost_usd: { value: 0.6, previous: 0.2, change: 0.4, change_percent: 200 },
        requests: 4,
        cost_per_request_usd: 0.15,
        budget_usd: 0.2,
        budget_used_percent: 300,
      },
      departments: [
        {
          department: 'engineering',
          name: 'engineering',
          cost_usd: { value: 0.3, previous: 0.05, change: 0.25, change_percent: 500 },
          share_percent: 50,
          requests: 2,
          cost_per_request_usd: 0.15,
          monthly_budget_usd: 3,
          budget_usd: 0.2,
          budget_used_percent: 150,
          top_agents: [
            { agent_id: 'b', cost_usd: 0.2, requests: 1, share_percent: 66.67 },
            { agent_id: 'a', cost_usd: 0.1, requests: 1, share_percent: 33.33 },
          ],
        },
        {
          department: 'sales',
          name: 'sales',
          cost_usd: { value: 0.3, previous: 0.15, change: 0.15, change_percent: 100 },
          share_percent: 50,
          requests: 2,
          cost_per_request_usd: 0.15,
          monthly_budget_usd: null,
          budget_usd: null,
          budget_used_percent: null,
          top_agents: [{ agent_id: 'engineering-code-assistant-1', cost_usd: 0.3, requests: 2, share_percent: 100 }],
        },
      ],
    })
  })

  it('agrees with plain SQL', async () => {
    const { data } = await ask(database, costByDepartment, crooked)
    const expected = await database.sql`
      select department_code as department, count(*)::int as requests, sum(cost_usd)::float8 as cost
      from traces t join departments d on d.id = t.department_id
      where ${inside()} group by 1 order by 3 desc`
    const found = data.departments.filter((row) => row.requests > 0)
    expect(
      found.map((row) => ({ department: row.department, requests: row.requests, cost: row.cost_usd.value })),
    ).toEqual([...expected])
    expect(expected).toHaveLength(2)
  })

  it('lists a department that spent nothing', async () => {
    const { data } = await ask(database, costByDepartment, crooked)
    expect(data.departments.at(-1)).toMatchObject({ department: 'support', cost_usd: { value: 0 }, top_agents: [] })
  })

  it('shows one department when one is asked for', async () => {
    const { data } = await ask(database, costByDepartment, { ...paperQuestion, department: 'sales' })
    expect(data.departments.map((row) => row.department)).toEqual(['sales'])
    expect(data.total.cost_usd.value).toBe(0.3)
  })
})

describe('intent-distribution', () => {
  it('gives the numbers that paper gives', async () => {
    const { data } = await ask(database, intentDistribution, paperQuestion)
    expect(data.requests).toBe(4)
    expect(data.intents).toEqual([
      { intent: 'research', requests: 2, share_of_total_percent: 50, error_rate_percent: 50, latency_avg_ms: 3500 },
      { intent: 'automation', requests: 1, share_of_total_percent: 25, error_rate_percent: 100, latency_avg_ms: 2000 },
      {
        intent: 'code_generation',
        requests: 1,
        share_of_total_percent: 25,
        error_rate_percent: 0,
        latency_avg_ms: 1000,
      },
    ])
    expect(data.departments).toMatchObject([
      {
        department: 'engineering',
        requests: 2,
        share_of_total_percent: 50,
        intents: [
          { intent: 'automation', requests: 1, share_of_department_percent: 50, share_of_total_percent: 25 },
          { intent: 'code_generation', requests: 1, share_of_department_percent: 50, share_of_total_percent: 25 },
        ],
      },
      {
        department: 'sales',
        requests: 2,
        intents: [{ intent: 'research', requests: 2, share_of_department_percent: 100, share_of_total_percent: 50 }],
      },
    ])
  })

  it('agrees with plain SQL', async () => {
    const { data } = await ask(database, intentDistribution, crooked)
    const expected = await database.sql`
      select department_code as department, intent_category as intent, count(*)::int as requests
      from traces t join departments d on d.id = t.department_id
      where ${inside()} group by 1, 2 order by 1, 2`
    const found = data.departments.flatMap(({ department, intents }) =>
      intents.map(({ intent, requests }) => ({ department, intent, requests })),
    )
    const key = (row: { department: string; intent: string }) => `${row.department} ${row.intent}`
    expect(found.sort((a, b) => (key(a) < key(b) ? -1 : 1))).toEqual([...expected])
    expect(expected.length).toBeGreaterThan(2)
  })
})

describe('version-adoption', () => {
  it('gives the numbers that paper gives', async () => {
    const { data } = await ask(database, versionAdoption, paperQuestion)
    expect(data).toEqual({
      versions: [
        {
          version: 'v2.1',
          first_seen: '2024-06-02',
          requests: 2,
          share_percent: 50,
          current_share_percent: 100,
          error_rate_percent: 50,
          latency_avg_ms: 3500,
        },
        {
          version: 'v2.0',
          first_seen: '2024-05-31',
          requests: 2,
          share_percent: 50,
          current_share_percent: 0,
          error_rate_percent: 50,
          latency_avg_ms: 1500,
        },
      ],
      days: [
        { day: '2024-06-01', requests: 1, shares: { 'v2.0': 100 } },
        { day: '2024-06-02', requests: 2, shares: { 'v2.0': 50, 'v2.1': 50 } },
        { day: '2024-06-03', requests: 1, shares: { 'v2.1': 100 } },
      ],
      crossovers: [{ day: '2024-06-03', from: 'v2.0', to: 'v2.1' }],
    })
  })

  it('leaves the lead where it is on a tie and on a day without requests', async () => {
    const workspace = '8f14e45f-ceea-4e7a-9b1c-0242ac120005'
    await addWorkspace(database.sql, workspace, 'ties')
    const row = (day: number, version: string) => ({ workspace, timestamp: `2024-02-0${day}T10:00:00Z`, version })
    await addTraces(
      database.sql,
      [row(1, 'v2.1'), row(2, 'v2.0'), row(2, 'v2.1'), row(4, 'v2.1'), row(5, 'v2.0'), row(6, 'v2.0'), row(6, 'v2.1')],
      'ties',
    )
    const { data } = await ask(database, versionAdoption, { workspace: 'ties', from: '2024-02-01', to: '2024-02-07' })
    expect(data.crossovers).toEqual([{ day: '2024-02-05', from: 'v2.1', to: 'v2.0' }])
  })

  it('agrees with plain SQL day by day', async () => {
    const { data } = await ask(database, versionAdoption, crooked)
    const expected = await database.sql`
      select to_char(timestamp at time zone 'UTC', 'YYYY-MM-DD') as day, version,
             round(100.0 * count(*) / sum(count(*)) over (partition by to_char(timestamp at time zone 'UTC', 'YYYY-MM-DD')), 2)::float8 as share
      from traces t where ${inside()} group by 1, 2 order by 1, 2`
    const found = data.days.flatMap(({ day, shares }) =>
      Object.entries(shares)
        .sort()
        .map(([version, share]) => ({ day, version, share })),
    )
    expect(found).toEqual([...expected])
    expect(data.days).toHaveLength(16)
  })
})

describe('environment-parity', () => {
  const workspace = '8f14e45f-ceea-4e7a-9b1c-0242ac120004'
  const question = { workspace: 'parity', from: '2024-03-01', to: '2024-03-02' }

  beforeAll(async () => {
    await addWorkspace(database.sql, workspace, 'parity')
    const production = Array.from({ length: 40 }, (_, index) => ({
      workspace,
      timestamp: new Date(Date.UTC(2024, 2, 1, 0, index)).toISOString(),
      latency: 1000,
      cost: 0.01,
      status: index === 0 ? ('error' as const) : ('success' as const),
      version: index < 10 ? 'v2.0' : 'v2.1',
    }))
    const staging = ['2024-03-01T10:00:00Z', '2024-03-01T11:00:00Z'].map((timestamp) => ({
      workspace,
      timestamp,
      environment: 'staging',
      latency: 2000,
      cost: 0.02,
      version: 'v2.1',
    }))
    await addTraces(database.sql, [...production, ...staging], 'parity')
    await database.sql`select traces_refresh_rollups()`
  })

  it('scores what paper scores', async () => {
    const { data } = await ask(database, environmentParity, question)
    expect(data.production).toMatchObject({
      environment: 'production',
      requests: 40,
      error_rate_percent: 2.5,
      latency_p50_ms: 1000,
      versions: { 'v2.0': 25, 'v2.1': 75 },
    })
    // 0.25 × 50 + 0.2 × 50 + 0.2 × 50 + 0.15 × 50 + 0.2 × 75
    expect(data.environments).toMatchObject([
      { environment: 'development', requests: 0, score: null, components: null },
      {
        environment: 'staging',
        requests: 2,
        score: 55,
        components: { errors: 50, latency_p50: 50, latency_p95: 50, cost: 50, versions: 75 },
      },
    ])
  })

  it('compares one environment when one is asked for', async () => {
    const { data } = await ask(database, environmentParity, { ...question, environment: 'staging' })
    expect(data.environments.map((row) => [row.environment, row.score])).toEqual([['staging', 55]])
  })

  it('says so when production has no requests', async () => {
    const warnings: string[] = []
    const { progress, signal } = quietContext()
    const context = { progress: { ...progress, warn: (text: string) => warnings.push(text) }, signal }
    const { data } = await ask(database, environmentParity, { ...question, department: 'sales' }, context)
    expect(data.production).toBeNull()
    expect(data.environments.map((row) => row.score)).toEqual([null, null])
    expect(warnings.join()).toContain('production has no requests')
  })
})
