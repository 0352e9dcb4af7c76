import { connect, Socket } from 'node:net'
import pgpass from 'pgpass'
import postgres from 'postgres'
import type { ServerAddress } from './address.js'

export type Sql = postgres.Sql

export interface PoolOptions {
  /** Pool size; connections are opened when first needed. */
  readonly connections?: number
  /** Every transaction is read-only: the server itself refuses a write. */
  readonly readOnly?: boolean
  /** Milliseconds after which the server cancels a statement. */
  readonly statementTimeout?: number
}

export interface Pool {
  readonly sql: Sql
  /** Tells the pool that the server has answered a query. */
  established(): void
}

/** Seconds until a server that does not answer counts as unreachable. */
const connectTimeout = 10

/** Describes a pool for `address`; nothing is connected before the first query. */
export async function openPool(address: ServerAddress, applicationName: string, options: PoolOptions): Promise<Pool> {
  const password = address.password?.reveal() ?? (await passwordFromPassFile(address))
  const sockets = new Sockets(address)
  const sql = postgres({
    host: address.host,
    port: address.port,
    database: address.database,
    user: address.user,
    password: password ?? '',
    ssl: address.host.startsWith('/') ? false : tlsOption(address),
    max: options.connections ?? 4,
    connect_timeout: connectTimeout,
    // A lifetime would close the connection that holds the migration lock.
    max_lifetime: null,
    onnotice: () => undefined,
    types: { bigint: safeBigInt },
    connection: {
      application_name: applicationName,
      ...(options.readOnly ? { default_transaction_read_only: true } : {}),
      ...(options.statementTimeout ? { statement_timeout: options.statementTimeout } : {}),
    },
    // Missing from the driver's types, described in its README under "Custom socket".
    ...{ socket: () => sockets.open() },
  }) as unknown as Sql
  return { sql, established: () => sockets.established() }
}

/**
 * Opens the sockets of a pool, and breaks a circle of the driver's.
 *
 * When a server hangs up while a connection is being set up, postgres.js connects
 * again at once and without end. Whoever hangs up on the very first connection, or
 * without having said a word, is not asked again.
 */
class Sockets {
  #established = false
  #previous: Socket | undefined

  constructor(readonly address: ServerAddress) {}

  established(): void {
    this.#established = true
  }

  open(): Socket {
    const hungUp = this.#previous !== undefined && this.#hungUp(this.#previous)
    const socket = hungUp ? failing() : connectTo(this.address)
    this.#previous = hungUp ? undefined : socket
    return socket
  }

  #hungUp({ closed, errored, bytesRead }: Socket): boolean {
    return closed && errored === null && (!this.#established || bytesRead === 0)
  }
}

function connectTo({ host, port }: ServerAddress): Socket {
  if (host.startsWith('/')) return connect(`${host}/.s.PGSQL.${port}`)
  // The driver takes the name for TLS from the socket's `host`.
  return Object.assign(connect({ host, port, noDelay: true }), { host })
}

function failing(): Socket {
  const socket = new Socket()
  const error = Object.assign(new Error('the server hung up'), { code: hungUpCode })
  setImmediate(() => socket.destroy(error))
  return socket
}

/** The code of the error for a server that ends a connection before it is set up. */
export const hungUpCode = 'OBS_HUNG_UP'

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
