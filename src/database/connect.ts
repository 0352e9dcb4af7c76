import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunContext } from '../context.js'
import { InterruptedError, ObsError } from '../errors.js'
import type { ServerAddress } from './address.js'
import { ConnectionError, explainDatabaseError } from './explain-error.js'
import { detectPlatform, type Platform } from './platform.js'
import { openPool, type PoolOptions, type Sql } from './pool.js'
import { interruptible, type PoolLife } from './session.js'

export type { Sql } from './pool.js'
export { finishFirst, type Session, withSession, withTransaction } from './session.js'

/** An open pool of connections to one database. */
export interface Database {
  readonly sql: Sql
  readonly address: ServerAddress
  readonly platform: Platform
}

export interface ConnectOptions extends PoolOptions {
  /** Shown in pg_stat_activity as `obs <purpose> #<run>`, so that a waiting colleague can see who holds what. */
  readonly purpose?: string
  /** What to do when the connection was lost on the way: a sentence; by default, to look at the migrations. */
  readonly ifLost?: string
}

/**
 * Opens `address`, gives it to `work` and closes it whatever happens.
 *
 * When `context.signal` is aborted the server is told to end every session of this
 * run, so that a statement in progress is rolled back at once and no lock outlives
 * the process.
 *
 * @throws ObsError with exit code 3 when the server cannot be reached or refuses the
 * connection; InterruptedError when `work` failed because the run was interrupted.
 */
export async function withDatabase<T>(
  address: ServerAddress,
  context: RunContext,
  work: (database: Database) => Promise<T>,
  options: ConnectOptions = {},
): Promise<T> {
  throwIfAborted(context.signal)
  const name = `obs ${options.purpose ?? 'session'} #${randomBytes(3).toString('hex')}`
  const pool = await openPool(address, name, options)
  const { sql, life } = await interruptible(pool.sql)
  let grace = 5
  let ending: Promise<void> | undefined
  const interrupt = () => {
    ending = endWhenFinished(() => endSessions(address, name, pool.sql, life), life)
  }
  context.signal.addEventListener('abort', interrupt, { once: true })
  try {
    const platform = await detectPlatform(sql)
    pool.established()
    throwIfAborted(context.signal)
    return await work({ sql, address, platform })
  } catch (error) {
    const explained = context.signal.aborted
      ? asInterruption(error)
      : explainDatabaseError(error, address, options.ifLost)
    // The driver waits in vain for the answer to a query whose connection was lost.
    if (explained instanceof ConnectionError) grace = 0
    throw explained
  } finally {
    context.signal.removeEventListener('abort', interrupt)
    await ending
    await pool.sql.end({ timeout: grace })
  }
}

/** Throws what an interrupted run should throw, so that loops can stop between two steps. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new InterruptedError()
}

/** How long an interruption waits for work that is better finished, in milliseconds. */
const patience = 30_000

async function endWhenFinished(end: () => Promise<void>, { unfinished }: PoolLife): Promise<void> {
  if (unfinished.size === 0) return end()
  const tooLong = new AbortController()
  await Promise.race([
    Promise.allSettled(unfinished),
    sleep(patience, undefined, { signal: tooLong.signal }).catch(() => undefined),
  ])
  tooLong.abort()
  await end()
}

/**
 * Ends the sessions of this run, first on the server and then here.
 *
 * A backend in the middle of a statement does not look at its socket, which is why the
 * server has to be told. It is told twice, because a session may have been on its way.
 */
async function endSessions(address: ServerAddress, name: string, sql: Sql, life: PoolLife): Promise<void> {
  life.interrupted = true
  const { sql: messenger } = await openPool(address, 'obs interrupt', { connections: 1 })
  const hangUp = () => Promise.all([sql, ...life.sessions].map((pool) => pool.end({ timeout: 0 })))
  try {
    await terminate(messenger, name)
    await hangUp()
    await terminate(messenger, name)
  } catch {
    // The server may be gone or full; then closing our side has to do.
    await hangUp()
  } finally {
    await messenger.end({ timeout: 1 })
  }
}

/** Waits until the sessions are gone, at most five seconds each. */
async function terminate(messenger: Sql, name: string): Promise<void> {
  await messenger`
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where application_name = ${name} and pid <> pg_backend_pid()`
}

/** What stopped an interrupted run is the interruption, whatever the engine made of the lost connection. */
function asInterruption(error: unknown): ObsError {
  if (error instanceof ObsError && error.exitCode === 130) return error
  const details = error instanceof ObsError ? error.details : undefined
  return new InterruptedError('interrupted', {
    cause: error,
    hint: 'Run it again when you are ready; what was not committed is rolled back.',
    ...(details ? { details } : {}),
  })
}
