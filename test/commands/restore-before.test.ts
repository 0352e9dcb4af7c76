import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { main } from '../../src/cli.js'
import { withDatabaseName } from '../../src/database/address.js'
import { quoteIdentifier } from '../../src/database/quote.js'
import { databaseNames, inDatabase } from '../support/backups.js'
import { onServer, type TestDatabase, testDatabase } from '../support/database.js'
import { takeDownOutput } from '../support/printed.js'

// Each test starts obs several times.
vi.setConfig({ testTimeout: 180_000 })

let folder: string
let db: TestDatabase
const printed = takeDownOutput()

beforeEach(async () => {
  db = await testDatabase()
  onTestFinished(async () => {
    for (const name of await databaseNames()) {
      if (name.startsWith(`${db.address.database}_`))
        await onServer((sql) => sql.unsafe(`drop database ${quoteIdentifier(name)} with (force)`))
    }
  })
  folder = await mkdtemp(join(tmpdir(), 'obs-before-'))
  const packs = [{ name: 'pets', migrations: '.', schema: 'public' }]
  await files({
    'obs.config.json': JSON.stringify({ packs, backups: 'backups' }),
    '0001_pet.up.sql': 'create table pet (name text);',
    '0002_rex.up.sql': `insert into pet values ('Rex');`,
    '0003_gone.up.sql': 'delete from pet;',
    '0003_gone.down.sql': `insert into pet values ('a stranger');`,
  })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function files(content: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(content)) await writeFile(join(folder, name), text)
}

async function obs(...args: readonly string[]): Promise<unknown> {
  printed.stdout = ''
  printed.stderr = ''
  const config = ['--config', join(folder, 'obs.config.json'), '--database-url', db.url, '--no-color', '--json']
  const code = await main([...args, ...config])
  return code === 0 ? JSON.parse(printed.stdout) : { code, ...JSON.parse(printed.stdout) }
}

const up = async (to: string, ...more: string[]) =>
  (await obs('migrate', 'up', '--to', to, '--preserve', 'off', ...more)) as { backup: { id: string } | null }

const namesIn = (database: string) =>
  inDatabase(withDatabaseName(db.address, database), async ({ sql }) =>
    (await sql<{ name: string }[]>`select name from pet`).map(({ name }) => name),
  )

it('finds by the history the backup that was made before a migration, and restores it beside the database', async () => {
  await up('2')
  const { backup } = await up('3')
  await db.sql`insert into pet values ('later')`
  await obs('backup', 'create')
  const restored = (await obs('backup', 'restore', '--before', '3')) as { id: string; database: string; kept: null }
  expect(restored).toMatchObject({ id: backup?.id, kept: null })
  expect(restored.database).toMatch(new RegExp(`^${db.address.database}_restored_\\d{8}T\\d{6}Z$`))
  expect(await namesIn(restored.database)).toEqual(['Rex'])
  expect(await namesIn(db.address.database)).toEqual(['later'])
})

it('takes the backup of the last time that it was applied', async () => {
  await up('2')
  await up('3')
  await obs('migrate', 'down', '--yes', '--preserve', 'off')
  const { backup } = await up('3')
  expect(await obs('backup', 'restore', '--before', '3', '--replace', '--yes')).toMatchObject({
    id: backup?.id,
    database: db.address.database,
  })
  expect(await namesIn(db.address.database)).toEqual(['a stranger'])
})

it('finds by the manifests the newest backup below that version when the database is gone', async () => {
  await up('2')
  const { backup } = await up('3')
  await db.sql`insert into pet values ('later')`
  await obs('backup', 'create')
  await onServer((sql) => sql.unsafe(`drop database ${db.address.database} with (force)`))
  expect(await obs('backup', 'restore', '--before', '3', '--replace')).toMatchObject({ id: backup?.id, kept: null })
  expect(printed.stderr).toContain('the migration history could not be asked')
  expect(await namesIn(db.address.database)).toEqual(['Rex'])
})

it('says so when no backup was made for it, and takes the newest one before', async () => {
  await up('2')
  const { id } = (await obs('backup', 'create')) as { id: string }
  await up('3', '--backup', 'none')
  await obs('backup', 'create')
  expect(await obs('backup', 'restore', '--before', '3')).toMatchObject({ id })
  expect(printed.stderr).toContain('no backup was made for 3; this is the newest one before it, at pets 2')
})

it('refuses what it cannot find, or what says two things, and changes nothing', async () => {
  await up('2')
  const { backup } = await up('3')
  const before = await databaseNames()
  const refused = async (...args: string[]) =>
    expect(await obs('backup', 'restore', ...args)).toMatchObject({ code: 2 })
  await refused()
  await refused('latest', '--before', '3')
  await refused('--before', 'seven')
  await refused('--before', '1')
  await refused('../../etc')
  await refused('latest/../latest')
  const path = join(folder, 'backups', backup?.id ?? '')
  await rename(path, join(folder, 'elsewhere'))
  await refused('--before', '3')
  expect(JSON.parse(printed.stdout).error.message).toContain('is not in the folder of backups')
  expect((await databaseNames()).filter((name) => name.startsWith(db.address.database))).toEqual(
    before.filter((name) => name.startsWith(db.address.database)),
  )
})
