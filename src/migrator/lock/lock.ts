import { setTimeout as sleep } from 'node:timers/promises'
import type { RunContext } from '../../context.js'
import { type Database, type Session, type Sql, throwIfAborted, withSession } from '../../database/connect.js'
import { refuseTransactionPooler } from '../../database/transaction-pooler.js'
import { describeHolder, type LockHolder, LockTimeoutError } from '../errors.js'

/** What is locked, and how long to wait for it. */
export interface LockRequest {
  readonly schema: string
  readonly timeoutMs: number
}

/**
 * Runs `work` on the one connection that holds the migration lock of a schema.
 *
 * The lock belongs to the session rather than to a transaction, because some
 * migrations (`create index concurrently`) refuse to run inside one; the server drops
 * it when the connection ends, however that comes about.
 *
 * @throws LockTimeoutError naming the holder when the lock was not to be had in time.
 * @throws UsageError when a pooler gives the session to others between two transactions.
 */
export async function withMigrationLock<T>(
  { sql, address }: Pick<Database, 'sql' | 'address'>,
  { schema, timeoutMs }: LockRequest,
  context: RunContext,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  return withSession(sql, async (session) => {
    await refuseTransactionPooler(session, sql, address)
    const key = await lockKey(session, schema)
    await acquire(session, key, timeoutMs, context)
    try {
      return await work(session)
    } finally {
      await session`select pg_advisory_unlock(${key}::bigint)`.catch(() => undefined)
    }
  })
}

/** Who holds the migration lock of a schema right now, if anybody. */
export async function migrationLockHolder(sql: Sql | Session, schema: string): Promise<LockHolder | undefined> {
  return holderOf(sql, await lockKey(sql, schema))
}

const pollingMs = 100

/**
 * Asks again and again instead of queueing: a session that waits in
 * `pg_advisory_lock()` holds a snapshot, and `create index concurrently` of the
 * session it waits for would wait for that snapshot in turn.
 */
async function acquire(
  session: Session,
  key: string,
  timeoutMs: number,
  { progress, signal }: RunContext,
): Promise<void> {
  const started = performance.now()
  let announced = false
  for (;;) {
    throwIfAborted(signal)
    const [row] = await session<{ locked: boolean }[]>`select pg_try_advisory_lock(${key}::bigint) as locked`
    if (row?.locked) return
    const waited = performance.now() - started
    const holder = await holderOf(session, key)
    if (waited >= timeoutMs) throw new LockTimeoutError(holder, Math.round(waited))
    if (!announced) progress.step(`waiting for ${describeHolder(holder)}, which holds the migration lock`)
    announced = true
    await sleep(Math.min(pollingMs, timeoutMs - waited))
  }
}

/** Advisory locks are per database already, so the schema is all that has to be told apart. */
async function lockKey(sql: Sql | Session, schema: string): Promise<string> {
  const [row] = await sql<{ key: string }[]>`select hashtextextended(${`obs migrate ${schema}`}::text, 0)::text as key`
  return row?.key ?? '0'
}

interface HolderRow {
  readonly pid: number
  readonly application: string | null
  readonly user: string | null
  readonly host: string | null
  readonly since: Date | null
}

/** A bigint key is shown in two halves, with objsubid 1: https://www.postgresql.org/docs/current/view-pg-locks.html */
async function holderOf(sql: Sql | Session, key: string): Promise<LockHolder | undefined> {
  const [row] = await sql<HolderRow[]>`
    select a.pid, a.application_name as application, a.usename as user,
           coalesce(host(a.client_addr), 'this machine') as host, a.backend_start as since
    from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.database = (select oid from pg_database where datname = current_database())
      and l.classid::bigint = (${key}::bigint >> 32) & 4294967295
      and l.objid::bigint = ${key}::bigint & 4294967295`
  if (!row) return undefined
  return {
    pid: row.pid,
    application: row.application ?? '',
    user: row.user ?? '?',
    host: row.host ?? '?',
    since: row.since ?? new Date(),
  }
}
