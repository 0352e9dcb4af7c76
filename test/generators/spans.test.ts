import { afterAll, beforeAll, expect, it } from 'vitest'
import { complaints, validated } from '../validators/observability/support.js'
import { count, seedSmall, templates } from './seeding.js'

let databases: Awaited<ReturnType<typeof templates>>
beforeAll(async () => {
  databases = await templates()
})
afterAll(() => databases?.drop())

it('loads the steps of every trace beside the same traces, and every check is content', {
  timeout: 120_000,
}, async () => {
  const [plain, stepwise] = [await databases.migrated(), await databases.migrated()]
  const options = { days: 14, scale: 0.02 }
  const without = await seedSmall(plain, options)
  const run = await seedSmall(stepwise, { ...options, spans: true })
  expect(run.run_id).toBe(without.run_id)
  expect(await hashOfTraces(stepwise.sql)).toEqual(await hashOfTraces(plain.sql))
  expect(run.tables['spans']?.rows).toBe(await count(stepwise.sql, 'spans'))
  expect(run.tables['spans']?.rows).toBeGreaterThan(4 * (run.tables['traces']?.rows ?? 0))
  expect(await count(stepwise.sql, 'spans_default')).toBe(0)
  const result = await validated(stepwise, 'integrity')
  expect(complaints(result)).toEqual({})
  const spans = result.checks.filter(({ id }) => id.startsWith('integrity.spans'))
  expect(spans.map(({ status }) => status)).toEqual(spans.map(() => 'passed'))

  await stepwise.sql`update spans set cost_usd = cost_usd + 0.000001 where ctid = (select min(ctid) from spans where kind = 'llm') and kind = 'llm'`
  await stepwise.sql`update spans set duration_ms = duration_ms + 1000000 where ctid = (select max(ctid) from spans where kind = 'tool') and kind = 'tool'`
  expect(Object.keys(complaints(await validated(stepwise, 'integrity'))).sort()).toEqual([
    'integrity.spans_add_up',
    'integrity.spans_contained',
  ])
  const replaced = await seedSmall(stepwise, { ...options, mode: 'replace' })
  expect(replaced.replaced['spans']).toBe(run.tables['spans']?.rows)
  expect(await count(stepwise.sql, 'spans')).toBe(0)
})

function hashOfTraces(sql: Parameters<typeof count>[0]) {
  return sql.unsafe(`select md5(string_agg(md5(t::text), '' order by id)) as hash from traces t`)
}
