import { randomBytes } from 'node:crypto'
import { UsageError } from '../errors.js'
import type { ServerAddress } from './address.js'
import type { Session, Sql } from './connect.js'

/**
 * Refuses a session that is not one: behind a pooler in transaction mode every
 * transaction may run in another backend, so that a lock that belongs to the session is
 * held by whoever comes next.
 *
 * The backends are asked who they are, one transaction at a time, by the session and by
 * another connection in turn. A session of one's own is always the same backend, keeps
 * what was set in it, and shares it with nobody.
 *
 * @throws UsageError when there is any doubt.
 */
export async function refuseTransactionPooler(session: Session, others: Sql, address: ServerAddress): Promise<void> {
  const mark = randomBytes(8).toString('hex')
  const first = await backendOf(session)
  await session.unsafe(`set obs.session to '${mark}'`)
  const other = await backendOf(others)
  const second = await backendOf(session)
  const third = await backendOf(session)
  const mine = new Set([first.pid, second.pid, third.pid])
  const kept = second.mark === mark && third.mark === mark
  if (mine.size === 1 && kept && !mine.has(other.pid)) return
  throw transactionPooler(address)
}

interface Backend {
  readonly pid: number
  readonly mark: string
}

/** As text and without parameters, which is what every pooler can pass on. */
async function backendOf(sql: Session | Sql): Promise<Backend> {
  const [row] = await sql.unsafe<Backend[]>(
    `select pg_backend_pid() as pid, coalesce(current_setting('obs.session', true), '') as mark`,
  )
  return row ?? { pid: 0, mark: '' }
}

/** The error for a connection that goes through a pooler in transaction mode. */
export function transactionPooler(address: ServerAddress, cause?: unknown): UsageError {
  return new UsageError(
    `${address.host}:${address.port} is a pooler in transaction mode: the session changes from one transaction to the next, and the migration lock with it`,
    {
      code: 'transaction_pooler',
      hint: `Name the server itself in ${address.source}, or a pool in session mode; nothing was changed.`,
      details: { host: address.host, port: address.port, source: address.source },
      cause,
    },
  )
}
