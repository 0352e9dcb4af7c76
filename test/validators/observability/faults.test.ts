import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testDatabase, testTemplate } from '../../support/database.js'
import { checkCalled, complaints, migrateMvp, plant, seedHistory, validated } from './support.js'

let template: Awaited<ReturnType<typeof testTemplate>>

beforeAll(async () => {
  template = await testTemplate(async (database) => {
    await migrateMvp(database)
    await seedHistory(database, 3, 0.1)
  })
}, 180_000)

afterAll(() => template?.drop())

it('finds nothing wrong with a database that obs migrated and seeded', async () => {
  const result = await validated(await testDatabase(template.name), 'schema', 'integrity', 'preservation')
  expect(complaints(result)).toEqual({})
  const skipped = result.checks.filter(({ status }) => status === 'skipped')
  // Spans are made on request; test/generators/spans.test.ts looks at a history that has them.
  expect(skipped.filter(({ id }) => !id.startsWith('integrity.spans')).map(({ id, reason }) => [id, reason])).toEqual(
    [],
  )
  expect(result.summary.passed).toBe(result.checks.length - skipped.length)
})

/** A fault: the SQL that plants it, and each check that has to notice, with the number of failing rows. */
interface Fault {
  readonly name: string
  readonly sql: string
  readonly found: Readonly<Record<string, number | null>>
}

const generated = `metadata ? 'obs_run'`
const someGenerated = (n: number) =>
  `trace_id in (select trace_id from traces where ${generated} order by trace_id limit ${n})`
const someSuccesses = `trace_id in (select trace_id from traces where ${generated} and status = 'success' order by trace_id limit 2)`
const refreshed = '; select traces_refresh_rollups()'

const schemaFaults: readonly Fault[] = [
  fault('a missing table', 'drop table performance_metrics', {
    'schema.tables': 1,
    'preservation.performance_metrics': null,
  }),
  fault('a missing column', 'alter table agents drop column owner_team', { 'schema.columns': 1 }),
  fault('a narrower type', 'alter table traces alter column model type varchar(40)', { 'schema.column_types': 1 }),
  fault('another type', 'alter table environments alter column is_production type text', { 'schema.column_types': 1 }),
  fault('a column that allows NULL', 'alter table traces alter column version drop not null', {
    'schema.required_columns': 1,
  }),
  fault('a missing column of a rollup', 'alter table traces_daily drop column timeout_count', {
    'schema.rollup_columns': 1,
    'integrity.traces_hourly_equal_raw': null,
    'integrity.traces_daily_equal_raw': null,
    'integrity.rollup_averages': null,
  }),
  fault('a missing index', 'drop index idx_traces_version', { 'schema.trace_indexes': 1 }),
  fault('too few indexes', 'drop index idx_traces_version, idx_traces_model', {
    'schema.trace_indexes': 2,
    'schema.trace_index_count': null,
  }),
  fault(
    'an invalid index',
    `update pg_index set indisvalid = false where indexrelid = 'idx_users_metadata'::regclass`,
    {
      'schema.indexes_valid': 1,
    },
  ),
  fault('an index that partitions lack', 'create index idx_traces_latency on only traces (latency_ms)', {
    'schema.partition_indexes': null,
    'schema.indexes_valid': 1,
  }),
  fault('a missing foreign key', 'alter table traces drop constraint fk_traces_department', {
    'schema.constraints': 1,
  }),
  fault('a missing unique key', 'alter table agents drop constraint agents_workspace_id_agent_id_key', {
    'schema.constraints': 1,
  }),
  fault(
    'a constraint that was never validated',
    'alter table events add constraint chk_events_title check (title is not null) not valid',
    { 'schema.constraints_validated': 1 },
  ),
  fault('a missing function', 'drop function traces_ensure_partitions', { 'schema.routines': 1 }),
  fault('a disabled trigger', 'alter table traces disable trigger traces_log_update', { 'schema.rollup_triggers': 1 }),
]

