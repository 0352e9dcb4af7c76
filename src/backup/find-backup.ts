import { join } from 'node:path'
import { UsageError } from '../errors.js'
import { nearest } from '../suggest.js'
import { archiveNames } from './archive.js'

/**
 * The folder of the backup called `id`; `latest` means the newest.
 *
 * @throws UsageError when `directory` holds no such backup.
 */
export async function findBackup(directory: string, id: string): Promise<string> {
  // Names begin with the time in UTC, so their order is that of time.
  const names = (await archiveNames(directory)).sort().reverse()
  const found = id === 'latest' ? names[0] : names.find((name) => name === id)
  if (found !== undefined) return join(directory, found)
  const guess = nearest(id, names)
  const where =
    names.length === 0 ? `${directory} holds no backups` : `${directory} holds no backup ${JSON.stringify(id)}`
  throw new UsageError(`${where}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`, {
    code: 'unknown_backup',
    hint: names.length === 0 ? 'Take one with obs backup create.' : 'Choose one from obs backup list.',
    details: { directory, id },
  })
}
