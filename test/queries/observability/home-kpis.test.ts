import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FilterText } from '../../../src/queries/filters.js'
import { homeKpis } from '../../../src/queries/observability/home-kpis.js'
import { demoWorkspace } from '../../support/observability.js'
import { ask, openPreparedDatabase, paperQuestion } from '../support.js'

let database: Awaited<ReturnType<typeof openPreparedDatabase>>

beforeAll(async () => {
  database = await openPreparedDatabase()
})

afterAll(() => database.close())

describe('home-kpis', () => {
  it('gives the numbers that paper gives', async () => {
    const { data } = await ask(database, homeKpis, paperQuestion)
    expect(data).toMatchObject({
      requests: { value: 4, previous: 2, change: 2, change_percent: 100 },
      latency_ms: {
        avg: { value: 2500, previous: 1000, change: 1500, change_percent: 150 },
        p50: { value: 2500, previous: 1000 },
        p90: { value: 3700, previous: 1400 },
        p95: { value: 3850, previous: 1450 },
        p99: { value: 3970, previous: 1490 },
      },
      errors: {
        rate_percent: { value: 50, previous: 50, change: 0, change_percent: 0 },
        count: 2,
        by_kind: [
          { kind: 'rate_limit', count: 1, share_percent: 50 },
          { kind: 'timeout', count: 1, share_percent: 50 },
        ],
      },
      cost_usd: {
        total: { value: 0.6, previous: 0.2, change: 0.4, change_percent: 200 },
        by_provider: [
          { provider: 'anthropic', requests: 1, cost_usd: { value: 0.3, previous: null }, share_percent: 50 },
          { provider: 'openai', requests: 2, cost_usd: { value: 0.3, previous: 0.2 }, share_percent: 50 },
          { provider: 'unknown', requests: 1, cost_usd: { value: 0 }, share_percent: 0 },
        ],
      },
      quality: {
        average_score: { value: 80, previous: 60, change: 20, change_percent: 33.33 },
        evaluations: 2,
        passing_percent: 50,
      },
      by_department: [
        {
          department: 'engineering',
          requests: { value: 2, previous: 1 },
          share_percent: 50,
          error_rate_percent: 50,
          latency_avg_ms: 1500,
          latency_p95_ms: 1950,
          cost_usd: 0.3,
        },
        { department: 'sales', requests: { value: 2, previous: 1 }, latency_avg_ms: 3500, cost_usd: 0.3 },
      ],
      series: { step: 'hour' },
    })
  })

  it('shows every hour of the range, empty ones too', async () => {
    const { data } = await ask(database, homeKpis, paperQuestion)
    const { points } = data.series
    expect(points).toHaveLength(49)
    expect(points.filter((point) => point.requests > 0)).toEqual([
      { at: '2024-06-01T12:00:00.000Z', requests: 1, errors: 0 },
      { at: '2024-06-02T00:00:00.000Z', requests: 1, errors: 1 },
      { at: '2024-06-02T10:00:00.000Z', requests: 1, errors: 0 },
      { at: '2024-06-03T12:00:00.000Z', requests: 1, errors: 1 },
    ])
  })

  it('has no change when there is nothing before', async () => {
    const { data } = await ask(database, homeKpis, { workspace: 'paper', from: '2024-05-31', to: '2024-06-03' })
    expect(data.requests).toEqual({ value: 5, previous: null, change: null, change_percent: null })
    expect(data.latency_ms.p95.change).toBeNull()
    expect(data.cost_usd.total.change).toBeNull()
  })

  it('answers an empty range with zeros and nulls', async () => {
    const { data } = await ask(database, homeKpis, { workspace: 'paper', from: '2023-01-01', to: '2023-01-08' })
    expect(data).toMatchObject({
      requests: { value: 0 },
      latency_ms: { avg: { value: null }, p50: { value: null } },
      errors: { rate_percent: { value: null }, count: 0, by_kind: [] },
      cost_usd: { total: { value: 0 }, by_provider: [] },
      quality: { average_score: { value: null }, evaluations: 0, passing_percent: null },
    })
    expect(data.series.points).toHaveLength(7)
  })

  it.each<FilterText>([
    { from: '2024-05-10', to: '2024-05-20' },
    { from: '2024-05-10T10:17:00Z', to: '2024-05-25T03:43:12.345Z' },
    { from: '2024-05-12T10:17:00Z', to: '2024-05-12T10:59:00Z' },
    { from: '2024-05-10T10:17:00Z', to: '2024-05-25T03:43:12.345Z', department: 'sales' },
    { from: '2024-05-10T10:17:00Z', to: '2024-05-25T03:43:12.345Z', environment: 'staging' },
    { from: '2024-05-10T10:17:00Z', to: '2024-05-25T03:43:12.345Z', version: 'v2.0' },
    {
      from: '2024-05-10',
      to: '2024-06-02T12:00:00Z',
      department: 'engineering',
      environment: 'production',
      version: 'v2.0',
    },
  ])('agrees with plain SQL for %j', async (question) => {
    const { data } = await ask(database, homeKpis, { workspace: 'demo', ...question })
    const expected = await plainSums(question)
    expect(expected.requests).toBeGreaterThan(0)
    expect({
      requests: data.requests.value,
      avg: data.latency_ms.avg.value,
      p50: data.latency_ms.p50.value,
      p99: data.latency_ms.p99.value,
      rate: data.errors.rate_percent.value,
      cost: data.cost_usd.total.value,
      quality: data.quality.average_score.value,
      evaluations: data.quality.evaluations,
    }).toEqual(expected)
    const { by_department, series, cost_usd, errors } = data
    const sum = (numbers: readonly number[]) => numbers.reduce((total, next) => total + next, 0)
    expect(sum(by_department.map((row) => row.requests.value ?? 0))).toBe(expected.requests)
    expect(sum(series.points.map((point) => point.requests))).toBe(expected.requests)
    expect(sum(cost_usd.by_provider.map((row) => row.requests))).toBe(expected.requests)
    expect(sum(cost_usd.by_provider.map((row) => row.cost_usd.value ?? 0))).toBeCloseTo(expected.cost ?? 0, 6)
    expect(sum(errors.by_kind.map((row) => row.count))).toBe(errors.count)
  })

  it('names the kinds of errors by what their texts begin with', async () => {
    const { data } = await ask(database, homeKpis, { workspace: 'demo', from: '2024-05-10', to: '2024-05-30' })
    expect(data.errors.by_kind.map((row) => row.kind).sort()).toEqual(['other', 'rate_limit', 'timeout'])
  })
})

