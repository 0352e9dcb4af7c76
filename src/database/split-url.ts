import { UsageError } from '../errors.js'
import type { AddressParts } from './address.js'

/** Parameters of a URL that say where the server is, and the part of an address they are. */
const partOfParameter: Readonly<Record<string, keyof AddressParts>> = {
  host: 'host',
  port: 'port',
  dbname: 'database',
  database: 'database',
  user: 'user',
  password: 'password',
  sslmode: 'sslmode',
  sslrootcert: 'sslrootcert',
  sslcert: 'sslcert',
  sslkey: 'sslkey',
}

/** Parameters with a meaning of their own: `ssl` is short for an sslmode, and obs names its sessions itself. */
const otherParameters = ['ssl', 'application_name']

/** User and password reach to the last `@` before the path, so that neither has to encode one. */
const shape = /^postgres(?:ql)?:\/\/(?:([^/?]*)@)?(\[[^\]]*\]|[^:/?]*)(?::([^/?]*))?(?:\/([^?]*))?(?:\?(.*))?$/s

/**
 * Takes a PostgreSQL URL apart and decodes its parts; a parameter wins over the same
 * thing said before the `?`, as it does for libpq.
 *
 * @throws UsageError naming `source`. It quotes nothing of the URL but names of
 *   parameters, because a character left unencoded can make any other part the password.
 */
export function splitDatabaseUrl(url: string, source: string): AddressParts {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw invalid(
      `${source} is not a PostgreSQL URL`,
      'Write it as postgres://user:password@host:5432/database.',
      source,
    )
  }
  const [, credentials, host = '', port, path = '', query = ''] = shape.exec(url) ?? []
  if (url.includes('#') || (credentials === undefined && path.includes('@'))) throw unencoded(source)
  const [user, password] = cut(credentials ?? '', ':')
  const decode = (text: string) => decodePart(text, source)
  return withoutEmpty({
    host: decode(host.replace(/^\[(.*)\]$/, '$1')),
    port: decode(port ?? ''),
    database: decode(path),
    user: decode(user),
    password: decode(password),
    ...parametersOf(query, decode, source),
  })
}

function parametersOf(query: string, decode: (text: string) => string, source: string): AddressParts {
  const pairs = query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => cut(pair, '=').map(decode) as [string, string])
  if (pairs.some(([name]) => !/^[a-z_]+$/i.test(name))) throw unencoded(source)
  const unknown = pairs.map(([name]) => name).filter((name) => !isKnown(name))
  if (unknown.length > 0) {
    const known = [...Object.keys(partOfParameter), ...otherParameters]
    throw new UsageError(`${source} has parameters that obs does not know: ${unknown.join(', ')}`, {
      code: 'invalid_database_url',
      hint: `Use only ${known.join(', ')}.`,
      details: { source, unknown },
    })
  }
  const parts = pairs.flatMap(([name, value]) => {
    if (name === 'ssl') return [['sslmode', sslModeOf(value, source)] as const]
    const part = partOfParameter[name]
    return part === undefined ? [] : [[part, value] as const]
  })
  return Object.fromEntries(parts)
}

function isKnown(name: string): boolean {
  return Object.hasOwn(partOfParameter, name) || otherParameters.includes(name)
}

function sslModeOf(ssl: string, source: string): string {
  if (ssl === 'true' || ssl === '1') return 'require'
  if (ssl === 'false' || ssl === '0') return 'disable'
  throw invalid(
    `${source} has an ssl that is neither true nor false`,
    'Say sslmode=require or sslmode=disable.',
    source,
  )
}

/** The text before and after the first `separator`. */
function cut(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function decodePart(text: string, source: string): string {
  const decoded = tryDecode(text)
  if (decoded === undefined) {
    throw invalid(`${source} has a % that encodes nothing`, 'Write a percent sign as %25.', source)
  }
  if (decoded.includes('\0')) throw invalid(`${source} holds a NUL character`, 'Leave %00 out.', source)
  return decoded
}

function tryDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function withoutEmpty(parts: AddressParts): AddressParts {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== ''))
}

function unencoded(source: string): UsageError {
  const hint = 'Percent-encode special characters in user and password: @ is %40, / is %2F, ? is %3F, # is %23.'
  return invalid(`${source} cannot be read as a URL`, hint, source)
}

function invalid(message: string, hint: string, source: string): UsageError {
  return new UsageError(message, { code: 'invalid_database_url', hint, details: { source } })
}
