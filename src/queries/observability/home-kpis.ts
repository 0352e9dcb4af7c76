import { sql } from 'kysely'
import { type Fact, inScope, sumFacts } from './facts.js'
import { warnOfPartialPast } from './first-trace.js'
import { homeKpisLayout, homeKpisTable } from './home-kpis-layout.js'
import { type Percentiles, percentilesBy } from './latency.js'
import { digits, type Measure, measure, percentOf, quotient, rounded, total } from './measures.js'
import { observabilityKpi, type Question } from './question.js'
import { departmentsOf } from './reference.js'
import { type Step, stepOf, stepsOf, withPeriodBefore } from './windows.js'

export interface HomeKpis {
  readonly requests: Measure
  readonly latency_ms: Readonly<Record<'avg' | keyof Percentiles, Measure>>
  readonly errors: {
    readonly rate_percent: Measure
    readonly count: number
    readonly by_kind: readonly {
      readonly kind: string
      readonly count: number
      readonly share_percent: number | null
    }[]
  }
  readonly cost_usd: {
    readonly total: Measure
    readonly by_provider: readonly ProviderCost[]
  }
  readonly quality: {
    /** Average of the evaluations' scores, 0 to 100. */
    readonly average_score: Measure
    readonly evaluations: number
    readonly passing_percent: number | null
  }
  readonly by_department: readonly DepartmentKpis[]
  readonly series: {
    readonly step: Step
    readonly points: readonly { readonly at: string; readonly requests: number; readonly errors: number }[]
  }
}

export interface ProviderCost {
  readonly provider: string
  readonly requests: number
  readonly cost_usd: Measure
  readonly share_percent: number | null
}

export interface DepartmentKpis {
  readonly department: string
  readonly name: string
  readonly requests: Measure
  readonly share_percent: number | null
  readonly error_rate_percent: number | null
  readonly latency_avg_ms: number | null
  readonly latency_p95_ms: number | null
  readonly cost_usd: number
}

/** The first page: how much, how fast, how well, at what price, and how that compares with the period before. */
export const homeKpis = observabilityKpi<HomeKpis>({
  name: 'home-kpis',
  summary: 'requests, latency, errors, cost and quality, each against the period before',
  filters: ['department', 'environment', 'version'],
  answer,
  layout: homeKpisLayout,
  table: homeKpisTable,
})

async function answer(question: Question) {
  await warnOfPartialPast(question)
  const periods = withPeriodBefore(question.window)
  const step = stepOf(question.window)
  const sums = await sumFacts(question, ['period', 'department_id', 'model_provider'], periods)
  const series = await sumFacts(question, ['at'], { current: periods.current }, step)
  const latency = (await percentilesBy(question, 'workspace_id', periods.current)).get(question.scope.workspaceId)
  const before = (await percentilesBy(question, 'workspace_id', periods.previous)).get(question.scope.workspaceId)
  const kinds = await errorKinds(question)
  const current = sums.rows.filter((row) => row.period === 'current')
  const previous = sums.rows.filter((row) => row.period === 'previous')
  const data: HomeKpis = {
    requests: measureOf(current, previous, requestsOf, digits.count),
    latency_ms: {
      avg: measureOf(current, previous, averageLatency, digits.ms),
      p50: measure(latency?.p50 ?? null, before?.p50 ?? null, digits.ms),
      p90: measure(latency?.p90 ?? null, before?.p90 ?? null, digits.ms),
      p95: measure(latency?.p95 ?? null, before?.p95 ?? null, digits.ms),
      p99: measure(latency?.p99 ?? null, before?.p99 ?? null, digits.ms),
    },
    errors: {
      rate_percent: measureOf(current, previous, errorRate, digits.percent),
      count: total(current, (row) => row.errors),
      by_kind: kinds,
    },
    cost_usd: {
      total: measureOf(current, previous, costOf, digits.usd),
      by_provider: byProvider(current, previous),
    },
    quality: await qualityOf(question),
    by_department: await byDepartment(question, current, previous),
    series: { step, points: seriesPoints(question, step, series.rows) },
  }
  return { data, source: 'raw' as const }
}

type Row = Fact<'period' | 'department_id' | 'model_provider'>

const requestsOf = (rows: readonly Row[]) => total(rows, (row) => row.requests)
const costOf = (rows: readonly Row[]) => total(rows, (row) => row.cost_usd)
const averageLatency = (rows: readonly Row[]) =>
  quotient(
    total(rows, (row) => row.latency_sum_ms),
    requestsOf(rows),
  )
const errorRate = (rows: readonly Row[]) =>
  percentOf(
    total(rows, (row) => row.errors),
    requestsOf(rows),
  )

/** A period without a single request is one there is nothing to compare with. */
function measureOf(
  current: readonly Row[],
  previous: readonly Row[],
  value: (rows: readonly Row[]) => number | null,
  precision: number,
): Measure {
  return measure(value(current), requestsOf(previous) === 0 ? null : value(previous), precision)
}