const integrityFaults: readonly Fault[] = [
  fault(
    'a NULL in a required column',
    `alter table traces alter column version drop not null; update traces set version = null where ${someGenerated(3)}`,
    {
      'schema.required_columns': 1,
      'integrity.traces_required_values': 3,
      'integrity.rollups_refreshed': null,
    },
  ),
  fault(
    'an orphan of a department',
    `set session_replication_role = replica; update traces set department_id = gen_random_uuid() where ${someGenerated(2)}`,
    {
      'integrity.traces_department': 2,
      'integrity.traces_agent_department': 2,
      'integrity.traces_hourly_equal_raw': null,
      'integrity.traces_daily_equal_raw': null,
    },
  ),
  fault(
    'a department of another workspace',
    `set session_replication_role = replica;
     update traces t set department_id = d.id from departments d
     where d.workspace_id <> t.workspace_id and d.department_code = 'legal' and t.${someGenerated(2)}`,
    {
      'integrity.traces_department_workspace': 2,
      'integrity.traces_agent_department': 2,
      'integrity.traces_hourly_equal_raw': null,
      'integrity.traces_daily_equal_raw': null,
    },
  ),
  fault(
    'an orphan of an environment',
    `set session_replication_role = replica; update traces set environment_id = gen_random_uuid() where ${someGenerated(2)}`,
    {
      'integrity.traces_environment': 2,
      'integrity.traces_hourly_equal_raw': null,
      'integrity.traces_daily_equal_raw': null,
    },
  ),
  fault(
    'an environment of another workspace',
    `set session_replication_role = replica;
     update traces t set environment_id = e.id from environments e
     where e.workspace_id <> t.workspace_id and e.environment_code = 'staging' and t.${someGenerated(1)}`,
    {
      'integrity.traces_environment_workspace': 1,
      'integrity.traces_hourly_equal_raw': null,
      'integrity.traces_daily_equal_raw': null,
    },
  ),
  fault(
    'a missing department',
    `delete from departments where id not in (select department_id from traces)
     and id not in (select department_id from users where department_id is not null) and id not in (select department_id from agents)`,
    {
      'integrity.departments_complete': null,
    },
  ),
  fault('an unknown workspace', `delete from workspaces where id <> '8f14e45f-ceea-4e7a-9b1c-0242ac120001'`, {
    'integrity.traces_workspace': null,
  }),
  fault(
    'an agent that nobody registered',
    `update traces set agent_id = 'ghost' where trace_id = (select min(trace_id) from evaluations)${refreshed}`,
    { 'integrity.traces_agent': 1, 'integrity.evaluations_owner': 1 },
  ),
  fault('a user that nobody registered', `update traces set user_id = 'ghost' where ${someGenerated(4)}${refreshed}`, {
    'integrity.traces_user': 4,
  }),
  fault(
    'an evaluation of nothing',
    `update evaluations set trace_id = 'gone' where id = (select min(id::text)::uuid from evaluations)`,
    {
      'integrity.evaluations_trace': 1,
    },
  ),
  fault(
    'an evaluation of another agent',
    `update evaluations set agent_id = 'somebody else' where id = (select min(id::text)::uuid from evaluations)`,
    { 'integrity.evaluations_owner': 1 },
  ),
  fault(
    'an agent replaced by nobody',
    `update agents set replacement_agent_id = 'gone' where agent_id = (select min(agent_id) from agents)`,
    {
      'integrity.agents_references': 1,
    },
  ),
  fault(
    'a user of no department',
    `set session_replication_role = replica; update users set department_id = gen_random_uuid() where user_id = 'member-0001'`,
    { 'integrity.users_department': 1 },
  ),
  fault(
    'a trace_id that is there twice',
    `update traces set trace_id = (select min(trace_id) from traces where ${generated})
     where trace_id = (select max(trace_id) from evaluations)${refreshed}`,
    { 'integrity.traces_trace_id_unique': 1, 'integrity.evaluations_trace': null },
  ),
  fault(
    'a trace that is there twice',
    `alter table traces drop constraint traces_pkey; drop index idx_traces_trace_id_timestamp;
     insert into traces select * from traces where trace_id = (select min(trace_id) from traces where ${generated})${refreshed}`,
    {
      'schema.constraints': 1,
      'schema.trace_indexes': 1,
      'schema.trace_index_count': null,
      'integrity.traces_key_unique': 1,
      'integrity.traces_id_unique': 1,
      'integrity.traces_repeated': 1,
      'integrity.run_row_counts': 1,
    },
  ),
  fault(
    'a request that is recorded twice',
    `insert into traces select (jsonb_populate_record(t, jsonb_build_object('id', t.id + 1000000, 'trace_id', 'again-' || t.trace_id))).*
       from traces t where t.trace_id in (select trace_id from traces where ${generated} order by 1 limit 2);
     select setval(pg_get_serial_sequence('traces', 'id'), (select max(id) from traces))${refreshed}`,
    { 'integrity.traces_repeated': 2, 'integrity.run_row_counts': 1 },
  ),
  fault('a success without an answer', `update traces set output = null where ${someSuccesses}`, {
    'integrity.successes_answered': 2,
    'integrity.rollups_refreshed': null,
  }),
  fault(
    'a trace of nobody',
    `update traces set user_id = null, user_segment = null where ${someGenerated(3)}${refreshed}`,
    { 'integrity.traces_attributed': 3 },
  ),
  fault('a wrong provider', `update traces set model_provider = 'nobody' where ${someGenerated(2)}${refreshed}`, {
    'integrity.model_provider': 2,
  }),
  fault(
    'a department that is not that of the agent',
    `update traces t set department_id = d.id from departments d
     where d.workspace_id = t.workspace_id and d.id <> t.department_id and d.department_code in ('legal', 'hr') and t.${someGenerated(2)}${refreshed}`,
    { 'integrity.traces_agent_department': 2 },
  ),
  fault(
    'a segment that is not that of the user',
    `update traces set user_segment = 'struggling' where ${someGenerated(2)}${refreshed}`,
    { 'integrity.traces_user_segment': 2 },
  ),
  fault(
    'a version before its release',
    `update traces set version = 'v2.1' where trace_id in (select trace_id from traces where ${generated} order by timestamp limit 2)${refreshed}`,
    { 'integrity.versions_released': 2 },
  ),
  fault(
    'a user who asks before signing up',
    `update users set signed_up_at = '2026-11-22' where user_id = (select user_id from traces where ${generated} group by 1 having count(*) = 1 order by 1 limit 1)`,
    { 'integrity.traces_after_signup': 1 },
  ),
  fault(
    'a user who asks after having left',
    `update users set last_seen_at = last_seen_at - interval '1 second'
     where user_id = (select user_id from traces where ${generated} group by 1 having count(*) = 1 order by 1 limit 1)`,
    { 'integrity.traces_before_last_seen': 1 },
  ),
  fault(
    'a verdict that contradicts its score',
    `update evaluations set is_passing = not is_passing where id = (select min(id::text)::uuid from evaluations)`,
    { 'integrity.evaluations_verdict': 1 },
  ),
  fault(
    'a token sum that is off',
    `update traces set tokens_total = tokens_total + 1 where ${someGenerated(3)}${refreshed}`,
    {
      'integrity.tokens_sum': 3,
    },
  ),
  fault('a token sum that is missing', `update traces set tokens_total = null where ${someGenerated(1)}${refreshed}`, {
    'integrity.tokens_sum': 1,
  }),
  fault(
    'a cost that is off by a millionth',
    `update traces set cost_usd = cost_usd + 0.000001 where ${someGenerated(2)}${refreshed}`,
    {
      'integrity.cost_matches_price': 2,
    },
  ),
  fault('a model without a price', `update traces set model = 'gpt-99' where ${someGenerated(2)}${refreshed}`, {
    'integrity.cost_matches_price': 2,
  }),
  fault('a negative latency', `update traces set latency_ms = -5 where ${someGenerated(2)}${refreshed}`, {
    'integrity.latency_not_negative': 2,
  }),
  fault(
    'negative tokens',
    `update traces set tokens_input = -1, tokens_total = tokens_output - 1,
       cost_usd = cost_usd where ${someGenerated(1)}${refreshed}`,
    { 'integrity.tokens_not_negative': 1, 'integrity.cost_matches_price': 1 },
  ),
  fault('a negative cost', `update traces set cost_usd = -1 where ${someGenerated(1)}${refreshed}`, {
    'integrity.cost_not_negative': 1,
    'integrity.cost_matches_price': 1,
  }),
  fault('an unknown status', `update traces set status = 'meh' where ${someSuccesses}${refreshed}`, {
    'integrity.status_known': 2,
    'integrity.failures_explained': 2,
    'integrity.rollup_averages': null,
  }),
  fault(
    'an unknown intent',
    `alter table traces drop constraint chk_traces_intent_category;
     update traces set intent_category = 'small_talk' where ${someGenerated(2)}${refreshed}`,
    { 'integrity.intent_known': 2 },
  ),
  fault(
    'an unknown segment',
    `alter table traces drop constraint chk_traces_user_segment;
     update traces set user_segment = 'whale' where ${someGenerated(2)}${refreshed}`,
    { 'integrity.segment_known': 2, 'integrity.traces_user_segment': 2 },
  ),
  fault('a failure without a text', `update traces set status = 'error' where ${someSuccesses}${refreshed}`, {
    'integrity.failures_explained': 2,
  }),
  fault('a success with an error', `update traces set error = 'boom' where ${someSuccesses}`, {
    'integrity.successes_without_error': 2,
    'integrity.rollups_refreshed': null,
  }),
  fault(
    'a score beyond the scale',
    `alter table evaluations drop constraint chk_evaluations_score;
     update evaluations set score = 101 where id = (select min(id::text)::uuid from evaluations)`,
    { 'integrity.scores_in_range': 1 },
  ),
  fault(
    'a trace from the future',
    `update traces set timestamp = now() + interval '1 hour' where trace_id = (select min(trace_id) from traces where not coalesce(${generated}, false))${refreshed}`,
    { 'integrity.timestamps_not_future': 1, 'preservation.traces': null },
  ),
  fault(
    'a trace outside the window of its run',
    `update traces set timestamp = '2026-11-22 00:00:00+00'
       where trace_id = (select min(trace_id) from traces t where ${generated}
                         and not exists (select from evaluations v where v.trace_id = t.trace_id))${refreshed}`,
    {
      'integrity.timestamps_in_window': 1,
      'integrity.traces_before_last_seen': 1,
    },
  ),
  fault(
    'a generated trace of no run',
    `update traces set metadata = metadata || '{"obs_run": "nobody"}' where ${someGenerated(2)}${refreshed}`,
    { 'integrity.generated_by_known_run': 2, 'integrity.run_row_counts': 1 },
  ),
  fault(
    'an evaluation before its trace',
    `update evaluations set created_at = trace_timestamp - interval '1 second' where id = (select min(id::text)::uuid from evaluations)`,
    { 'integrity.evaluations_after_trace': 1 },
  ),
  fault(
    'lost rows of a run',
    `delete from traces t where ${generated} and not exists (select from evaluations v where v.trace_id = t.trace_id)
       and trace_id < '1'${refreshed}`,
    { 'integrity.run_row_counts': 1 },
  ),
  fault('a sequence that is behind', `select setval('events_id_seq', 3)`, { 'integrity.sequences': 1 }),
  fault(
    'a rollup that was tampered with',
    `update traces_hourly set cost_usd = cost_usd + 1
       where ctid = (select min(ctid) from traces_hourly)`,
    { 'integrity.traces_hourly_equal_raw': 1 },
  ),
  fault(
    'a rollup that counts for another agent',
    `update traces_daily set agent_id = 'somebody else' where ctid = (select min(ctid) from traces_daily)`,
    { 'integrity.traces_daily_equal_raw': 1 },
  ),
  fault(
    'a rollup that contradicts itself',
    `update traces_hourly set latency_avg_ms = latency_avg_ms + 1
       where ctid = (select min(ctid) from traces_hourly)`,
    { 'integrity.rollup_averages': 1 },
  ),
  fault('a missing bucket', `delete from traces_daily where bucket = (select max(bucket) from traces_daily)`, {
    'integrity.traces_daily_equal_raw': 1,
  }),
  fault(
    'a bucket of nothing',
    `insert into traces_hourly select '2020-01-01', (h).workspace_id, (h).department_id, (h).environment_id,
       (h).agent_id, (h).version, (h).intent_category, (h).user_segment, (h).model, (h).model_provider, 1, 1, 0, 0, 5, 5, 5, 5, 0, 0, 0, 0
       from (select h from traces_hourly h limit 1) x`,
    { 'integrity.traces_hourly_equal_raw': 1 },
  ),
  fault(
    'rows that changed behind the triggers',
    `set session_replication_role = replica; update traces set latency_ms = latency_ms + 1 where ${someGenerated(1)}`,
    { 'integrity.traces_hourly_equal_raw': 1, 'integrity.traces_daily_equal_raw': 1 },
  ),
  fault('a refresh that is due', `update traces set latency_ms = latency_ms + 1 where ${someGenerated(1)}`, {
    'integrity.rollups_refreshed': 1,
  }),
]

