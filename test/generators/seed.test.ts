import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pricesPerThousand, priceTable } from '../../src/generators/observability/prices.js'
import type { SeedResult } from '../../src/generators/seed.js'
import { openTestDatabase, type TestDatabase } from '../support/database.js'
import { installObservability } from '../support/observability.js'
import { asOf, count, differences, rawRollup, rollup, seedSmall, workspace } from './seeding.js'
import { chiSquare, chiSquareLimit, ksDistance, normalCdf } from './theory.js'

let database: TestDatabase & { close(): Promise<void> }
let result: SeedResult
const steps: string[] = []
const progress: { done: number; total: number | undefined }[] = []

beforeAll(async () => {
  database = await openTestDatabase()
  await installObservability(database.sql)
  result = await seedSmall(
    database,
    { days: 28, scale: 0.08 },
    {
      signal: new AbortController().signal,
      progress: {
        step: (text) => void steps.push(text),
        advance: (done, total) => void progress.push({ done, total }),
        warn: (text) => void steps.push(`warning: ${text}`),
      },
    },
  )
})
afterAll(() => database.close())

/** Rows of `traces` for which something that has to hold does not. */
const violations = (condition: string) => count(database.sql, `traces where (${condition}) is not true`)

describe('every generated trace', () => {
  it.each([
    ['has the sum of its tokens', 'tokens_total = tokens_input + tokens_output'],
    ['lies in the window', `timestamp >= '2026-10-13 00:00:00+00' and timestamp < '2026-11-10 00:00:00+00'`],
    ['has an error exactly when it failed', `(error is null) = (status = 'success')`],
    ['has an output exactly when it did not', `(output is null) = (status <> 'success')`],
    ['has a prompt', `length(input) > 20`],
    ['takes the longest time exactly when it timed out', `(latency_ms = 30000) = (status = 'timeout')`],
    ['has a status that the schema knows', `status in ('success', 'error', 'timeout')`],
    ['names the run that made it', `metadata->>'obs_run' = (select run_id from obs.seed_runs)`],
    ['says which prices it was made with', `metadata->>'prices' = '${priceTable.asOf}'`],
    [
      'is tagged with its department',
      `tags[1] = (select department_code from departments d where d.id = department_id)`,
    ],
    [
      'belongs to the agent of that name',
      `agent_id in (select agent_id from agents where agents.department_id = traces.department_id)`,
    ],
    [
      'belongs to a user that was there already',
      `timestamp > (select signed_up_at from users u where u.user_id = traces.user_id)`,
    ],
    ['has a W3C trace id', `trace_id ~ '^[0-9a-f]{32}$'`],
    ['keeps microseconds', `extract(epoch from timestamp) is not null`],
  ])('%s', async (_, condition) => {
    expect(await violations(condition)).toBe(0)
  })

  it('costs its tokens at the price of its model, to the millionth', async () => {
    const { sql } = database
    const [row] = await sql<{ wrong: number; rows: number }[]>`
      with price as (
        select key as model, (value->>'input')::numeric as price_in, (value->>'output')::numeric as price_out,
               (value->>'cached_input')::numeric as price_cached
        from jsonb_each(${JSON.stringify(pricesPerThousand())}::text::jsonb)
      ),
      parts as (
        select t.*, coalesce((metadata->>'gen_ai.usage.cache_read.input_tokens')::int, 0) as cached from traces t
      )
      select count(*) filter (where round(((tokens_input - cached) * price_in + cached * price_cached + tokens_output * price_out) / 1000, 6) is distinct from cost_usd) as wrong,
             count(*) filter (where cached > 0) > 100 as uses_caches, count(*) as rows
      from parts left join price using (model)`
    expect(row).toEqual({ wrong: 0, uses_caches: true, rows: result.tables['traces']?.rows })
  })

  it('has a timestamp finer than a millisecond', async () => {
    const coarse = await count(database.sql, `traces where extract(microseconds from timestamp)::bigint % 1000 = 0`)
    expect(coarse / (result.tables['traces']?.rows ?? 0)).toBeLessThan(0.01)
  })
})

