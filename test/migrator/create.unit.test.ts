import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createMigration } from '../../src/migrator/files/create.js'
import { writeTogether } from '../../src/migrator/files/write-together.js'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'obs-create-'))
})

afterEach(async () => {
  await chmod(folder, 0o700)
  await rm(folder, { recursive: true, force: true })
})

function pack(migrations = folder) {
  return { name: 'app', migrations, schema: 'public', historySchema: 'obs', shipped: false }
}

it('writes both files, whole, and nothing besides', async () => {
  const { files } = await createMigration(pack(join(folder, 'new/deep')), { name: 'Add tenants' })
  expect(await readdir(join(folder, 'new/deep'))).toEqual(['0001_add_tenants.down.sql', '0001_add_tenants.up.sql'])
  expect(await readFile(files[0] ?? '', 'utf8')).toBe('-- 0001_add_tenants: Add tenants\n')
})

it('lets no line of the name become a statement', async () => {
  const { files } = await createMigration(pack(), { name: 'x\ndrop table pet;\r\n' })
  expect(await readFile(files[0] ?? '', 'utf8')).toBe('-- 0001_x_drop_table_pet: x drop table pet;\n')
})

it('leaves neither file behind when the second cannot be written', async () => {
  await mkdir(join(folder, '0001_b.down.sql'))
  const files = ['0001_a.up.sql', '0001_b.down.sql', '0001_c.sql'].map((name) => ({
    path: join(folder, name),
    text: 'new',
  }))
  await expect(writeTogether(files)).rejects.toMatchObject({ code: 'file_exists' })
  expect(await readdir(folder)).toEqual(['0001_b.down.sql'])
})

it('never writes over a file, and gives it back as it was', async () => {
  await writeFile(join(folder, 'b.sql'), 'old')
  const files = ['a.sql', 'b.sql'].map((name) => ({ path: join(folder, name), text: 'new' }))
  await expect(writeTogether(files)).rejects.toMatchObject({
    code: 'file_exists',
    message: expect.stringContaining('b.sql exists already'),
  })
  expect(await readdir(folder)).toEqual(['b.sql'])
  expect(await readFile(join(folder, 'b.sql'), 'utf8')).toBe('old')
})

it('says why a file could not be written, and leaves nothing', async () => {
  const files = ['a.sql', 'nowhere/b.sql'].map((name) => ({ path: join(folder, name), text: 'new' }))
  await expect(writeTogether(files)).rejects.toMatchObject({
    code: 'migration_not_written',
    message: expect.stringContaining('ENOENT'),
  })
  expect(await readdir(folder)).toEqual([])
})