const preservationFaults: readonly Fault[] = [
  fault(
    'an altered value of a legacy row',
    `update traces set output = 'rewritten' where trace_id = (select min(trace_id) from traces where not coalesce(${generated}, false))${refreshed}`,
    { 'preservation.traces': null },
  ),
  fault(
    'a lost legacy row',
    `delete from traces where trace_id in (select trace_id from traces where not coalesce(${generated}, false) order by 1 limit 3)${refreshed}`,
    { 'preservation.traces': 3 },
  ),
  fault('an altered event', `update events set title = 'x' where id = (select min(id) from events)`, {
    'preservation.events': null,
  }),
  fault(
    'a receipt that admits a loss',
    `update obs.migration_history set receipt = jsonb_set(receipt, '{tables,0,identical}', 'false')
     where id = (select max(id) from obs.migration_history where jsonb_array_length(receipt -> 'tables') > 0
                 and (receipt #>> '{tables,0,rows_before}')::int > 0)`,
    { 'preservation.receipts': 1 },
  ),
]

describe.each([
  ['schema', schemaFaults],
  ['integrity', integrityFaults],
  ['preservation', preservationFaults],
] as const)('of the faults of %s it finds', (_, faults) => {
  it.each(faults.map((one) => [one.name, one] as const))('%s', async (_name, { sql, found }) => {
    const database = await testDatabase(template.name)
    await plant(database.sql, sql)
    const result = await validated(database, 'schema', 'integrity', 'preservation')
    expect(Object.keys(complaints(result)).sort()).toEqual(Object.keys(found).sort())
    for (const [id, rows] of Object.entries(found)) {
      if (rows !== null) expect({ id, rows: checkCalled(result, id).rows_failing }).toEqual({ id, rows })
    }
  })
})

