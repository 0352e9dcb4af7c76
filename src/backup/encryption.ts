import { readFile, writeFile } from 'node:fs/promises'
import { codeOf, ObsError, UsageError } from '../errors.js'
import { Secret } from '../secret.js'

/** What a stream of bytes is led through: it goes in clear and comes out encrypted, or the other way about. */
export type Cipher = (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>

/** The public half of a key, as it may be shown to anybody: `age1…`. */
export type Recipient = string

/**
 * Reads whom to encrypt to.
 *
 * Each source is a recipient (`age1…`) or a file that holds some, one a line, with comments after `#`.
 * A key file will do as well: of the secret keys in it only the public halves are kept.
 *
 * @param flag where the sources were named, for the error.
 * @throws UsageError naming the source, and the line of the file, that cannot be used.
 */
export async function readRecipients(sources: readonly string[], flag: string): Promise<readonly Recipient[]> {
  const age = await import('age-encryption')
  const parse = async (text: string, where: string): Promise<Recipient> => {
    try {
      if (text.startsWith('AGE-SECRET-KEY-')) return await age.identityToRecipient(text)
      new age.Encrypter().addRecipient(text)
      return text
    } catch {
      throw invalidKey(where, 'is neither a recipient (age1…) nor a key of age')
    }
  }
  const found: Recipient[] = []
  for (const source of sources) {
    if (source.startsWith('age1')) found.push(await parse(source, `${flag} ${source}`))
    else for (const { text, where } of await readLines(source, flag)) found.push(await parse(text, where))
  }
  return [...new Set(found)]
}

/**
 * Reads the secret keys of files as `age-keygen` and `obs backup key` write them.
 *
 * @throws UsageError naming the file and the line that cannot be used; never what stands there.
 */
export async function readIdentities(files: readonly string[], flag: string): Promise<readonly Secret[]> {
  const age = await import('age-encryption')
  const found: Secret[] = []
  for (const file of files) {
    for (const { text, where } of await readLines(file, flag)) {
      try {
        new age.Decrypter().addIdentity(text)
      } catch {
        throw invalidKey(where, 'is not a secret key of age (AGE-SECRET-KEY-1…)')
      }
      found.push(new Secret(text))
    }
  }
  return found
}

async function readLines(file: string, flag: string): Promise<readonly { text: string; where: string }[]> {
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`${flag} names ${file}, which cannot be read (${codeOf(cause) || 'error'})`, {
      code: 'unreadable_key',
      hint: 'Name a file with one key a line; obs backup key makes one. Nothing was written.',
      details: { file },
    })
  })
  const lines = content
    .split(/\r?\n/)
    .map((line, index) => ({ text: line.trim(), where: `${file}:${index + 1}` }))
    .filter(({ text }) => text !== '' && !text.startsWith('#'))
  if (lines.length === 0) throw invalidKey(file, 'holds no key')
  return lines
}

function invalidKey(where: string, problem: string): UsageError {
  return new UsageError(`${where} ${problem}`, {
    code: 'invalid_key',
    hint: 'Make a key with obs backup key or age-keygen; nothing was written.',
    details: { where },
  })
}

/**
 * Makes a key file that only its owner may read.
 *
 * @returns the public half, which is all that a machine that writes backups has to know.
 * @throws UsageError when there is a file of that name: a key is never written over.
 */
export async function createKeyFile(file: string, now: Date): Promise<Recipient> {
  const age = await import('age-encryption')
  const identity = await age.generateX25519Identity()
  const recipient = await age.identityToRecipient(identity)
  const text = `# created: ${now.toISOString()}\n# public key: ${recipient}\n${identity}\n`
  try {
    await writeFile(file, text, { flag: 'wx', mode: 0o600, flush: true })
  } catch (cause) {
    throw new UsageError(
      codeOf(cause) === 'EEXIST' ? `there is a file ${file} already` : `${file} cannot be written (${codeOf(cause)})`,
      { code: 'cannot_write_key', hint: 'Name a file that does not exist; nothing was written.', details: { file } },
    )
  }
  return recipient
}

/** Encrypts to everybody in `recipients`, as `age --encrypt` does. */
export function encryptor(recipients: readonly Recipient[]): Cipher {
  return async function* (bytes) {
    const age = await import('age-encryption')
    const encrypter = new age.Encrypter()
    for (const recipient of recipients) encrypter.addRecipient(recipient)
    yield* await encrypter.encrypt(ReadableStream.from(bytes))
  }
}

/**
 * Decrypts what `age --encrypt` or `encryptor` wrote, with whichever key fits.
 *
 * @throws ObsError `wrong_key` when none does, and `undecryptable` when the file was touched.
 */
export function decryptor(identities: readonly Secret[]): Cipher {
  return async function* (bytes) {
    const age = await import('age-encryption')
    const decrypter = new age.Decrypter()
    for (const identity of identities) decrypter.addIdentity(identity.reveal())
    try {
      yield* await decrypter.decrypt(ReadableStream.from(bytes))
    } catch (cause) {
      if (cause instanceof ObsError || codeOf(cause) !== '') throw cause
      throw explainDecryption(cause, identities.length)
    }
  }
}

function explainDecryption(cause: unknown, keys: number): ObsError {
  const message = cause instanceof Error ? cause.message : String(cause)
  if (message.startsWith('no identity matched')) {
    return new UsageError(
      keys === 1 ? 'the key does not open this backup' : `none of the ${keys} keys opens this backup`,
      {
        code: 'wrong_key',
        hint: 'Name the key that the backup was encrypted to with --identity; nothing was changed.',
        details: { keys },
      },
    )
  }
  return new ObsError(`an encrypted file of the backup cannot be opened: ${message}`, {
    code: 'undecryptable',
    hint: 'Look at it with obs backup verify; choose another backup when it is damaged.',
    cause,
  })
}
