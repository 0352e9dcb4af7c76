import { createHash } from 'node:crypto'

/**
 * SHA-256 over what a migration file says, in hexadecimal.
 *
 * Line endings, a byte order mark and spaces at the end of a line do not count: they
 * change on the way through editors and version control without changing the meaning.
 */
export function checksum(text: string): string {
  return createHash('sha256').update(normalise(text)).digest('hex')
}

function normalise(text: string): string {
  return text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
    .replace(/[ \t]+$/gm, '')
    .trimEnd()
}
