import { createHash } from 'node:crypto'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BackupResult, createBackup } from '../../src/backup/create-backup.js'
import { listBackups } from '../../src/backup/list-backups.js'
import {
  checksumsName,
  formatChecksums,
  formatManifest,
  type Manifest,
  manifestName,
  readManifest,
} from '../../src/backup/manifest.js'
import { readProof } from '../../src/backup/proof.js'
import { proveByRestoring } from '../../src/backup/prove-backup.js'
import { verifyBackup } from '../../src/backup/verify-backup.js'
import { quietContext } from '../../src/context.js'
import { backupDirectory, warnedOf } from '../support/backups.js'
import { openTestDatabase, serverAddress } from '../support/database.js'

let source: Awaited<ReturnType<typeof openTestDatabase>>
let original: BackupResult
let kept: string

beforeAll(async () => {
  source = await openTestDatabase()
  await source.sql.unsafe(`
    create table owner (id int primary key);
    create table pet (id int primary key, name text, kind varchar(9) check (kind in ('cat', 'dog')));
    create index pet_name on pet (name);
    insert into owner values (1);
    insert into pet values (1, 'cat', 'cat'), (2, 'dog', 'dog')`)
  kept = await mkdtemp(join(tmpdir(), 'obs-prove-'))
  original = await createBackup(source, { directory: kept, engine: 'built-in' }, quietContext())
})
afterAll(async () => {
  await source.close()
  await rm(kept, { recursive: true, force: true })
})

/** A copy of the backup that the test may change. */
async function copyOfBackup(): Promise<{ directory: string; path: string }> {
  const directory = await backupDirectory()
  const path = join(directory, original.id)
  await cp(original.path, path, { recursive: true })
  return { directory, path }
}

/** Changes a file of a backup and every hash of it, as somebody would who does not want it to be noticed. */
async function forge(
  folder: string,
  name: RegExp,
  change: (text: string) => string,
  more: Partial<Manifest> = {},
): Promise<void> {
  const manifest = await readManifest(folder)
  const path = manifest.files.find((file) => name.test(file.path))?.path ?? ''
  const content = await readFile(join(folder, path))
  const zipped = path.endsWith('.gz')
  const text = (zipped ? gunzipSync(content) : content).toString()
  expect(change(text)).not.toBe(text)
  const forged = zipped ? gzipSync(change(text)) : Buffer.from(change(text))
  await writeFile(join(folder, path), forged)
  const sha256 = createHash('sha256').update(forged).digest('hex')
  const files = manifest.files.map((file) => (file.path === path ? { path, bytes: forged.length, sha256 } : file))
  const manifestText = formatManifest({ ...manifest, ...more, files })
  await writeFile(join(folder, manifestName), manifestText)
  await writeFile(join(folder, checksumsName), formatChecksums(manifestText, files))
}

const prove = (directory: string, context = quietContext()) =>
  proveByRestoring({ directory, id: original.id, on: serverAddress(), by: 'verify' }, context)

describe('proveByRestoring', () => {
  it('records that a backup was restored', async () => {
    const { directory, path } = await copyOfBackup()
    expect(await readProof(path)).toBeNull()
    expect(await prove(directory)).toMatchObject({ id: original.id, tables: 2, rows: 3 })
    expect(await readProof(path)).toMatchObject({
      level: 'restored',
      by: 'verify',
      server_version: source.platform.displayVersion,
    })
    expect(await listBackups(directory)).toMatchObject([
      { id: original.id, proof: { level: 'restored', by: 'verify' } },
    ])
    expect(await verifyBackup(directory, original.id)).toMatchObject({ verified: true })
  })

  it('takes an older backup, whose definitions are in the words of the server, for the same', async () => {
    const { directory, path } = await copyOfBackup()
    const { context, warnings } = warnedOf()
    const words = "ARRAY[('cat'::character varying)::text, ('dog'::character varying)::text]"
    const older = "(ARRAY['cat'::character varying, 'dog'::character varying])::text[]"
    const another = { catalog_hash: createHash('sha256').update('of those words').digest('hex') }
    await forge(path, /catalog/, (text) => text.replace(words, older), another)
    await prove(directory, context)
    expect(warnings).toEqual([])
  })

  it('warns of a definition that says something else', async () => {
    const { directory, path } = await copyOfBackup()
    const { context, warnings } = warnedOf()
    await forge(path, /post-data/, (sql) => sql.replace(/(CREATE INDEX pet_name .*)\(name\)/, '$1(kind)'))
    await prove(directory, context)
    expect(warnings).toEqual(['definitions read differently than before: index public.pet_name'])
  })

  it.each([
    ['a value was changed', /pet\.copy/, (rows: string) => rows.replace('cat', 'cow'), /public\.pet has other values/],
    ['two values changed places', /pet\.copy/, swapNames, /public\.pet has other values in its 2 rows/],
    [
      'a row was taken away',
      /pet\.copy/,
      (rows: string) => rows.replace('2\tdog\tdog\n', ''),
      /public\.pet has 1 rows instead/,
    ],
    [
      'an index was taken away',
      /post-data/,
      (sql: string) => sql.replace(/create index pet_name .*;/i, ''),
      /pet_name/,
    ],
  ])('names what differs when %s and every hash was made to fit', async (_, file, change, difference) => {
    const { directory, path } = await copyOfBackup()
    await prove(directory)
    await forge(path, file, change)
    expect(await verifyBackup(directory, original.id)).toMatchObject({ verified: true })
    await expect(prove(directory)).rejects.toMatchObject({
      code: 'restore_differs',
      exitCode: 1,
      details: { differences: [expect.stringMatching(difference)] },
    })
    // The proof was one of the backup as it had been.
    expect(await readProof(path)).toBeNull()
  })
})

function swapNames(rows: string): string {
  return rows.replace('cat', '?').replace('dog', 'cat').replace('?', 'dog')
}
