import postgres from 'postgres'
import { codeOf, exitCodes, ObsError } from '../errors.js'
import { describeAddress, type ServerAddress } from './address.js'
import { hungUpCode } from './pool.js'
import { transactionPooler } from './transaction-pooler.js'

/** The server could not be reached, or did not let us in. */
export class ConnectionError extends ObsError {
  constructor(
    message: string,
    code: string,
    readonly address: ServerAddress,
    hint: string,
    cause: unknown,
  ) {
    super(message, {
      code,
      exitCode: exitCodes.connection,
      hint,
      cause,
      details: { url: describeAddress(address), source: address.source },
    })
  }
}

/**
 * Turns what the driver throws into what a person can act on.
 *
 * Errors of obs pass through unchanged, and so does anything that has nothing to do
 * with the connection or the role's rights.
 *
 * @param ifLost the hint where the connection was lost
 */
export function explainDatabaseError(
  error: unknown,
  address: ServerAddress,
  ifLost = 'Check the server, then run obs migrate status to see where the database stands.',
): unknown {
  if (error instanceof ObsError || !(error instanceof Error)) return error
  const code = codeOf(error)
  const where = `${address.host}:${address.port}`
  const build = concernsFile(error) ? undefined : explanations[code]
  if (build) return build(error, address, where, ifLost)
  if (error instanceof postgres.PostgresError && code.startsWith('08')) return lost(error, address, where, ifLost)
  return error
}

type Explanation = (error: Error, address: ServerAddress, where: string, ifLost: string) => ObsError

const unreachable: Explanation = (error, address, where) =>
  new ConnectionError(
    `cannot reach a PostgreSQL server at ${where} (${codeOf(error)})`,
    'server_unreachable',
    address,
    `Check that the server runs and that ${address.source} names it, or run obs doctor.`,
    error,
  )

const hungUp: Explanation = (error, address, where) =>
  new ConnectionError(
    `whoever listens at ${where} hung up without answering as a PostgreSQL server would`,
    'server_unreachable',
    address,
    `Check that ${address.source} names a PostgreSQL server, and its sslmode.`,
    error,
  )

const lost: Explanation = (error, address, where, ifLost) =>
  new ConnectionError(`the connection to ${where} was lost`, 'connection_lost', address, ifLost, error)

const refused: Explanation = (error, address) =>
  new ConnectionError(
    `the server refused the user ${JSON.stringify(address.user)}: ${error.message}`,
    'authentication_failed',
    address,
    `Check the user and password in ${address.source}.`,
    error,
  )

const noDatabase: Explanation = (error, address) =>
  new ConnectionError(
    `the database ${JSON.stringify(address.database)} does not exist at ${address.host}:${address.port}`,
    'unknown_database',
    address,
    `Create it (createdb ${address.database}) or name another in ${address.source}.`,
    error,
  )

const notReady: Explanation = (error, address) =>
  new ConnectionError(
    `the server is not accepting connections: ${error.message}`,
    'server_not_ready',
    address,
    'Wait for it to finish starting or free a connection, then try again.',
    error,
  )

const noRight: Explanation = (error, address) =>
  new ObsError(`the role ${JSON.stringify(address.user)} may not do this: ${error.message}`, {
    code: 'permission_denied',
    hint: `Grant the right to ${address.user} or name a role that has it; nothing was changed.`,
    cause: error,
    details: { user: address.user },
  })

const readOnly: Explanation = (error, address) =>
  new ObsError(`the database takes no writes from ${JSON.stringify(address.user)}: ${error.message}`, {
    code: 'read_only',
    hint: 'Name the primary server and a role that may write; nothing was changed.',
    cause: error,
    details: { user: address.user },
  })

/** 53200 is memory of every kind; for the table of locks the server names the setting itself. */
const outOfMemory: Explanation = (error, address) =>
  /shared memory/.test(error.message)
    ? new ObsError(
        'the server has no room for as many locks as this needs: one a table, index and sequence it touches',
        {
          code: 'too_many_locks',
          hint: 'Raise max_locks_per_transaction (alter system set max_locks_per_transaction = 512) and restart the server; what was begun was undone.',
          cause: error,
        },
      )
    : new ObsError(`the server is out of memory: ${error.message}`, {
        code: 'out_of_memory',
        hint: `Look at the log of the server at ${address.host}:${address.port}; what was begun was undone.`,
        cause: error,
      })

/** Whoever prepared the statement was another backend. */
const pooled: Explanation = (error, address) => transactionPooler(address, error)

/** Driver and SQLSTATE codes; https://www.postgresql.org/docs/current/errcodes-appendix.html */
const explanations: Readonly<Record<string, Explanation>> = {
  ECONNREFUSED: unreachable,
  ENOTFOUND: unreachable,
  EAI_AGAIN: unreachable,
  ENOENT: unreachable,
  EACCES: unreachable,
  ETIMEDOUT: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  CONNECT_TIMEOUT: unreachable,
  [hungUpCode]: hungUp,
  ECONNRESET: lost,
  EPIPE: lost,
  CONNECTION_CLOSED: lost,
  CONNECTION_ENDED: lost,
  CONNECTION_DESTROYED: lost,
  '57P01': lost,
  '57P02': lost,
  '28000': refused,
  '28P01': refused,
  SASL_SIGNATURE_MISMATCH: refused,
  '3D000': noDatabase,
  '57P03': notReady,
  '53200': outOfMemory,
  '53300': notReady,
  '26000': pooled,
  '42P05': pooled,
  '42501': noRight,
  '25006': readOnly,
}

/** What a file or a program lacks is not the server's fault; the error of a socket has no `path`, not even a Unix one's. */
function concernsFile(error: Error): boolean {
  return 'path' in error && typeof error.path === 'string'
}