describe('the shape of the history', () => {
  it('has environments in the shares of the profile', async () => {
    const rows = await database.sql<{ code: string; traces: number }[]>`
      select environment_code as code, count(*) as traces
      from traces t join environments e on e.id = t.environment_id group by 1 order by 2 desc`
    expect(rows.map(({ code }) => code)).toEqual(['production', 'staging', 'development'])
    const total = rows.reduce((sum, { traces }) => sum + traces, 0)
    const expected = [0.7, 0.2, 0.1].map((share) => share * total)
    const statistic = chiSquare(
      rows.map(({ traces }) => traces),
      expected,
    )
    // The requests of a conversation share their environment: there are fewer independent ones than traces.
    expect(statistic / 5).toBeLessThan(chiSquareLimit(2))
  })

  it('fails in two to five of a hundred requests', async () => {
    const failed = await count(database.sql, `traces where status <> 'success'`)
    const share = failed / (result.tables['traces']?.rows ?? 0)
    expect(share).toBeGreaterThan(0.02)
    expect(share).toBeLessThan(0.05)
  })

  it('is busy on working days and quiet at weekends', async () => {
    const [row] = await database.sql<{ ratio: number }[]>`
      select (count(*) filter (where extract(isodow from timestamp at time zone 'UTC') > 5) / 8.0)
           / (count(*) filter (where extract(isodow from timestamp at time zone 'UTC') < 6) / 20.0)::float8 as ratio
      from traces`
    expect(Number(row?.ratio)).toBeGreaterThan(0.2)
    expect(Number(row?.ratio)).toBeLessThan(0.3)
  })

  it('has at least half as many requests again from 9 to 17 as in other hours', async () => {
    const [row] = await database.sql<{ ratio: number }[]>`
      select ((count(*) filter (where hour >= 9 and hour < 17) / 8.0) / (count(*) filter (where hour < 9 or hour >= 17) / 16.0))::float8 as ratio
      from (select extract(hour from timestamp at time zone 'UTC') as hour from traces
            where extract(isodow from timestamp at time zone 'UTC') < 6) h`
    expect(row?.ratio).toBeGreaterThan(1.5)
  })

  it('answers in times whose logarithm is normal, by model and intent', async () => {
    const rows = await database.sql<{ log: number }[]>`
      with largest as (
        select model, intent_category from traces where status = 'success' group by 1, 2 order by count(*) desc limit 1
      )
      select ln(latency_ms) as log from traces join largest using (model, intent_category)
      where status = 'success' and version <> 'v2.0'`
    const logs = rows.map(({ log }) => Number(log))
    const center = logs.reduce((sum, log) => sum + log, 0) / logs.length
    const sigma = Math.sqrt(logs.reduce((sum, log) => sum + (log - center) ** 2, 0) / logs.length)
    expect(logs.length).toBeGreaterThan(200)
    expect(
      ksDistance(
        logs.map((log) => (log - center) / sigma),
        normalCdf,
      ),
    ).toBeLessThan(1.5)
  })

  it('takes two to three seconds on average', async () => {
    const [row] = await database.sql<{ mean: number }[]>`select avg(latency_ms)::float8 as mean from traces`
    expect(row?.mean).toBeGreaterThan(2000)
    expect(row?.mean).toBeLessThan(3000)
  })

  it('rolls the versions out one after the other', async () => {
    const rows = await database.sql<{ version: string; middle: Date }[]>`
      select version, percentile_disc(0.5) within group (order by timestamp) as middle from traces group by 1 order by 2`
    expect(rows.map(({ version }) => version)).toEqual(['v1.8', 'v1.9', 'v2.0', 'v2.1'])
  })

  it('judges the answers of newer versions better and failures worst', async () => {
    const rows = await database.sql<{ kind: string }[]>`
      select case when status = 'success' then version else 'failed' end as kind
      from evaluations e join traces t on t.trace_id = e.trace_id and t.timestamp = e.trace_timestamp
      group by 1 order by avg(score)`
    expect(rows.map(({ kind }) => kind)).toEqual(['failed', 'v1.8', 'v1.9', 'v2.0', 'v2.1'])
  })
})

