import { setTimeout as sleep } from 'node:timers/promises'
import type { RunContext } from '../../context.js'
import { type Sql, throwIfAborted } from '../../database/connect.js'
import { StepError } from '../apply/step-error.js'
import { type Blocker, describeBlockers } from '../errors.js'

/** How long to wait for tables that others use, and how to find out who they are. */
export interface LockPolicy {
  /** Connections other than the one that waits. */
  readonly sql: Sql
  /** The backend that may have to wait. */
  readonly pid: number
  /** Milliseconds that one attempt may wait; 0 for ever. */
  readonly attemptMs: number
  /** Milliseconds to go on trying; 0 tries once. */
  readonly retryForMs: number
}

/**
 * Runs `attempt` again as long as it fails because others hold the locks it needs.
 *
 * A session that waits for a lock makes everybody wait who comes after it, even those
 * that the holder would not have minded. So an attempt gives up early, gives back
 * whatever it holds, and comes again later. `attempt` must leave nothing behind when it
 * fails.
 * https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT
 *
 * @throws StepError naming who was in the way when time is up.
 */
export async function withLockRetry<T>(
  policy: LockPolicy,
  migration: string,
  context: RunContext,
  attempt: () => Promise<T>,
): Promise<T> {
  const started = performance.now()
  for (let attempts = 1; ; attempts++) {
    const watch = watchBlockers(policy, (blockers) => announce(policy, migration, blockers, context))
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof StepError) || !wasInTheWay(error)) throw error
      const pause = pauseAfter(attempts)
      const spent = performance.now() - started
      if (spent + pause > policy.retryForMs) throw blockedFor(error, watch.seen(), attempts, spent)
      context.progress.warn(
        `${migration} ${reasonOf(error, watch.seen())}; undone so that nobody queues behind it, attempt ${attempts + 1} in ${(pause / 1000).toFixed(1)} s`,
      )
      throwIfAborted(context.signal)
      await sleep(pause, undefined, { signal: context.signal }).catch(() => throwIfAborted(context.signal))
    } finally {
      watch.stop()
    }
  }
}

/** lock_not_available, deadlock_detected and serialization_failure; https://www.postgresql.org/docs/current/errcodes-appendix.html */
function wasInTheWay({ failure }: StepError): boolean {
  return ['55P03', '40P01', '40001'].includes(failure.sqlState ?? '')
}

const firstPauseMs = 500
const longestPauseMs = 10_000

/** Doubles from half a second to ten, and is shortened at random, so that two runs do not meet again and again. */
function pauseAfter(attempts: number): number {
  const longest = Math.min(firstPauseMs * 2 ** (attempts - 1), longestPauseMs)
  return longest * (0.5 + Math.random() / 2)
}

function reasonOf({ failure }: StepError, blockers: readonly Blocker[]): string {
  if (failure.sqlState === '40P01') return 'met another session head-on (deadlock)'
  if (failure.sqlState === '40001') return 'met another session that wrote the same rows'
  return blockers.length > 0 ? `waits for ${describeBlockers(blockers)}` : 'waits for a lock that others hold'
}

function blockedFor(error: StepError, blockers: readonly Blocker[], attempts: number, spent: number): StepError {
  return new StepError({ ...error.failure, blockers, attempts, waitedMs: Math.round(spent) }, error.cause)
}

/** An attempt without a limit says what it waits for while it waits. */
function announce(
  { attemptMs }: LockPolicy,
  migration: string,
  blockers: readonly Blocker[],
  { progress }: RunContext,
): void {
  if (attemptMs === 0) progress.warn(`${migration} waits for ${describeBlockers(blockers)}`)
}

interface Watch {
  /** Who was in the way when last looked. */
  seen(): readonly Blocker[]
  stop(): void
}

/**
 * Looks from another connection who is in the way, for as long as it takes: once a wait
 * has been given up the server no longer tells. What is over quickly is never looked at.
 */
function watchBlockers(policy: LockPolicy, changed: (blockers: readonly Blocker[]) => void): Watch {
  let seen: readonly Blocker[] = []
  let looking = false
  const look = async () => {
    if (looking) return
    looking = true
    const blockers = await readBlockers(policy).catch(() => [])
    looking = false
    if (blockers.length === 0) return
    const others = namesOf(blockers) !== namesOf(seen)
    seen = blockers
    if (others) changed(blockers)
  }
  const timer = setInterval(() => void look(), lookEveryMs(policy.attemptMs))
  return { seen: () => seen, stop: () => clearInterval(timer) }
}

function lookEveryMs(attemptMs: number): number {
  return attemptMs === 0 ? 1000 : Math.min(1000, Math.max(20, attemptMs * 0.4))
}

function namesOf(blockers: readonly Blocker[]): string {
  return blockers.map(({ pid, relation }) => `${pid} ${relation}`).join()
}

interface BlockerRow extends Omit<Blocker, 'seconds'> {
  readonly seconds: number | null
}

/** Queries are left out, because there is data in them. */
async function readBlockers({ sql, pid }: LockPolicy): Promise<readonly Blocker[]> {
  const rows = await sql<BlockerRow[]>`
    select distinct on (a.pid) a.pid, coalesce(a.application_name, '') as application, coalesce(a.usename, '') as user,
           coalesce(a.state, a.backend_type, '') as state, w.relation::regclass::text as relation,
           extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.query_start))::int as seconds
    from pg_locks w
    cross join lateral unnest(pg_blocking_pids(w.pid)) as b (pid)
    join pg_stat_activity a on a.pid = b.pid
    where w.pid = ${pid} and not w.granted
    order by a.pid, relation nulls last`
  return rows.map((row) => ({ ...row, seconds: row.seconds ?? undefined }))
}