it('warns of rows outside every month, and says which months they are of', async () => {
  const database = await testDatabase(template.name)
  await plant(
    database.sql,
    `update traces set timestamp = '2019-05-05' where trace_id in (select trace_id from traces where ${generated}
       and trace_id not in (select trace_id from evaluations) order by 1 limit 2)${refreshed}`,
  )
  const check = checkCalled(await validated(database, 'schema'), 'schema.default_partition')
  expect(check).toMatchObject({ status: 'warned', rows_failing: 2, sample: ['2019-05-01 00:00:00+00'] })
})

it('names failing rows by id and shows nothing of what they say', async () => {
  const database = await testDatabase(template.name)
  const secret = 'postgres://app:hunter2@db/prod'
  await plant(
    database.sql,
    `update traces set input = '${secret}', output = '${secret}', error = '${secret}', tokens_total = -1 where ${someSuccesses}`,
  )
  const result = await validated(database)
  const ids = await database.sql<{ trace_id: string }[]>`select trace_id from traces where tokens_total = -1 order by 1`
  expect(checkCalled(result, 'integrity.tokens_not_negative').sample).toEqual(ids.map(({ trace_id }) => trace_id))
  expect(JSON.stringify(result)).not.toContain('hunter2')
})

function fault(name: string, sql: string, found: Fault['found']): Fault {
  return { name, sql, found }
}
