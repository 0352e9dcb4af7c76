import { UsageError } from '../errors.js'
import { Secret } from '../secret.js'
import { splitDatabaseUrl } from './split-url.js'
import { readTls, type Tls } from './tls.js'

/** Where a database is and who asks for it: everything needed to open a connection. */
export interface ServerAddress {
  /** A host name, an IP address, or the folder of a Unix socket (begins with `/`). */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password?: Secret
  /** A libpq sslmode. */
  readonly sslMode: SslMode
  /** PEM files named by sslrootcert, sslcert and sslkey, already read. */
  readonly tls?: Tls
  /** Where the address came from, as it is named in messages: `--database-url`, `DATABASE_URL`, … */
  readonly source: string
}

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
export type SslMode = (typeof sslModes)[number]

type Environment = Readonly<NodeJS.ProcessEnv>

/**
 * Reads a PostgreSQL URL (`postgres://user:password@host:port/database?sslmode=require`).
 *
 * What the URL leaves out comes from libpq's environment variables, as it does for psql,
 * and then from libpq's defaults (the host from neither is `localhost`).
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 *
 * @throws UsageError naming `source` when it is not one; the message never quotes what
 *   could be a part of the password.
 */
export function parseDatabaseUrl(url: string, source: string, environment: Environment = process.env): ServerAddress {
  return addressOf({ ...partsOfEnvironment(environment), ...splitDatabaseUrl(url, source) }, environment, source)
}

/** The address that libpq's own environment variables name, or undefined when they name no server. */
export function addressFromPgVariables(environment: Environment): ServerAddress | undefined {
  const parts = partsOfEnvironment(environment)
  if (!parts.host && !parts.port && !parts.database) return undefined
  return addressOf(parts, environment, 'PG* variables')
}

/** The address as a URL for people: the password is masked. */
export function describeAddress(address: ServerAddress): string {
  return formatUrl(address, address.password ? '***' : undefined)
}

/** The address as a URL that a client can use; it carries the password. */
export function connectionUrl(address: ServerAddress): string {
  return formatUrl(address, address.password ? encodeURIComponent(address.password.reveal()) : undefined)
}

/** The same server and role, another database. */
export function withDatabaseName(address: ServerAddress, database: string): ServerAddress {
  return { ...address, database }
}

/** An address in pieces, as text; what is undefined was not said. */
export interface AddressParts {
  readonly host?: string
  readonly port?: string
  readonly database?: string
  readonly user?: string
  readonly password?: string
  readonly sslmode?: string
  readonly sslrootcert?: string
  readonly sslcert?: string
  readonly sslkey?: string
}

function addressOf(parts: AddressParts, environment: Environment, source: string): ServerAddress {
  const user = parts.user || environment['USER'] || environment['LOGNAME'] || 'postgres'
  const host = parts.host || 'localhost'
  if (host.includes(',')) {
    throw new UsageError(`${source} names several hosts`, {
      code: 'invalid_database_url',
      hint: 'Name one of them: obs works on one server.',
      details: { source },
    })
  }
  const sslMode = parseSslMode(parts.sslmode || 'prefer', source)
  const tls = host.startsWith('/') ? undefined : readTls(sslMode, parts, source)
  return {
    host,
    port: parsePort(parts.port || '5432', source),
    database: parts.database || user,
    user,
    ...(parts.password ? { password: new Secret(parts.password) } : {}),
    sslMode,
    ...(tls ? { tls } : {}),
    source,
  }
}

/** An empty variable counts as unset, as it does for libpq. */
function partsOfEnvironment(environment: Environment): AddressParts {
  const variables = {
    host: environment['PGHOST'] || environment['PGHOSTADDR'],
    port: environment['PGPORT'],
    database: environment['PGDATABASE'],
    user: environment['PGUSER'],
    password: environment['PGPASSWORD'],
    sslmode: environment['PGSSLMODE'],
    sslrootcert: environment['PGSSLROOTCERT'],
    sslcert: environment['PGSSLCERT'],
    sslkey: environment['PGSSLKEY'],
  }
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value))
}

function formatUrl(address: ServerAddress, password: string | undefined): string {
  const credentials = encodeURIComponent(address.user) + (password === undefined ? '' : `:${password}`)
  const database = encodeURIComponent(address.database)
  if (address.host.startsWith('/')) {
    return `postgres://${credentials}@/${database}?host=${encodeURIComponent(address.host)}&port=${address.port}`
  }
  const host = address.host.includes(':') ? `[${address.host}]` : encodeURIComponent(address.host)
  const parameters = address.sslMode === 'prefer' ? '' : `?sslmode=${address.sslMode}`
  return `postgres://${credentials}@${host}:${address.port}/${database}${parameters}`
}

/** The text is not quoted: after a forgotten `@` it is the password. */
function parsePort(text: string, source: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port >= 1 && port <= 65535) return port
  throw new UsageError(`${source} names a port that is not a number from 1 to 65535`, {
    code: 'invalid_port',
    hint: 'Write the address as postgres://user:password@host:5432/database.',
    details: { source },
  })
}

function parseSslMode(text: string, source: string): SslMode {
  const mode = sslModes.find((candidate) => candidate === text)
  if (mode) return mode
  throw new UsageError(`${source} asks for sslmode ${JSON.stringify(text)}`, {
    code: 'invalid_sslmode',
    hint: `Choose one of ${sslModes.join(', ')}.`,
    details: { source, sslmode: text },
  })
}
