import { beforeAll, expect, it } from 'vitest'
import { generate, planOf, type Row } from './history.js'

let traces: Row[]
/** The spans of each trace, the whole first. */
let byTrace: Map<string | null, Row[]>

beforeAll(async () => {
  const history = await generate(planOf({ scale: 0.1, days: 6, spans: true }))
  traces = history.traces
  byTrace = new Map(traces.map(({ trace_id }) => [trace_id ?? null, []]))
  for (const span of history.spans) byTrace.get(span['trace_id'] ?? null)?.push(span)
}, 60_000)

const start = (span: Row) => Date.parse(span['started_at'] ?? '')
const end = (span: Row) => start(span) + Number(span['duration_ms'])
const sum = (spans: readonly Row[], column: string) =>
  Math.round(spans.reduce((total, span) => total + Number(span[column] ?? 0), 0) * 1_000_000)

it('leaves every other row as it is without them', async () => {
  const without = await generate(planOf({ scale: 0.1, days: 6 }))
  expect(traces).toEqual(without.traces)
  expect(without.spans).toEqual([])
})

it('gives every trace 4 to 25 spans, with ids of their own, of which the first is the agent and as long as the trace', () => {
  const counts = [...byTrace.values()].map(({ length }) => length)
  expect(Math.min(...counts)).toBe(4)
  expect(Math.max(...counts)).toBeGreaterThan(20)
  expect(Math.max(...counts)).toBeLessThanOrEqual(25)
  for (const trace of traces) {
    const [whole, ...parts] = byTrace.get(trace['trace_id'] ?? null) ?? []
    expect(whole).toMatchObject({
      ...{ kind: 'agent', operation: 'invoke_agent', parent_span_id: null, name: `invoke_agent ${trace['agent_id']}` },
      ...{ started_at: trace['timestamp'], duration_ms: trace['latency_ms'], status: trace['status'] },
    })
    expect(new Set([whole, ...parts].map((span) => span?.['span_id'])).size).toBe(parts.length + 1)
  }
})

it('keeps every span within the one it is a part of', () => {
  for (const spans of byTrace.values()) {
    const byId = new Map(spans.map((span) => [span['span_id'], span]))
    for (const span of spans.slice(1)) {
      const parent = byId.get(span['parent_span_id'] ?? null) as Row
      expect(parent['kind']).toBe('agent')
      expect(start(span)).toBeGreaterThanOrEqual(start(parent))
      expect(end(span)).toBeLessThanOrEqual(end(parent))
    }
  }
})

it('lets no two steps of the same agent overlap', () => {
  for (const spans of byTrace.values()) {
    for (const [i, span] of spans.entries()) {
      const next = spans.slice(i + 1).find((other) => other['parent_span_id'] === span['parent_span_id'])
      if (next && i > 0) expect(start(next)).toBeGreaterThanOrEqual(end(span))
    }
  }
})

it('puts tokens and cost down to calls of the model alone, and they add up to those of the trace', () => {
  for (const trace of traces) {
    const spans = byTrace.get(trace['trace_id'] ?? null) ?? []
    const calls = spans.filter(({ kind }) => kind === 'llm')
    expect(calls.length).toBeGreaterThan(0)
    expect(calls.every(({ model, name }) => model === trace['model'] && name === `chat ${model}`)).toBe(true)
    for (const column of ['tokens_input', 'tokens_output', 'cost_usd']) {
      expect(sum(calls, column)).toBe(sum([trace], column))
      expect(spans.filter((span) => span['kind'] !== 'llm' && span[column] !== null)).toEqual([])
    }
  }
})

it('names tools after what the agent is asked for, and ends a failed trace with the step that failed', () => {
  const tools = new Set([...byTrace.values()].flat().map((span) => span['tool_name']))
  expect(tools.size).toBeGreaterThan(15)
  const failed = traces.filter(({ status }) => status !== 'success')
  expect(failed.length).toBeGreaterThan(10)
  for (const trace of failed) {
    const last = byTrace.get(trace['trace_id'] ?? null)?.at(-1)
    expect(last).toMatchObject({ status: trace['status'], error: trace['error'] })
    expect(last?.['kind']).toBe(trace['error']?.startsWith('tool_error') ? 'tool' : 'llm')
  }
  const others = traces.filter(({ status }) => status === 'success')
  expect(
    others.flatMap(({ trace_id }) => byTrace.get(trace_id ?? null) ?? []).every(({ error }) => error === null),
  ).toBe(true)
})