/** The same numbers without rollups, Kysely or any of the code under test. */
async function plainSums({ from = '', to = '', department, environment, version }: FilterText) {
  const { sql } = database
  const [row] = await sql`
    with chosen as (
      select t.* from traces t
      join departments d on d.id = t.department_id and d.workspace_id = t.workspace_id
      join environments e on e.id = t.environment_id and e.workspace_id = t.workspace_id
      where t.workspace_id = ${demoWorkspace}
        and (${department ?? null}::text is null or d.department_code = ${department ?? null})
        and (${environment ?? null}::text is null or e.environment_code = ${environment ?? null})
        and (${version ?? null}::text is null or t.version = ${version ?? null})
    ), inside as (
      select * from chosen where timestamp >= ${from}::timestamptz and timestamp < ${to}::timestamptz
    ), scores as (
      select e.score from evaluations e join chosen c on c.trace_id = e.trace_id
      where e.created_at >= ${from}::timestamptz and e.created_at < ${to}::timestamptz
    )
    select count(*)::int as requests,
           round(avg(latency_ms), 1)::float8 as avg,
           round((percentile_cont(0.5) within group (order by latency_ms))::numeric, 1)::float8 as p50,
           round((percentile_cont(0.99) within group (order by latency_ms))::numeric, 1)::float8 as p99,
           round(100.0 * count(*) filter (where status <> 'success') / count(*), 2)::float8 as rate,
           sum(cost_usd)::float8 as cost,
           (select round(avg(score), 2)::float8 from scores) as quality,
           (select count(*)::int from scores) as evaluations
    from inside`
  return row as { readonly requests: number; readonly cost: number | null }
}
