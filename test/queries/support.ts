import { quietContext, type RunContext } from '../../src/context.js'
import type { Database, Sql } from '../../src/database/connect.js'
import type { Envelope } from '../../src/queries/envelope.js'
import { type FilterText, parseFilters } from '../../src/queries/filters.js'
import type { Kpi } from '../../src/queries/kpi.js'
import { runKpi } from '../../src/queries/run.js'
import { openTestDatabase } from '../support/database.js'
import {
  addEvaluations,
  addTraces,
  addWorkspace,
  demoWorkspace,
  installObservability,
  otherWorkspace,
} from '../support/observability.js'

/** Holds a handful of traces whose every number can be worked out on paper. */
export const paperWorkspace = '8f14e45f-ceea-4e7a-9b1c-0242ac120003'
/** Two days that begin and end in the middle of an hour. */
export const paperQuestion: FilterText = { workspace: 'paper', range: '2d', asOf: '2024-06-03T12:30:00Z' }

/** Three workspaces: two with a few thousand varied traces each, and the one on paper. */
export async function openPreparedDatabase() {
  const database = await openTestDatabase()
  const { sql } = database
  await installObservability(sql)
  await addWorkspace(sql, demoWorkspace, 'demo', { engineering: 50_000, sales: 30_000, support: null })
  await addWorkspace(sql, otherWorkspace, 'other')
  await addWorkspace(sql, paperWorkspace, 'paper', { engineering: 3, sales: null })
  await addVariedTraces(sql, demoWorkspace, 1)
  await addVariedTraces(sql, otherWorkspace, 2)
  await addPaperTraces(sql)
  await sql`select traces_refresh_rollups()`
  return database
}

export async function ask<Data>(
  database: Database,
  kpi: Kpi<Data>,
  text: FilterText,
  context: RunContext = quietContext(),
): Promise<Envelope<Data>> {
  return runKpi(database, kpi, parseFilters(text), context)
}

/** Some 4,000 traces from 2024-05-01 on, of every department, environment, version, status and price. */
async function addVariedTraces(sql: Sql, workspace: string, salt: number): Promise<void> {
  await sql`
    insert into traces (trace_id, workspace_id, agent_id, timestamp, latency_ms, error, status, model_provider, cost_usd,
                        department_id, environment_id, version, intent_category)
    select 'varied-' || ${salt}::int || '-' || i, ${workspace}, 'agent-' || i % 7,
           timestamptz '2024-05-01 00:00:00Z' + i * interval '13 minutes 7.25 seconds',
           100 + (i * 7919 * ${salt}::int) % 9000,
           case when i % 20 = 3 then 'rate_limit: slow down' when i % 20 = 4 then 'Server said no' end,
           case when i % 20 in (3, 4) then 'error' when i % 50 = 0 then 'timeout' else 'success' end,
           (array['openai', 'anthropic', null])[1 + i % 3],
           case when i % 11 > 0 then ((i * 31 * ${salt}::int) % 20000) / 1000000.0 end,
           d.id, e.id, (array['v1.9', 'v2.0', 'v2.1'])[1 + (i / 1100 + i % 2) % 3],
           (array['code_generation', 'research', 'automation'])[1 + (i * 5) % 3]
    from generate_series(1, 4000) i
    join departments d on d.workspace_id = ${workspace} and d.department_code = (array['engineering', 'sales'])[1 + i % 2]
    join environments e on e.workspace_id = ${workspace}
     and e.environment_code = (array['production', 'production', 'staging', 'development'])[1 + (i / 2) % 4]`
  await sql`
    insert into evaluations (id, workspace_id, trace_id, trace_timestamp, agent_id, evaluator, metric, score, is_passing,
                             created_at, updated_at)
    select gen_random_uuid(), workspace_id, trace_id, timestamp, agent_id, 'judge', 'quality', latency_ms % 101,
           latency_ms % 101 >= 60, timestamp + interval '5 minutes', timestamp + interval '5 minutes'
    from traces where workspace_id = ${workspace} and latency_ms % 10 = 0`
}

async function addPaperTraces(sql: Sql): Promise<void> {
  const workspace = paperWorkspace
  const engineering = { workspace, department: 'engineering' }
  const sales = { workspace, department: 'sales', intent: 'research' }
  await addTraces(
    sql,
    [
      { ...engineering, timestamp: '2024-06-01T12:30:00Z', latency: 1000, cost: 0.1, version: 'v2.0', agent: 'a' },
      {
        ...engineering,
        timestamp: '2024-06-02T00:00:00Z',
        latency: 2000,
        cost: 0.2,
        version: 'v2.0',
        agent: 'b',
        status: 'error',
        error: 'rate_limit: slow down',
        intent: 'automation',
      },
      { ...sales, timestamp: '2024-06-02T10:15:00Z', latency: 3000, cost: 0.3, provider: 'anthropic' },
      {
        ...sales,
        timestamp: '2024-06-03T12:29:59.999Z',
        latency: 4000,
        cost: null,
        provider: null,
        status: 'timeout',
        error: 'gave up',
      },
      // The two days before.
      { ...engineering, timestamp: '2024-06-01T12:29:59.999Z', latency: 500, cost: 0.05, version: 'v2.0' },
      { ...sales, timestamp: '2024-05-31T08:00:00Z', latency: 1500, cost: 0.15, status: 'error', version: 'v2.0' },
      // Just after the end.
      { ...sales, timestamp: '2024-06-03T12:30:00Z', latency: 9000, cost: 9, version: 'v3.0' },
    ],
    'paper',
  )
  await addEvaluations(sql, [
    { trace: 'paper1', createdAt: '2024-06-01T12:31:00Z', score: 90 },
    { trace: 'paper3', createdAt: '2024-06-02T10:20:00Z', score: 70 },
    { trace: 'paper6', createdAt: '2024-05-31T08:05:00Z', score: 60 },
    { trace: 'paper7', createdAt: '2024-06-03T12:31:00Z', score: 1 },
  ])
}
