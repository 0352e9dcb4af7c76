import { execFile, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createKeyFile, decryptor, encryptor, readIdentities, readRecipients } from '../../src/backup/encryption.js'
import { backupDirectory } from '../support/backups.js'

const run = promisify(execFile)

async function* pieces(content: Buffer, size = 10_000) {
  for (let from = 0; from < content.length; from += size) yield content.subarray(from, from + size)
}

async function all(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of bytes) parts.push(part)
  return Buffer.concat(parts)
}

async function newKey(name = 'key.txt') {
  const file = join(await backupDirectory(), name)
  return { file, recipient: await createKeyFile(file, new Date()) }
}

describe('encryption', () => {
  it.each([0, 1, 65_536, 1_000_001])('gives back %i bytes as they were', async (size) => {
    const { file, recipient } = await newKey()
    const content = randomBytes(size)
    const sealed = await all(encryptor([recipient])(pieces(content)))
    expect(sealed.includes(content.subarray(0, 32)) && size > 32).toBe(false)
    const opened = await all(decryptor(await readIdentities([file], '--identity'))(pieces(sealed)))
    expect(opened.equals(content)).toBe(true)
  })

  it('says that a key does not fit before a byte comes out', async () => {
    const { recipient } = await newKey()
    const other = await newKey()
    const sealed = await all(encryptor([recipient])(pieces(randomBytes(100))))
    const opened = all(decryptor(await readIdentities([other.file], '--identity'))(pieces(sealed)))
    await expect(opened).rejects.toMatchObject({ code: 'wrong_key', exitCode: 2 })
  })

  it('opens with any of several keys', async () => {
    const [a, b, stranger] = [await newKey(), await newKey(), await newKey()]
    const sealed = await all(encryptor([a.recipient, b.recipient])(pieces(Buffer.from('rows'))))
    const identities = await readIdentities([stranger.file, b.file], '--identity')
    expect(String(await all(decryptor(identities)(pieces(sealed))))).toBe('rows')
  })

  it.each(['flipped', 'cut off'])('notices a file that was %s', async (how) => {
    const { file, recipient } = await newKey()
    const sealed = await all(encryptor([recipient])(pieces(randomBytes(200_000))))
    const touched = how === 'flipped' ? Buffer.from(sealed) : sealed.subarray(0, 150_000)
    if (how === 'flipped') touched[150_000] = (touched[150_000] ?? 0) ^ 1
    const opened = all(decryptor(await readIdentities([file], '--identity'))(pieces(touched)))
    await expect(opened).rejects.toMatchObject({ code: 'undecryptable' })
  })

  it('makes a key file for its owner alone, and never over another', async () => {
    const { file, recipient } = await newKey()
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const text = await readFile(file, 'utf8')
    expect(text).toMatch(/^# created: .*\n# public key: age1\S+\nAGE-SECRET-KEY-1\S+\n$/)
    await expect(createKeyFile(file, new Date())).rejects.toMatchObject({ code: 'cannot_write_key', exitCode: 2 })
    expect(await readFile(file, 'utf8')).toBe(text)
    expect(await readRecipients([file], '--encrypt-to')).toEqual([recipient])
  })

  it('names the line of a file that is no key, and not what stands there', async () => {
    const { file } = await newKey()
    await writeFile(file, '# mine\nAGE-SECRET-KEY-1NOTREALLYONE\n')
    const refused = await readIdentities([file], '--identity').catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'invalid_key', exitCode: 2, message: expect.stringContaining(`${file}:2`) })
    expect(JSON.stringify(refused) + String(refused)).not.toContain('NOTREALLYONE')
    await expect(readRecipients([file], '--encrypt-to')).rejects.toMatchObject({ code: 'invalid_key' })
    await expect(readRecipients(['age1nonsense'], '--encrypt-to')).rejects.toMatchObject({ code: 'invalid_key' })
    await expect(readIdentities(['/nowhere/key'], '--identity')).rejects.toMatchObject({ code: 'unreadable_key' })
    await writeFile(file, '# nothing\n')
    await expect(readIdentities([file], '--identity')).rejects.toMatchObject({ code: 'invalid_key' })
  })

  it('writes what age reads, and reads what age writes', async ({ skip }) => {
    const missing = spawnSync('age', ['--version']).error !== undefined
    if (missing) console.log('skipped: age is not on the PATH')
    skip(missing, 'age is not on the PATH')
    const { file, recipient } = await newKey()
    const content = randomBytes(300_000)
    const [ours, theirs] = [`${file}.ours.age`, `${file}.theirs.age`]
    await writeFile(ours, await all(encryptor([recipient])(pieces(content))))
    await run('age', ['--decrypt', '--identity', file, '--output', `${ours}.clear`, ours])
    expect((await readFile(`${ours}.clear`)).equals(content)).toBe(true)
    await run('age', ['--recipient', recipient, '--output', theirs, `${ours}.clear`])
    const identities = await readIdentities([file], '--identity')
    const opened = await all(decryptor(identities)(pieces(await readFile(theirs))))
    expect(opened.equals(content)).toBe(true)
  })
})
