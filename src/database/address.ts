import { parse as parseConnectionString } from 'pg-connection-string'
import { UsageError } from '../errors.js'
import { Secret } from '../secret.js'

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
  readonly tls?: Readonly<Record<string, unknown>>
  /** Where the address came from, as it is named in messages: `--database-url`, `DATABASE_URL`, … */
  readonly source: string
}

export const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
export type SslMode = (typeof sslModes)[number]

const knownParameters = new Set([
  'host',
  'port',
  'user',
  'password',
  'database',
  'ssl',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'application_name',
])

/**
 * Reads a PostgreSQL URL (`postgres://user:password@host:port/database?sslmode=require`).
 *
 * @throws UsageError naming `source` when it is not one; the message never quotes the password.
 */
export function parseDatabaseUrl(url: string, source: string): ServerAddress {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new UsageError(`${source} is not a PostgreSQL URL`, {
      code: 'invalid_database_url',
      hint: 'Write it as postgres://user:password@host:5432/database.',
      details: { source },
    })
  }
  const parts = parseParts(url, source)
  const unknown = Object.keys(parts).filter((name) => !knownParameters.has(name))
  if (unknown.length > 0) {
    throw new UsageError(`${source} has parameters that obs does not know: ${unknown.join(', ')}`, {
      code: 'invalid_database_url',
      hint: `Use only ${[...knownParameters].join(', ')}.`,
      details: { source, unknown },
    })
  }
  const user = parts['user'] || defaultUser()
  return {
    host: parts['host'] || 'localhost',
    port: parsePort(parts['port'] || '5432', source),
    database: parts['database'] || user,
    user,
    ...(parts['password'] ? { password: new Secret(parts['password']) } : {}),
    sslMode: parseSslMode(parts['sslmode'] || 'prefer', source),
    ...tlsOf(parts),
    source,
  }
}

/** The address that libpq's own environment variables name, or undefined when they name no server. */
export function addressFromPgVariables(environment: Readonly<NodeJS.ProcessEnv>): ServerAddress | undefined {
  const { PGHOST, PGHOSTADDR, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE } = environment
  if (!PGHOST && !PGHOSTADDR && !PGPORT && !PGDATABASE) return undefined
  const user = PGUSER || defaultUser()
  return {
    host: PGHOST || PGHOSTADDR || 'localhost',
    port: parsePort(PGPORT || '5432', 'PGPORT'),
    database: PGDATABASE || user,
    user,
    ...(PGPASSWORD ? { password: new Secret(PGPASSWORD) } : {}),
    sslMode: parseSslMode(PGSSLMODE || 'prefer', 'PGSSLMODE'),
    source: 'PG* variables',
  }
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

function formatUrl(address: ServerAddress, password: string | undefined): string {
  const credentials = encodeURIComponent(address.user) + (password === undefined ? '' : `:${password}`)
  const database = encodeURIComponent(address.database)
  if (address.host.startsWith('/')) {
    return `postgres://${credentials}@/${database}?host=${encodeURIComponent(address.host)}&port=${address.port}`
  }
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  const parameters = address.sslMode === 'prefer' ? '' : `?sslmode=${address.sslMode}`
  return `postgres://${credentials}@${host}:${address.port}/${database}${parameters}`
}

function parseParts(url: string, source: string): Record<string, string> {
  try {
    const parsed = parseConnectionString(url, { useLibpqCompat: true })
    return Object.fromEntries(Object.entries(parsed).filter(([, value]) => value !== '' && value != null)) as Record<
      string,
      string
    >
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT' ? `: ${cause.message}` : ''
    throw new UsageError(`${source} cannot be read as a URL${reason}`, {
      code: 'invalid_database_url',
      hint: 'Percent-encode special characters in the user name and password (for example @ as %40).',
      details: { source },
    })
  }
}

function tlsOf(parts: Record<string, unknown>): { tls?: Record<string, unknown> } {
  const ssl = parts['ssl']
  return typeof ssl === 'object' && ssl !== null ? { tls: ssl as Record<string, unknown> } : {}
}

function parsePort(text: string, source: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return port
  throw new UsageError(`${source} names the port ${JSON.stringify(text)}, which is not a number from 1 to 65535`, {
    code: 'invalid_port',
    details: { source, port: text },
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

function defaultUser(): string {
  return process.env['USER'] || process.env['LOGNAME'] || 'postgres'
}
