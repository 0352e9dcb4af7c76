import { nothingIn, type Observation, passed, sampleSize, skipped, violated } from '../check.js'
import { violationsCheck } from '../violations.js'
import { rollups } from './expected-schema.js'
import type { ObservabilityCheck, ObservabilityContext } from './facts.js'

/** Whether the rollups say the same as the traces they were made from. */
export const rollupChecks: readonly ObservabilityCheck[] = [
  ...rollups.map(
    ({ name, unit }): ObservabilityCheck => ({
      id: `integrity.${name}_equal_raw`,
      severity: 'error',
      description: 'Dashboards read the rollup, and would show something that did not happen.',
      expected: `every ${unit} of ${name} has the counts, latencies, tokens and cost of its traces, by every dimension`,
      run: (context) => compareRollup(context, unit),
    }),
  ),
  violationsCheck({
    id: 'integrity.rollup_averages',
    severity: 'error',
    description: 'A row of a rollup that contradicts itself was written by something else than the refresh.',
    expected: 'average = sum / count, total = success + error + timeout, minimum ≤ average ≤ maximum',
    rows: 'rollup rows',
    among: '(select count(*) from traces_hourly) + (select count(*) from traces_daily)',
    sql: rollups.map(({ name }) => inconsistentRows(name)).join(' union all '),
  }),
  {
    id: 'integrity.rollups_refreshed',
    severity: 'warning',
    description: 'Traces changed since the last refresh, so the rollups are behind.',
    expected: 'no hour waits for traces_refresh_rollups()',
    run: checkRefreshed,
  },
]

type Unit = (typeof rollups)[number]['unit']

interface Differences {
  readonly unit: Unit
  readonly seen: number
  readonly differing: readonly string[]
}

async function compareRollup(context: ObservabilityContext, unit: Unit): Promise<Observation> {
  const found = (await context.once(differences)).find((candidate) => candidate.unit === unit)
  if (!found || Number(found.seen) === 0) return skipped('there are no traces to compare with')
  return nothingIn(found.differing, `all ${found.seen} buckets`, (count) => `${count} of ${found.seen} buckets differ`)
}

/**
 * Compares sums per bucket, both rollups with one scan of traces.
 *
 * Besides the plain sums, each bucket carries the count and the cost weighted by a
 * hash of the dimensions, which differ as soon as a row was counted under another
 * department, agent or model. Hours that wait for a refresh are left out: they are
 * known to be behind, and integrity.rollups_refreshed says so.
 */
async function differences(context: ObservabilityContext): Promise<readonly Differences[]> {
  const pending = await context.once(pendingHours)
  return context.session.unsafe<Differences[]>(
    `
    with raw_hour as materialized (${sumsOfTraces}),
    pending as (select unnest($1::text[])::timestamptz as hour),
    ${rollups.map(({ name, unit }) => comparison(name, unit)).join(',\n')}
    ${rollups.map(({ unit }) => verdict(unit)).join(' union all ')}`,
    [[...pending]],
  )
}

/** Sums that add up from hours to days, by name; `raw` is over traces, `rolled` over a rollup. */
const sums = [
  { name: 'traces', raw: 'count(*)', rolled: 'sum(trace_count)' },
  { name: 'weighted_traces', raw: 'sum(weight)', rolled: 'sum(weight * trace_count)' },
  { name: 'successes', raw: `count(*) filter (where status = 'success')`, rolled: 'sum(success_count)' },
  { name: 'errors', raw: `count(*) filter (where status = 'error')`, rolled: 'sum(error_count)' },
  { name: 'timeouts', raw: `count(*) filter (where status = 'timeout')`, rolled: 'sum(timeout_count)' },
  { name: 'latency', raw: 'sum(latency_ms)', rolled: 'sum(latency_sum_ms)' },
  { name: 'tokens_input', raw: 'coalesce(sum(tokens_input), 0)', rolled: 'sum(tokens_input)' },
  { name: 'tokens_output', raw: 'coalesce(sum(tokens_output), 0)', rolled: 'sum(tokens_output)' },
  { name: 'tokens_total', raw: 'coalesce(sum(tokens_total), 0)', rolled: 'sum(tokens_total)' },
  { name: 'cost', raw: 'coalesce(sum(cost_usd), 0)', rolled: 'sum(cost_usd)' },
  { name: 'weighted_cost', raw: 'coalesce(sum(weight * cost_usd), 0)', rolled: 'sum(weight * cost_usd)' },
] as const

/** 20 bits of a hash of what a rollup groups by. */
const weight = `(hash_record_extended(row(workspace_id, department_id, environment_id, agent_id, version,
  intent_category, user_segment, model, model_provider), 0) & 1048575)`

const sumsOfTraces = `
  select date_trunc('hour', timestamp) as bucket,
         ${sums.map(({ name, raw }) => `${raw}::numeric as ${name}`).join(', ')},
         min(latency_ms) as fastest, max(latency_ms) as slowest
  from (select *, ${weight} as weight from traces) weighted
  group by 1`

function comparison(table: string, unit: Unit): string {
  const names = sums.map(({ name }) => name)
  const columns = [...names, 'fastest', 'slowest']
  return `
    raw_${unit}s as (
      select date_trunc('${unit}', bucket) as bucket, ${names.map((name) => `sum(${name}) as ${name}`).join(', ')},
             min(fastest) as fastest, max(slowest) as slowest
      from raw_hour group by 1),
    rolled_${unit}s as (
      select bucket, ${sums.map(({ name, rolled }) => `${rolled}::numeric as ${name}`).join(', ')},
             min(latency_min_ms) as fastest, max(latency_max_ms) as slowest
      from (select *, ${weight} as weight from ${table}) weighted
      group by 1),
    compared_${unit}s as (
      select bucket, (${columns.map((name) => `a.${name}`).join(', ')})
               is not distinct from (${columns.map((name) => `b.${name}`).join(', ')}) as same
      from raw_${unit}s a full join rolled_${unit}s b using (bucket)
      where bucket not in (select date_trunc('${unit}', hour) from pending))`
}

function verdict(unit: Unit): string {
  return `
    select '${unit}' as unit, count(*) as seen,
           coalesce(array_agg(bucket::text order by bucket) filter (where not same), '{}') as differing
    from compared_${unit}s`
}
function inconsistentRows(table: string): string {
  return `
    select '${table} ' || bucket::text as key
    from ${table}
    where trace_count <= 0
       or trace_count <> success_count + error_count + timeout_count
       or abs(latency_avg_ms - latency_sum_ms::numeric / trace_count) > 0.01
       or latency_avg_ms not between latency_min_ms - 0.01 and latency_max_ms + 0.01`
}

async function pendingHours({ session, platform }: ObservabilityContext): Promise<readonly string[]> {
  if (platform.name === 'timescaledb') return []
  const rows = await session<{ bucket: string }[]>`
    select bucket::text from traces_rollup_changes group by traces_rollup_changes.bucket order by 1`
  return rows.map(({ bucket }) => bucket)
}

async function checkRefreshed(context: ObservabilityContext): Promise<Observation> {
  if (context.platform.name === 'timescaledb') return skipped('continuous aggregates keep their own log')
  const pending = await context.once(pendingHours)
  if (pending.length === 0) return passed('hours waiting: 0')
  return violated(`hours waiting: ${pending.length}`, pending.length, pending.slice(0, sampleSize))
}
