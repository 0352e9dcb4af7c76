import { beforeAll, describe, expect, it } from 'vitest'
import { departments } from '../../../src/generators/observability/departments.js'
import type { SeedPlan } from '../../../src/generators/pack.js'
import { generate, idOf, planOf, type Row, referenceRows } from './history.js'

describe('a generated history', () => {
  let plan: SeedPlan
  let traces: Row[]
  let evaluations: Row[]
  let closing: Awaited<ReturnType<SeedPlan['closing']>>

  beforeAll(async () => {
    plan = planOf({ scale: 0.05 })
    ;({ traces, evaluations } = await generate(plan))
    closing = await plan.closing()
  }, 60_000)

  it('has as many traces as the plan said', async () => {
    const [fact] = await plan.facts(() => 'id')
    expect(traces).toHaveLength(fact?.rows ?? 0)
    expect(traces.length).toBeGreaterThan(15_000)
  })

  it('gives every trace an id of 32 hexadecimal digits of its own', () => {
    expect(traces.every(({ trace_id }) => /^[0-9a-f]{32}$/.test(trace_id ?? ''))).toBe(true)
    expect(new Set(traces.map(({ trace_id }) => trace_id)).size).toBe(traces.length)
    expect(new Set(traces.map(({ trace_id }) => trace_id?.slice(16))).size).toBe(traces.length)
  })

  it('asks nobody before he signed up, and only people of the agent’s department', () => {
    const users = new Map(referenceRows(closing, 'users').map((user) => [user['user_id'], user]))
    for (const trace of traces) {
      const user = users.get(trace['user_id'] ?? '')
      expect(Date.parse(user?.['signed_up_at'] ?? '')).toBeLessThan(Date.parse(trace['timestamp'] ?? ''))
      expect(user?.['department_id']).toBe(trace['department_id'])
      expect(user?.['user_segment']).toBe(trace['user_segment'])
    }
  })

  it('says when each user was last there', () => {
    const seen = new Map<string | null, number>()
    for (const { user_id, timestamp } of traces) {
      seen.set(user_id ?? null, Math.max(seen.get(user_id ?? null) ?? 0, Math.floor(Date.parse(timestamp ?? ''))))
    }
    for (const user of referenceRows(closing, 'users')) {
      const last = seen.get(user['user_id'] ?? null)
      expect(user['last_seen_at'] && Math.floor(Date.parse(user['last_seen_at']))).toBe(last ?? null)
    }
  })

  it('names agents that exist, in departments that exist, deprecated ones with a replacement that exists', () => {
    const agents = referenceRows(closing, 'agents')
    const ids = new Set(agents.map(({ agent_id }) => agent_id))
    const codes = new Set(departments.map(({ code }) => code))
    expect(traces.every(({ agent_id }) => ids.has(agent_id ?? null))).toBe(true)
    expect(agents.every(({ agent_id }) => codes.has(agent_id?.split('-')[0] ?? ''))).toBe(true)
    const deprecated = agents.filter(({ status }) => status === 'deprecated')
    expect(deprecated.length).toBeGreaterThan(0)
    expect(deprecated.every(({ replacement_agent_id }) => ids.has(replacement_agent_id ?? null))).toBe(true)
  })

  it('keeps beta agents out of production', () => {
    const beta = new Set(
      referenceRows(closing, 'agents')
        .filter(({ status }) => status === 'beta')
        .map(({ agent_id }) => agent_id),
    )
    const own = traces.filter(({ agent_id }) => beta.has(agent_id ?? null))
    expect(own.length).toBeGreaterThan(0)
    expect(own.filter(({ environment_id }) => environment_id === idOf('environments', 'production'))).toEqual([])
  })

  it('evaluates traces that exist, after they happened and before the window closes', () => {
    const byId = new Map(traces.map((trace) => [trace['trace_id'], trace]))
    expect(evaluations.length / traces.length).toBeGreaterThan(0.085)
    expect(evaluations.length / traces.length).toBeLessThan(0.115)
    for (const evaluation of evaluations) {
      const trace = byId.get(evaluation['trace_id'] ?? null)
      expect(trace).toMatchObject({ agent_id: evaluation['agent_id'], timestamp: evaluation['trace_timestamp'] })
      const [happened, judged] = [Date.parse(trace?.['timestamp'] ?? ''), Date.parse(evaluation['created_at'] ?? '')]
      expect(judged).toBeGreaterThan(happened)
      expect(judged).toBeLessThan(plan.window.to)
    }
    expect(new Set(evaluations.map(({ id }) => id)).size).toBe(evaluations.length)
    expect(
      evaluations.every(({ id }) =>
        /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id ?? ''),
      ),
    ).toBe(true)
  })

  it('shows every incident in the rows it is about', () => {
    const kinds = plan.incidents.map(({ kind }) => kind)
    expect([...kinds].sort()).toEqual(['bad_canary', 'cost_runaway', 'error_burst', 'latency_spike', 'provider_outage'])
    for (const { from, to, summary } of plan.incidents) {
      expect(Date.parse(from)).toBeGreaterThanOrEqual(plan.window.from)
      expect(Date.parse(to)).toBeLessThanOrEqual(plan.window.to)
      expect(Date.parse(from)).toBeLessThan(Date.parse(to))
      expect(summary).toMatch(/^On \d{4}-\d\d-\d\d from .* UTC .*\.$/)
    }
  })

  it('puts a number into every prompt', () => {
    expect(traces.filter(({ input }) => !/\d{5}/.test(input ?? '') || /[{}]/.test(input ?? ''))).toEqual([])
  })
})

