import type { RunContext } from '../../context.js'
import type { LockPolicy } from '../lock/lock-wait.js'

interface BuildProgress {
  readonly phase: string
  readonly lockers_total: number
  readonly lockers_done: number
  readonly blocks_total: number
  readonly blocks_done: number
  readonly tuples_total: number
  readonly tuples_done: number
}

const everyMs = 500

/**
 * Shows how far the build of an index is while `work` runs it, from another connection.
 * A phase that is over before anybody looks is not shown.
 * https://www.postgresql.org/docs/current/progress-reporting.html#CREATE-INDEX-PROGRESS-REPORTING
 *
 * @param title of the step that is running
 */
export async function watchBuild<T>(
  { sql, pid }: LockPolicy,
  title: string,
  { progress }: RunContext,
  work: () => Promise<T>,
): Promise<T> {
  let shown = ''
  let looking = false
  let over = false
  const look = async () => {
    if (looking) return
    looking = true
    const [row] = await sql<BuildProgress[]>`
      select phase, lockers_total, lockers_done, blocks_total, blocks_done, tuples_total, tuples_done
      from pg_stat_progress_create_index where pid = ${pid}`.catch(() => [])
    looking = false
    if (!row || over) return
    if (row.phase !== shown) progress.step(`${title}: ${row.phase}`)
    shown = row.phase
    const amount = amountOf(row)
    if (amount) progress.advance(...amount)
  }
  const timer = setInterval(() => void look(), everyMs)
  try {
    return await work()
  } finally {
    over = true
    clearInterval(timer)
    if (shown) progress.step(title)
  }
}

/** What the phase counts; the view keeps the numbers of the phase before where it counts nothing. */
function amountOf(row: BuildProgress): readonly [number, number, string] | undefined {
  if (row.phase.startsWith('waiting')) return amount(row.lockers_done, row.lockers_total, 'sessions')
  if (row.phase.includes('scanning')) return amount(row.blocks_done, row.blocks_total, 'blocks')
  if (row.phase.includes('loading')) return amount(row.tuples_done, row.tuples_total, 'rows')
  return undefined
}

function amount(done: number, total: number, unit: string): readonly [number, number, string] | undefined {
  return total > 0 ? [done, total, unit] : undefined
}
