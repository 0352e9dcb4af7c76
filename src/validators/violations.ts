import { type Check, type CheckContext, type Observation, passed, sampleSize, skipped, violated } from './check.js'

/** A check whose SQL returns one row for each thing that is wrong. */
export interface ViolationsDefinition extends Pick<Check, 'id' | 'severity' | 'description' | 'expected'> {
  /** What is counted, in the plural: `daily buckets`. */
  readonly rows: string
  /** A query with a text column `key` that names a failing row and shows nothing of its content. */
  readonly sql: string
  /** A query for the number of rows looked at; the check is skipped when it is 0. */
  readonly among: string
}

/** Makes a check from a query that must return no row. */
export function violationsCheck<Facts>({ rows, sql, among, ...description }: ViolationsDefinition): Check<Facts> {
  return { ...description, run: (context) => countViolations(context, rows, sql, among), failing: () => sql }
}

interface Counted {
  readonly seen: number
  readonly failing: number
  readonly sample: readonly string[]
}

async function countViolations<Facts>(
  { session }: CheckContext<Facts>,
  rows: string,
  sql: string,
  among: string,
): Promise<Observation> {
  const [counted] = await session.unsafe<Counted[]>(`
    with failing as materialized (${sql})
    select (${among}) as seen,
           (select count(*) from failing) as failing,
           array(select key from failing order by key limit ${sampleSize}) as sample`)
  if (!counted || Number(counted.seen) === 0) return skipped(`there are no ${rows}`)
  const { seen, failing, sample } = counted
  if (Number(failing) === 0) return passed(`0 of ${seen} ${rows}`)
  return violated(`${failing} of ${seen} ${rows}`, Number(failing), sample)
}
