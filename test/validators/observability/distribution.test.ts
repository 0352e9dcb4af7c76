import { afterAll, beforeAll, expect, it } from 'vitest'
import { testDatabase, testTemplate } from '../../support/database.js'
import { checkCalled, complaints, migrateMvp, plant, seedHistory, validated } from './support.js'

let template: Awaited<ReturnType<typeof testTemplate>>

beforeAll(async () => {
  template = await testTemplate(async (database) => {
    await migrateMvp(database)
    await seedHistory(database, 14, 0.3)
  })
}, 180_000)

afterAll(() => template?.drop())

it('finds a generated history believable in every respect', async () => {
  const result = await validated(await testDatabase(template.name), 'distribution')
  expect(complaints(result)).toEqual({})
  // The demo says nothing of what its traces cost.
  const measured = result.checks.filter(({ id }) => id !== 'distribution.cost_mean')
  expect(measured.map(({ id, status }) => [id, status])).toEqual(measured.map(({ id }) => [id, 'passed']))
})

const generated = `metadata ? 'obs_run'`
/** A share of the generated traces that has nothing to do with what they are about. */
const someOf = (percent: number) => `${generated} and abs(hashtext(trace_id)) % 100 < ${percent}`
const environment = (code: string) =>
  `(select id from environments e where e.workspace_id = traces.workspace_id and environment_code = '${code}')`
const department = (code: string) => `(select id from departments where department_code = '${code}')`

/** What distorts a history, and the checks that have to notice. */
const distortions: readonly (readonly [name: string, sql: string, found: readonly string[]])[] = [
  [
    'a skewed mix of environments',
    `update traces set environment_id = ${environment('staging')} where ${someOf(5)}`,
    ['environment_shares'],
  ],
  [
    'a department without traces',
    `delete from traces where ${generated} and department_id in ${department('legal')};
     delete from evaluations where trace_id not in (select trace_id from traces)`,
    ['departments', 'department_shares'],
  ],
  [
    'a fleet that is too large',
    `update traces set agent_id = agent_id || '-' || abs(hashtext(trace_id)) % 2 where ${generated}`,
    ['agents', 'departments', 'agent_volume'],
  ],
  [
    'a department that does something else',
    `update traces set intent_category = 'translation' where ${generated} and department_id in ${department('hr')} and abs(hashtext(trace_id)) % 2 = 0`,
    ['intent_shares', 'primary_intents'],
  ],
  [
    'users who are all regular',
    `update users set user_segment = 'regular' where user_segment = 'new'`,
    ['user_segments'],
  ],
  ['too many failures', `update traces set status = 'error' where ${someOf(4)}`, ['failure_share']],
  ['no failures at all', `update traces set status = 'success' where ${generated}`, ['failure_share']],
  [
    'a constant mix of versions',
    `update traces set version = (array['v1.8', 'v1.9', 'v2.0', 'v2.1'])[1 + abs(hashtext(trace_id)) % 4] where ${generated}`,
    ['version_adoption'],
  ],
  [
    'a version that is withdrawn for a day',
    `update traces set version = 'v1.8' where ${generated} and timestamp >= '2026-11-20' and timestamp < '2026-11-21'`,
    ['version_adoption', 'version_monotone'],
  ],
  [
    'traffic that never sleeps',
    `update traces set timestamp = date_trunc('day', timestamp) + abs(hashtext(trace_id)) % 86400 * interval '1 second' where ${generated}`,
    ['business_hours'],
  ],
  ['empty weekends', `delete from traces where ${someOf(50)} and extract(isodow from timestamp) > 5`, ['weekends']],
  [
    'an agent that is idle for a day',
    `delete from traces where ${generated} and timestamp >= '2026-11-18' and timestamp < '2026-11-19'
       and agent_id = (select min(agent_id) from traces where ${generated})`,
    ['agent_gaps', 'agent_volume'],
  ],
  [
    'a working day with a rush on one agent',
    `update traces set agent_id = (select min(agent_id) from traces where ${generated})
     where ${generated} and timestamp >= '2026-11-18' and timestamp < '2026-11-19'
       and department_id in (select department_id from agents where agent_id = (select min(agent_id) from traces where ${generated}))
       and abs(hashtext(trace_id)) % 4 = 0`,
    ['agent_volume'],
  ],
  ['latencies twice as long', `update traces set latency_ms = latency_ms * 2 where ${generated}`, ['latency_mean']],
  [
    'latencies spread evenly',
    `update traces set latency_ms = 500 + abs(hashtext(trace_id)) % 4000 where ${generated} and status = 'success'`,
    ['latency_log_normal'],
  ],
  [
    'latencies that are exponential',
    `update traces set latency_ms = 1 + (-2500 * ln((1 + abs(hashtext(trace_id)::bigint)) / 2147483649.0))::int
     where ${generated} and status = 'success'`,
    ['latency_log_normal'],
  ],
  ['lost evaluations', `delete from evaluations where abs(hashtext(trace_id)) % 2 = 0`, ['evaluated_share']],
]

it.each(distortions)('notices %s', async (_, sql, found) => {
  const database = await testDatabase(template.name)
  await plant(database.sql, `set session_replication_role = replica; ${sql}`)
  const noticed = Object.keys(complaints(await validated(database, 'distribution'))).sort()
  expect(noticed).toEqual([...found].map((name) => `distribution.${name}`).sort())
})

it('skips what a history is too short to show', async () => {
  const database = await testDatabase(template.name)
  await database.sql`update obs.seed_runs set window_from = window_to - interval '20 hours'`
  const result = await validated(database, 'distribution')
  for (const id of ['distribution.weekends', 'distribution.agent_volume']) {
    expect(checkCalled(result, id)).toMatchObject({ status: 'skipped', reason: expect.stringContaining('no whole') })
  }
})

it('skips a run of a profile that it does not know, with the reason', async () => {
  const database = await testDatabase(template.name)
  await database.sql`update obs.seed_runs set profile = 'tomorrow'`
  const { checks } = await validated(database, 'distribution')
  for (const check of checks) expect(check).toMatchObject({ status: 'skipped' })
  const reasons = checks
    .map(({ reason }) => reason)
    .filter((reason) => reason?.includes('profile tomorrow is not known'))
  // Whether agents have gaps is asked of runs whose profile promises that they have none.
  expect(reasons).toHaveLength(checks.length - 1)
})