describe('what a run leaves behind', () => {
  it('is what it says', async () => {
    const { sql } = database
    const actual: Record<string, number> = {}
    for (const table of Object.keys(result.tables)) actual[table] = await count(sql, table)
    expect(Object.fromEntries(Object.entries(result.tables).map(([table, { rows }]) => [table, rows]))).toEqual(actual)
    expect(result.rows_total).toBe(Object.values(actual).reduce((sum, rows) => sum + rows, 0))
    expect(actual).toMatchObject({ users: 500, departments: 10, environments: 3, workspaces: 1 })
    expect(result).toMatchObject({
      profile: 'demo',
      seed: 42,
      as_of: asOf.toISOString(),
      workspace_id: workspace,
      replaced: {},
    })
  })

  it('is in the ledger', async () => {
    const [run] = await database.sql`select * from obs.seed_runs`
    expect(run).toMatchObject({
      ...{ run_id: result.run_id, pack: 'observability', profile: 'demo', seed: 42, days: 28, ordinal: 0, as_of: asOf },
      rows: { traces: result.tables['traces']?.rows, evaluations: result.tables['evaluations']?.rows },
      incidents: result.incidents,
      settings: { scale: 0.08, prices: { usd_per_1k_tokens: pricesPerThousand() } },
    })
  })

  it('has rollups that equal the traces, and no change left to work off', async () => {
    const { sql } = database
    expect(await differences(sql, rollup('traces_hourly'), rawRollup('hour'))).toBe(0)
    expect(await differences(sql, rollup('traces_daily'), rawRollup('day'))).toBe(0)
    expect(await count(sql, 'traces_rollup_changes')).toBe(0)
    expect(await count(sql, 'traces_hourly')).toBeGreaterThan(1000)
  })

  it('leaves the default partition empty and every month with the indexes and constraints that the default has', async () => {
    const { sql } = database
    const partitions = await sql<{ name: string; definition: string[] }[]>`
      select c.relname as name,
             array(select replace(replace(pg_get_indexdef(x.indexrelid), c.relname, '<partition>'), 'ONLY ', '')
                          || case when p.inhparent is null then ' on its own' else ' of ' || p.inhparent::regclass end
                   from pg_index x left join pg_inherits p on p.inhrelid = x.indexrelid
                   where x.indrelid = c.oid and x.indisvalid order by 1)
             || array(select replace(k.conname, c.relname, '<partition>') || ' ' || pg_get_constraintdef(k.oid)
                             || case when k.conparentid = 0 then '' else ' inherited' end
                      from pg_constraint k where k.conrelid = c.oid order by 1)
             || array[coalesce(array_to_string(c.reloptions, ','), 'no options'), c.relowner::regrole::text] as definition
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'traces'::regclass order by 1`
    expect(partitions.map(({ name }) => name)).toEqual(['traces_default', 'traces_y2026m10', 'traces_y2026m11'])
    const [model, ...months] = partitions.map(({ definition }) => definition)
    for (const definition of months) expect(definition).toEqual(model)
    expect(model?.length).toBeGreaterThan(18 + 3)
    expect(await count(sql, 'traces_default')).toBe(0)
  })

  it('has statistics for the planner', async () => {
    const [row] = await database.sql<{ rows: number }[]>`
      select count(*) as rows from pg_class
      where relname in ('traces', 'traces_y2026m10', 'evaluations', 'traces_hourly', 'users') and reltuples > 0`
    expect(row?.rows).toBe(5)
  })

  it('leaves no temporary table behind', async () => {
    expect(await count(database.sql, `pg_class where relname like 'obs\\_%' and relkind = 'r'`)).toBe(0)
  })
})

it('reports its progress up to the number of rows that the plan knew', () => {
  const traces = progress.filter(({ total }) => total === result.tables['traces']?.rows)
  expect(traces.at(-1)).toEqual({ done: result.tables['traces']?.rows, total: result.tables['traces']?.rows })
  expect(traces.length).toBeGreaterThan(5)
  expect(steps[0]).toContain('traces')
})
