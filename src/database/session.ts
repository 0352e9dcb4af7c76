import type { Socket } from 'node:net'
import postgres from 'postgres'
import { InterruptedError } from '../errors.js'
import type { Sql } from './pool.js'

export type Session = postgres.ReservedSql

/** What belongs to a pool and has to end with it. */
export interface PoolLife {
  interrupted: boolean
  readonly sessions: Set<Sql>
  /** Work that an interruption waits for. */
  readonly unfinished: Set<Promise<unknown>>
}

const lives = new WeakMap<object, PoolLife>()

/**
 * A pool whose queries fail once the run is interrupted, and whose sessions are known,
 * so that they can be ended.
 */
export async function interruptible(pool: Sql): Promise<{ sql: Sql; life: PoolLife }> {
  const life: PoolLife = { interrupted: false, sessions: new Set(), unfinished: new Set() }
  const sql = guard(pool, await deadPool(), () => life.interrupted)
  lives.set(sql, life)
  return { sql, life }
}

/**
 * Runs `work` on one connection of its own.
 *
 * Needed wherever state belongs to the session: advisory locks, an explicit
 * transaction that spans several calls, temporary tables.
 *
 * When the connection is lost every further query of the session fails. The driver's
 * own reserved connections crash the process then, or go on in another session where
 * the lock and the transaction do not exist.
 */
export async function withSession<T>(sql: Sql, work: (session: Session) => Promise<T>): Promise<T> {
  const life = lives.get(sql)
  if (life?.interrupted) throw new InterruptedError()
  const own = ownConnection(sql)
  life?.sessions.add(own.sql)
  try {
    const session = await own.open()
    if (life) lives.set(session, life)
    return await work(session)
  } finally {
    await own.close()
    life?.sessions.delete(own.sql)
  }
}

/**
 * Runs work that is short and better finished than broken off: an interruption ends the
 * sessions of the run only after it, or when half a minute has passed.
 */
export async function finishFirst<T>(session: Session, work: () => Promise<T>): Promise<T> {
  const unfinished = lives.get(session)?.unfinished
  const running = work()
  unfinished?.add(running)
  try {
    return await running
  } finally {
    unfinished?.delete(running)
  }
}

function ownConnection(sql: Sql): { sql: Sql; open(): Promise<Session>; close(): Promise<void> } {
  let closed = false
  let socket: Socket | undefined
  let reserved: Session | undefined
  // A broken socket rejects the query in progress before it closes; the driver would
  // leave a query that comes in between (the rollback, say) unanswered for ever.
  const isLost = () => closed || socket?.destroyed === true
  const own = likePool(sql, {
    onclose: () => {
      closed = true
    },
    onsocket: (opened) => {
      socket = opened
    },
  })
  return {
    sql: own,
    open: async () => {
      const dead = await deadPool()
      reserved = await own.reserve()
      const session = guard(reserved, dead, isLost)
      await noticeLostClient(session)
      return session
    },
    close: async () => {
      const lost = isLost()
      if (!lost) reserved?.release()
      await own.end({ timeout: lost ? 0 : 5 })
    },
  }
}

/** The parsed options of a pool make another of its kind, as the driver itself does for `listen`. */
function likePool(sql: Sql, { onclose, onsocket }: Listeners): Sql {
  const { socket: open } = sql.options as unknown as { readonly socket?: () => Socket }
  const socket = open && (() => tell(onsocket, open()))
  const options = { ...sql.options, max: 1, onclose, socket } as unknown as postgres.Options<Record<string, never>>
  return postgres(options) as unknown as Sql
}

interface Listeners {
  onclose(): void
  onsocket(socket: Socket): void
}

function tell(listener: (socket: Socket) => void, socket: Socket): Socket {
  listener(socket)
  return socket
}

/** A pool that has been closed: its queries fail in the driver's own way. */
let closedPool: Promise<Sql> | undefined

function deadPool(): Promise<Sql> {
  closedPool ??= (async () => {
    const sql = postgres({ max: 1 }) as unknown as Sql
    await sql.end()
    return sql
  })()
  return closedPool
}

function guard<T extends Sql>(living: T, dead: Sql, isDead: () => boolean): T {
  const current = () => (isDead() ? dead : living)
  return new Proxy(living, {
    apply: (_target, self, values) => Reflect.apply(current(), self, values),
    get: (_target, name) => Reflect.get(current(), name),
  })
}

/**
 * Lets the server notice within a second that this client was killed.
 *
 * Without it a backend that is busy or waiting keeps its locks until it next writes
 * to the socket. Servers on platforms without POLLRDHUP refuse the setting.
 * https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL
 */
async function noticeLostClient(session: Session): Promise<void> {
  try {
    await session`select set_config('client_connection_check_interval', '1000', false)`
  } catch (error) {
    if (!(error instanceof postgres.PostgresError)) throw error
  }
}

/**
 * Runs `work` inside one transaction of a session and commits it, or rolls it back when it throws.
 *
 * `begin` says how the transaction opens, for example `begin isolation level repeatable read`.
 */
export async function withTransaction<T>(session: Session, work: () => Promise<T>, begin = 'begin'): Promise<T> {
  await session.unsafe(begin)
  try {
    const result = await work()
    await session`commit`
    return result
  } catch (error) {
    await session`rollback`.catch(() => undefined)
    throw error
  }
}
