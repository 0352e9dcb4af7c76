import { createHash } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BackupResult, createBackup } from '../../src/backup/create-backup.js'
import { listBackups } from '../../src/backup/list-backups.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { verifyBackup } from '../../src/backup/verify-backup.js'
import { quietContext } from '../../src/context.js'
import { backupDirectory, databaseNames, freshAddress } from '../support/backups.js'
import { openTestDatabase } from '../support/database.js'

let source: Awaited<ReturnType<typeof openTestDatabase>>
let original: BackupResult
let kept: string

beforeAll(async () => {
  source = await openTestDatabase()
  await source.sql.unsafe('create table pet (id int primary key, name text); insert into pet values (1, $$cat$$)')
  kept = await mkdtemp(join(tmpdir(), 'obs-verify-'))
  original = await createBackup(source, { directory: kept, engine: 'built-in' }, quietContext())
})
afterAll(async () => {
  await source.close()
  await rm(kept, { recursive: true, force: true })
})

/** A copy of the backup that the test may damage. */
async function copyOfBackup(): Promise<{ directory: string; path: string }> {
  const directory = await backupDirectory()
  const path = join(directory, original.id)
  await cp(original.path, path, { recursive: true })
  return { directory, path }
}

async function flipByte(path: string): Promise<void> {
  const bytes = await readFile(path)
  const middle = Math.floor(bytes.length / 2)
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  await writeFile(path, bytes)
}

const data = 'data/0001-public.pet.copy.gz'

describe('verifyBackup', () => {
  it('finds nothing wrong with a backup as it was written', async () => {
    const { directory } = await copyOfBackup()
    expect(await verifyBackup(directory, original.id)).toMatchObject({ id: original.id, verified: true })
  })

  it('names a file with a flipped bit', async () => {
    const { directory, path } = await copyOfBackup()
    await flipByte(join(path, data))
    await expect(verifyBackup(directory, 'latest')).rejects.toMatchObject({
      code: 'damaged_backup',
      exitCode: 1,
      details: { damages: [{ path: data, problem: 'changed' }] },
    })
  })

  it('names every file that is truncated, missing or added', async () => {
    const { directory, path } = await copyOfBackup()
    await truncate(join(path, data), 5)
    await rm(join(path, 'post-data.sql'))
    await writeFile(join(path, 'data/extra.sql'), 'drop table pet')
    await expect(verifyBackup(directory, original.id)).rejects.toMatchObject({
      details: {
        damages: [
          { path: 'post-data.sql', problem: 'missing' },
          { path: data, problem: 'truncated' },
          { path: 'data/extra.sql', problem: 'not part of the backup' },
        ],
      },
    })
  })

  it('notices an edited manifest', async () => {
    const { directory, path } = await copyOfBackup()
    const manifest = join(path, 'manifest.json')
    await writeFile(manifest, (await readFile(manifest, 'utf8')).replace('"rows": 1', '"rows": 2'))
    await expect(verifyBackup(directory, original.id)).rejects.toMatchObject({
      code: 'damaged_manifest',
      message: expect.stringContaining('manifest.json was changed since it was written'),
    })
    expect(await listBackups(directory)).toMatchObject([{ id: original.id, state: 'damaged' }])
  })

  it.each(['manifest.json', 'SHA256SUMS'])('notices that %s is missing', async (name) => {
    const { directory, path } = await copyOfBackup()
    await rm(join(path, name))
    await expect(verifyBackup(directory, original.id)).rejects.toMatchObject({ code: 'damaged_manifest' })
  })

  it('refuses a manifest that leads out of its folder', async () => {
    const { directory, path } = await copyOfBackup()
    const manifest = join(path, 'manifest.json')
    const text = (await readFile(manifest, 'utf8')).replaceAll(data, '../../etc/passwd')
    await writeFile(manifest, text)
    await writeFile(join(path, 'SHA256SUMS'), `${createHash('sha256').update(text).digest('hex')}  manifest.json\n`)
    await expect(verifyBackup(directory, original.id)).rejects.toMatchObject({ code: 'damaged_manifest' })
  })

  it('suggests the backup that was meant', async () => {
    const { directory } = await copyOfBackup()
    await expect(verifyBackup(directory, original.id.replace('test', 'tset'))).rejects.toMatchObject({
      code: 'unknown_backup',
      exitCode: 2,
      message: expect.stringContaining(original.id),
    })
  })
})

describe('a damaged backup', () => {
  it('is not restored, and no database is made', async () => {
    const { directory, path } = await copyOfBackup()
    await flipByte(join(path, data))
    const to = freshAddress()
    await expect(restoreBackup({ directory, id: original.id, to }, quietContext())).rejects.toMatchObject({
      code: 'damaged_backup',
    })
    expect(await databaseNames()).not.toContain(to.database)
  })
})

describe('listBackups', () => {
  it('shows the newest first, and passes by what is no backup', async () => {
    const { directory, path } = await copyOfBackup()
    const older = join(directory, original.id.replace(/^\d{4}/, '2001'))
    await cp(path, older, { recursive: true })
    await cp(path, join(directory, 'old stuff'), { recursive: true })
    const list = await listBackups(directory)
    expect(list.map((entry) => entry.id)).toEqual([original.id, expect.stringMatching(/^2001/)])
    expect(list[0]).toMatchObject({ state: 'complete', engine: 'built-in', rows: 1, database: source.address.database })
  })

  it('takes a folder that does not exist for an empty one', async () => {
    expect(await listBackups(join(await backupDirectory(), 'nowhere'))).toEqual([])
  })
})

describe('the files of a backup', () => {
  it('are readable by their owner alone', async () => {
    expect((await stat(original.path)).mode & 0o777).toBe(0o700)
    for (const name of await readdir(original.path, { recursive: true, withFileTypes: true })) {
      const { mode } = await stat(join(name.parentPath, name.name))
      expect(mode & 0o077).toBe(0)
    }
  })

  it('stay intact when the folder is moved elsewhere', async () => {
    const { directory, path } = await copyOfBackup()
    const elsewhere = await backupDirectory()
    await rename(path, join(elsewhere, original.id))
    expect(await verifyBackup(elsewhere, 'latest')).toMatchObject({ id: original.id })
    expect(await listBackups(directory)).toEqual([])
  })
})