it('generates a day alone as it does in the midst of its window', async () => {
  const plan = planOf({ scale: 0.05, days: 10 })
  const whole = await generate(plan)
  const day = { from: Date.parse('2026-11-17T00:00:00Z'), to: Date.parse('2026-11-18T00:00:00Z') }
  const alone = await generate(planOf({ scale: 0.05, days: 10 }), [day])
  const inWhole = whole.traces.filter(({ timestamp }) => timestamp?.startsWith('2026-11-17'))
  expect(alone.traces.length).toBeGreaterThan(100)
  expect(alone.traces).toEqual(inWhole)
})

it.each([
  ['2026-11-22T00:00:00Z', 1],
  ['2026-11-22T09:31:07Z', 1],
  ['2024-03-01T00:00:01Z', 2],
  ['2000-01-01T23:59:59Z', 40],
])('keeps every timestamp of the window up to %s, %d days long, inside it', async (end, days) => {
  const plan = planOf({ asOf: new Date(end), days, scale: 0.1 })
  const { traces } = await generate(plan)
  const times = traces.map(({ timestamp }) => Date.parse(timestamp ?? ''))
  expect(traces.length).toBeGreaterThan(10)
  expect(Math.min(...times)).toBeGreaterThanOrEqual(plan.window.from)
  expect(Math.max(...times)).toBeLessThan(plan.window.to)
  expect(
    traces.every(({ timestamp }) => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/.test(timestamp ?? '')),
  ).toBe(true)
})

it('makes the failures, the delay and the cost of its incidents visible', async () => {
  const plan = planOf({ scale: 0.5 })
  const { traces } = await generate(
    plan,
    plan.incidents.map(({ from, to }) => wholeDays(from, to)),
  )
  const incident = (kind: string) => plan.incidents.find((candidate) => candidate.kind === kind)
  const during = (kind: string) => {
    const { from, to } = incident(kind) ?? { from: '', to: '' }
    return traces.filter(({ timestamp }) => isBetween(timestamp, from, to))
  }
  const outage = during('provider_outage').filter(
    ({ model_provider }) => model_provider === incident('provider_outage')?.affected['provider'],
  )
  expect(failureShare(outage)).toBeGreaterThan(0.7)
  const burst = new Set(incident('error_burst')?.affected['agents'])
  expect(failureShare(during('error_burst').filter(({ agent_id }) => burst.has(agent_id ?? '')))).toBeGreaterThan(0.2)
  const canary = incident('bad_canary')?.affected['version']
  expect(failureShare(during('bad_canary').filter(({ version }) => version === canary))).toBeGreaterThan(0.15)
  const runaway = new Set(incident('cost_runaway')?.affected['agents'])
  const costs = during('cost_runaway')
  const dear = average(
    costs.filter(({ agent_id }) => runaway.has(agent_id ?? '')),
    'tokens_input',
  )
  expect(
    dear /
      average(
        costs.filter(({ agent_id }) => !runaway.has(agent_id ?? '')),
        'tokens_input',
      ),
  ).toBeGreaterThan(3)
  const slow = idOf('departments', `${incident('latency_spike')?.affected['department']}`)
  const spike = during('latency_spike')
  const others = average(
    spike.filter(({ department_id }) => department_id !== slow),
    'latency_ms',
  )
  expect(
    average(
      spike.filter(({ department_id }) => department_id === slow),
      'latency_ms',
    ) / others,
  ).toBeGreaterThan(2)
})

function wholeDays(from: string, to: string): { from: number; to: number } {
  return { from: Date.parse(`${from.slice(0, 10)}T00:00:00Z`), to: Date.parse(`${to.slice(0, 10)}T23:59:59.999Z`) + 1 }
}

function isBetween(timestamp: string | null | undefined, from: string, to: string): boolean {
  const time = Date.parse(timestamp ?? '')
  return time >= Date.parse(from) && time < Date.parse(to)
}

function failureShare(rows: readonly Row[]): number {
  return rows.filter(({ status }) => status !== 'success').length / rows.length
}

function average(rows: readonly Row[], column: string): number {
  return rows.reduce((sum, row) => sum + Number(row[column]), 0) / rows.length
}
