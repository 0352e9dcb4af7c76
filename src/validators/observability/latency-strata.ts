import { lilliefors, lillieforsLimit } from '../statistics.js'
import type { ObservabilityContext } from './facts.js'
import { cellsOf, countBy, isFailure } from './generated.js'
import { rowsOf, type SeedRun } from './seed-runs.js'

/** Traces of one model and intent: within these, latency is log-normal; over all of them it is a mixture. */
export interface Stratum {
  readonly name: string
  readonly values: number
  /** √n × the Kolmogorov–Smirnov distance of ln(latency) from a normal distribution. */
  readonly statistic: number
}

/** The largest strata of a run stand for all of them. */
const strataOfRun = 5

/**
 * Rows of a stratum that are looked at: enough to tell log-normal from normal, gamma or
 * exponential, not so many that whole milliseconds or a cap far out in the tail are
 * taken for another distribution.
 */
const valuesOfStratum = 3000

/** Fewer say nothing about a shape. */
const fewestValues = 300

export function isLogNormal({ statistic }: Stratum): boolean {
  return statistic <= lillieforsLimit
}

/**
 * Measures the largest strata of a run.
 *
 * Only successes outside incidents are looked at: failures break off early, time-outs
 * end at the cap, and an incident slows down some requests and not others.
 */
export async function measureStrata(context: ObservabilityContext, run: SeedRun): Promise<readonly Stratum[]> {
  const successes = (await cellsOf(context, run)).filter((cell) => !isFailure(cell))
  const counts = countBy(successes, ({ model, intent }) => `${model} ${intent}`)
  const largest = [...counts].sort(([, a], [, b]) => b - a).slice(0, strataOfRun)
  const strata: Stratum[] = []
  for (const [name] of largest) {
    const [model = '', intent = ''] = name.split(' ')
    const values = await logLatencies(context, run, model, intent)
    if (values.length >= fewestValues) strata.push({ name, values: values.length, statistic: lilliefors(values) })
  }
  return strata
}

/** A sample that is the same every time: the order of a hash says nothing about latency. */
async function logLatencies(
  { session }: ObservabilityContext,
  run: SeedRun,
  model: string,
  intent: string,
): Promise<readonly number[]> {
  const rows = await session<{ value: number }[]>`
    select ln(latency_ms) as value
    from traces
    where ${rowsOf({ session }, run)} and status = 'success' and latency_ms > 0
      and model = ${model} and intent_category = ${intent}
      and not exists (
        select from jsonb_to_recordset(${JSON.stringify(run.incidents)}::text::jsonb) as incident ("from" timestamptz, "to" timestamptz)
        where timestamp >= incident."from" and timestamp < incident."to")
    order by hashtextextended(trace_id, 0), trace_id
    limit ${valuesOfStratum}`
  return rows.map(({ value }) => Number(value))
}
