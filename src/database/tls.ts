import { readFileSync } from 'node:fs'
import { UsageError } from '../errors.js'
import type { AddressParts, SslMode } from './address.js'

/** What Node's TLS is told; the texts are PEM. */
export interface Tls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly rejectUnauthorized: boolean
  /** Accepts every host name, where only the chain of certificates is to be verified. */
  readonly checkServerIdentity?: () => undefined
}

/**
 * What an sslmode asks of TLS, with libpq's meanings: `require` encrypts and verifies
 * nothing unless a root certificate is named, `verify-ca` verifies the chain and
 * `verify-full` the host name as well.
 * https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS
 *
 * @returns undefined for the modes that do not insist on encryption.
 * @throws UsageError when a file cannot be read, or `verify-ca` has nothing to verify with.
 */
export function readTls(mode: SslMode, parts: AddressParts, source: string): Tls | undefined {
  if (mode === 'disable' || mode === 'allow' || mode === 'prefer') return undefined
  const { sslrootcert: root, sslcert, sslkey } = parts
  if (mode === 'verify-ca' && root === undefined) {
    throw new UsageError(`${source} asks for sslmode verify-ca and names no sslrootcert`, {
      code: 'invalid_sslmode',
      hint: 'Name the root certificate with sslrootcert, or use verify-full for a public one.',
      details: { source },
    })
  }
  return {
    ...(root !== undefined && root !== 'system' ? { ca: readPem(root, 'sslrootcert', source) } : {}),
    ...(sslcert === undefined ? {} : { cert: readPem(sslcert, 'sslcert', source) }),
    ...(sslkey === undefined ? {} : { key: readPem(sslkey, 'sslkey', source) }),
    rejectUnauthorized: mode !== 'require' || root !== undefined,
    ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  }
}

function readPem(path: string, parameter: string, source: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UsageError(`${source} names a file as ${parameter} that cannot be read: ${path}`, {
      code: 'unreadable_certificate',
      hint: 'Check the path, and that this user may read the file.',
      cause,
      details: { source, parameter, path },
    })
  }
}