/**
 * Failed traces of the window by kind, most frequent first.
 *
 * The kind of a timeout is `timeout`; of any other failure it is the word its error
 * text begins with (`rate_limit: …`), or `other` when the text begins with none.
 */
async function errorKinds(question: Question): Promise<HomeKpis['errors']['by_kind']> {
  const { from, to } = question.window
  const { rows } = await sql<{ kind: string; count: number }>`
    select case when status = 'timeout' then 'timeout'
                else coalesce(lower(substring(error from '^\\s*([A-Za-z]+(?:_[A-Za-z]+)*)\\s*(?::|$)')), 'other')
           end as kind,
           count(*)::float8 as count
    from traces
    where ${inScope(question.scope)} and status in ('error', 'timeout') and timestamp >= ${from} and timestamp < ${to}
    group by kind
    order by count desc, kind`.execute(question.db)
  const all = total(rows, (row) => row.count)
  return rows.map(({ kind, count }) => ({ kind, count, share_percent: percentOf(count, all) }))
}

function byProvider(current: readonly Row[], previous: readonly Row[]): readonly ProviderCost[] {
  const all = costOf(current)
  const of = (rows: readonly Row[], provider: string) => rows.filter((row) => providerOf(row) === provider)
  return [...new Set([...current, ...previous].map(providerOf))]
    .map((provider) => ({
      provider,
      requests: requestsOf(of(current, provider)),
      cost_usd: measureOf(of(current, provider), of(previous, provider), costOf, digits.usd),
      share_percent: percentOf(costOf(of(current, provider)), all),
    }))
    .sort((a, b) => (b.cost_usd.value ?? 0) - (a.cost_usd.value ?? 0) || compare(a.provider, b.provider))
}

function providerOf(row: Row): string {
  return row.model_provider ?? 'unknown'
}

async function byDepartment(
  question: Question,
  current: readonly Row[],
  previous: readonly Row[],
): Promise<readonly DepartmentKpis[]> {
  const departments = await departmentsOf(question)
  const latency = await percentilesBy(question, 'department_id', question.window)
  const all = requestsOf(current)
  const rows = departments.map(({ id, code, name }) => {
    const now = current.filter((row) => row.department_id === id)
    const before = previous.filter((row) => row.department_id === id)
    return {
      department: code,
      name,
      requests: measureOf(now, before, requestsOf, digits.count),
      share_percent: percentOf(requestsOf(now), all),
      error_rate_percent: errorRate(now),
      latency_avg_ms: rounded(averageLatency(now), digits.ms),
      latency_p95_ms: rounded(latency.get(id)?.p95 ?? null, digits.ms),
      cost_usd: rounded(costOf(now), digits.usd),
    }
  })
  return rows.sort((a, b) => (b.requests.value ?? 0) - (a.requests.value ?? 0) || compare(a.department, b.department))
}

interface Quality {
  readonly average: number
  readonly evaluations: number
  readonly passing: number
}

/** Evaluations made in the window; they count for the scope their trace belongs to. */
async function qualityOf(question: Question): Promise<HomeKpis['quality']> {
  const periods = withPeriodBefore(question.window)
  const { rows } = await sql<Quality & { period: 'current' | 'previous' }>`
    select case when evaluations.created_at >= ${periods.current.from} then 'current' else 'previous' end as period,
           avg(score)::float8 as average,
           count(*)::float8 as evaluations,
           (count(*) filter (where is_passing))::float8 as passing
    from evaluations
    where workspace_id = ${question.scope.workspaceId}::uuid
      and created_at >= ${periods.previous.from} and created_at < ${periods.current.to}
      and metric = 'quality' and ${ofTracesInScope(question)}
    group by 1`.execute(question.db)
  const current = rows.find((row) => row.period === 'current')
  const previous = rows.find((row) => row.period === 'previous')
  return {
    average_score: measure(current?.average ?? null, previous?.average ?? null, digits.score),
    evaluations: current?.evaluations ?? 0,
    passing_percent: percentOf(current?.passing ?? 0, current?.evaluations ?? null),
  }
}

/** Evaluations know their trace but not its department, environment or version. */
function ofTracesInScope({ scope }: Question) {
  const { departmentId, environmentId, version } = scope
  if (departmentId === undefined && environmentId === undefined && version === undefined) return sql`true`
  return sql`
    exists (
      select from traces
      where ${inScope(scope)}
        and traces.timestamp = evaluations.trace_timestamp and traces.trace_id = evaluations.trace_id)`
}

function seriesPoints({ window }: Question, step: Step, rows: readonly Fact<'at'>[]) {
  const byTime = new Map(rows.map((row) => [row.at.getTime(), row]))
  return stepsOf(window, step).map((at) => {
    const row = byTime.get(at.getTime())
    return { at: at.toISOString(), requests: row?.requests ?? 0, errors: row?.errors ?? 0 }
  })
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
