import { randomBytes } from 'node:crypto'
import pgpass from 'pgpass'
import postgres from 'postgres'
import type { RunContext } from '../context.js'
import { ObsError } from '../errors.js'
import type { ServerAddress } from './address.js'
import { explainDatabaseError } from './explain-error.js'
import { detectPlatform, type Platform } from './platform.js'

export type Sql = postgres.Sql
export type Session = postgres.ReservedSql

/** An open pool of connections to one database. */
export interface Database {
  readonly sql: Sql
  readonly address: ServerAddress
  readonly platform: Platform
}

export interface ConnectOptions {
  /** Pool size; connections are opened when first needed. */
  readonly connections?: number
  /** Shown in pg_stat_activity as `obs <purpose> #<run>`, so that a waiting colleague can see who holds what. */
  readonly purpose?: string
  /** Every transaction is read-only: the server itself refuses a write. */
  readonly readOnly?: boolean
  /** Milliseconds after which the server cancels a statement. */
  readonly statementTimeout?: number
}

/**
 * Opens `address`, gives it to `work` and closes it whatever happens.
 *
 * When `context.signal` is aborted the server is told to end every session of this
 * run, so that a statement in progress is rolled back at once and no lock outlives
 * the process.
 *
 * @throws ObsError with exit code 3 when the server cannot be reached or refuses the connection.
 */
export async function withDatabase<T>(
  address: ServerAddress,
  context: RunContext,
  work: (database: Database) => Promise<T>,
  options: ConnectOptions = {},
): Promise<T> {
  const name = `obs ${options.purpose ?? 'session'} #${randomBytes(3).toString('hex')}`
  const sql = await openPool(address, name, options)
  const endSessions = () => void terminateSessions(address, name)
  context.signal.addEventListener('abort', endSessions, { once: true })
  try {
    const platform = await detectPlatform(sql)
    return await work({ sql, address, platform })
  } catch (error) {
    throw explainDatabaseError(error, address)
  } finally {
    context.signal.removeEventListener('abort', endSessions)
    await sql.end({ timeout: 5 })
  }
}

/**
 * Runs `work` on one connection of its own.
 *
 * Needed wherever state belongs to the session: advisory locks, an explicit
 * transaction that spans several calls, temporary tables.
 */
export async function withSession<T>(sql: Sql, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await sql.reserve()
  try {
    await noticeLostClient(session)
    return await work(session)
  } finally {
    session.release()
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

/**
 * Lets the server notice within a second that this client was killed.
 *
 * Without it a backend that is busy or waiting keeps its locks until it next writes
 * to the socket. Servers on platforms without POLLRDHUP refuse the setting.
 * https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL
 */
async function noticeLostClient(session: Session): Promise<void> {
  await session`select set_config('client_connection_check_interval', '1000', false)`.catch(() => undefined)
}

async function openPool(address: ServerAddress, applicationName: string, options: ConnectOptions): Promise<Sql> {
  const password = address.password?.reveal() ?? (await passwordFromPassFile(address))
  const onSocket = address.host.startsWith('/')
  return postgres({
    host: address.host,
    port: address.port,
    database: address.database,
    user: address.user,
    password: password ?? '',
    ssl: onSocket ? false : tlsOption(address),
    max: options.connections ?? 4,
    connect_timeout: 10,
    // A lifetime would close the connection that holds the migration lock.
    max_lifetime: null,
    onnotice: () => undefined,
    types: { bigint: safeBigInt },
    connection: {
      application_name: applicationName,
      ...(options.readOnly ? { default_transaction_read_only: true } : {}),
      ...(options.statementTimeout ? { statement_timeout: options.statementTimeout } : {}),
    },
  }) as unknown as Sql
}

/** `bigint` as a number while that is exact, else as a BigInt. */
const safeBigInt = {
  to: 20,
  from: [20],
  serialize: (value: number | bigint) => value.toString(),
  parse: (text: string) => {
    const number = Number(text)
    return Number.isSafeInteger(number) ? number : BigInt(text)
  },
}

function tlsOption(address: ServerAddress): boolean | 'prefer' | 'allow' | object {
  if (address.sslMode === 'disable') return false
  if (address.sslMode === 'prefer' || address.sslMode === 'allow') return address.sslMode
  return address.tls ?? { rejectUnauthorized: address.sslMode !== 'require' }
}

function passwordFromPassFile(address: ServerAddress): Promise<string | undefined> {
  return new Promise((resolve) => {
    const { host, port, database, user } = address
    pgpass({ host, port, database, user }, resolve)
  })
}

/** Ends the sessions of this run on the server; they may be busy, so this needs a connection of its own. */
async function terminateSessions(address: ServerAddress, applicationName: string): Promise<void> {
  const sql = await openPool(address, 'obs interrupt', { connections: 1 })
  try {
    await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = ${applicationName} and pid <> pg_backend_pid()`
  } catch {
    // The server may be gone already; then there is nothing left to end.
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** Throws what an interrupted run should throw, so that loops can stop between two steps. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new ObsError('interrupted', { code: 'interrupted', exitCode: 130 })
}
