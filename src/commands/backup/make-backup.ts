import { resolve } from 'node:path'
import type { BackupResult, CreateBackupOptions } from '../../backup/create-backup.js'
import type { Database } from '../../database/connect.js'
import { UsageError } from '../../errors.js'
import type { Invocation } from '../invocation.js'

/** The flags that every command has that makes backups. */
export interface MakeBackupFlags {
  readonly encryptTo?: readonly string[]
  readonly afterSuccess?: readonly string[]
}

/**
 * Makes a backup as the flags and the configuration want it: encrypted, and brought elsewhere before it counts.
 *
 * @throws ObsError `hook_failed` when the backup is whole and the program that takes it elsewhere failed.
 */
export async function makeBackup(
  { options, settings, context }: Invocation<MakeBackupFlags>,
  database: Database,
  wanted: CreateBackupOptions,
): Promise<BackupResult> {
  const { createBackup } = await import('../../backup/create-backup.js')
  const backup = await createBackup(database, { ...wanted, ...(await encryptionOf({ options, settings })) }, context)
  const words = options.afterSuccess ?? settings.backup.afterSuccess
  if (words) {
    const { runAfterSuccess } = await import('../../backup/after-success.js')
    const onOutput = (text: string) => void process.stderr.write(text)
    await runAfterSuccess(backup, { words, timeLimit: settings.backup.afterSuccessTimeout, onOutput }, context)
  }
  return backup
}

/** Read before anything is done, so that a mistake in a key file changes nothing. */
async function encryptionOf({
  options,
  settings,
}: Pick<Invocation<MakeBackupFlags>, 'options' | 'settings'>): Promise<Pick<CreateBackupOptions, 'encryption'>> {
  const named = options.encryptTo
  const sources = named?.map((one) => (one.startsWith('age1') ? one : resolve(one))) ?? settings.backup.encryptTo
  if (sources.length === 0) return {}
  const { encryptor, readRecipients } = await import('../../backup/encryption.js')
  const recipients = await readRecipients(sources, named ? '--encrypt-to' : 'backup.encryptTo')
  if (recipients.length === 0) throw new UsageError('there is nobody to encrypt to', { code: 'invalid_key' })
  return { encryption: { name: 'age', encrypt: encryptor(recipients) } }
}
