import { parseDatabaseUrl, type ServerAddress, withDatabaseName } from '../../database/address.js'
import { UsageError } from '../../errors.js'
import { shellWord } from '../../shell-word.js'
import { type Invocation, targetAddress } from '../invocation.js'

/** The address of `--to`: a URL as it stands; anything else names a database on the server of the settings. */
export async function addressOf(to: string, invocation: Invocation<unknown>): Promise<ServerAddress> {
  if (/^[a-z]+:\/\//i.test(to)) return parseDatabaseUrl(to, '--to')
  if (/(^|\s)(host|hostaddr|port|dbname|user|password)\s*=/i.test(to)) {
    throw new UsageError('--to takes a URL or the name of a database, not a connection string of keywords', {
      hint: 'Write it as postgres://user:password@host:port/database; nothing was changed.',
    })
  }
  const bytes = Buffer.byteLength(to)
  if (bytes === 0 || bytes > 63) {
    throw new UsageError(`--to names a database of ${bytes} bytes; a name has 1 to 63`, { details: { to } })
  }
  return { ...withDatabaseName(await targetAddress(invocation), to), source: '--to' }
}

/** A command that works on the same database as this one did, to be copied; a password is never a part of it. */
export function commandOn({ database }: ServerAddress, words: readonly string[], to: string | undefined): string {
  const target = to !== undefined && /:\/\//.test(to) ? withoutPassword(to) : database
  return ['obs', 'backup', ...words, '--to', target].map(shellWord).join(' ')
}

function withoutPassword(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^:/@]*):.*@/i, '$1@')
}
