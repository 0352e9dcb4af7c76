import { createHash } from 'node:crypto'

/** The namespace of URLs, RFC 9562 section 6.6. */
const urlNamespace = '6ba7b811-9dad-11d1-80b4-00c04fd430c8'

/**
 * A name-based UUID, version 5 of RFC 9562 section 5.5: SHA-1 over the namespace and the name.
 *
 * The twin of the SQL function `uuid_v5`, so that generated rows and rows that a
 * migration derives agree on every id.
 */
export function uuidV5(namespace: string, name: string): string {
  const digest = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80
  return formatUuid(digest.toString('hex', 0, 16))
}

const baseNamespace = uuidV5(urlNamespace, 'https://obs.dev/observability')

export const departmentId = (workspace: string, code: string) => idOf('department', workspace, code)
export const environmentId = (workspace: string, code: string) => idOf('environment', workspace, code)
export const agentUuid = (workspace: string, agentId: string) => idOf('agent', workspace, agentId)
export const userUuid = (workspace: string, userId: string) => idOf('user', workspace, userId)

function idOf(kind: string, workspace: string, code: string): string {
  return uuidV5(baseNamespace, `${kind}:${workspace}:${code}`)
}

function formatUuid(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}
