import { resolve } from 'node:path'
import { Option } from 'commander'
import type { Cipher } from '../../backup/encryption.js'
import type { Invocation } from '../invocation.js'
import { collect } from './own-command.js'

export function identityOption(): Option {
  return new Option(
    '--identity <key-file>',
    'the secret key of an encrypted backup; may be given several times, and one of them has to fit',
  ).argParser(collect)
}

/** The way to decrypt, by the flags and the configuration; nothing where no key is named. */
export async function decryptionOf({
  options,
  settings,
}: Invocation<{ readonly identity?: readonly string[] }>): Promise<{ readonly decrypt?: Cipher }> {
  const named = options.identity
  const files = named?.map((file) => resolve(file)) ?? settings.backup.identity
  if (files.length === 0) return {}
  const { decryptor, readIdentities } = await import('../../backup/encryption.js')
  return { decrypt: decryptor(await readIdentities(files, named ? '--identity' : 'backup.identity')) }
}
