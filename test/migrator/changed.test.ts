import { describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import type { Database } from '../../src/database/connect.js'
import { textChecksum } from '../../src/migrator/checksum/checksum.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import { parser } from '../../src/migrator/statements/parser.js'
import type { Pack } from '../../src/packs.js'
import { testDatabase } from '../support/database.js'
import { addFiles, testPack } from '../support/packs.js'

const context = quietContext()

async function states(database: Database, pack: Pack): Promise<string[]> {
  const { migrations } = await migrationStatus(database, pack)
  return migrations.map(({ version, state }) => `${version} ${state}`)
}

const text = `create table pet (\n  id int primary key,\n  name text default 'Rex; -- a dog'\n);\ninsert into pet values (1, 'x');\n`

it('compares unchanged files without loading the parser', async () => {
  const db = await testDatabase()
  const pack = await testPack({ '1_pet.up.sql': 'select 1;', '2_toy.up.sql': 'select 2;' })
  await migrateUp(db, await testPack({}), {}, context)
  await db.sql`create schema if not exists obs`
  const history = await testPack({ '1_pet.ts': 'export async function up() {}' })
  await migrateUp(db, history, {}, context)
  await db.sql`delete from obs.migration_history`
  for (const version of [1, 2]) {
    const checksum = `tokens:${'0'.repeat(64)} text:${textChecksum(`select ${version};`)}`
    await db.sql`
      insert into obs.migration_history (format, pack, version, name, direction, checksum, state, in_transaction,
        started_at, who, host, obs_version)
      values (1, 'pets', ${version}, 'x', 'up', ${checksum}, 'applied', true, now(), '', '', '')`
  }
  expect(await states(db, pack)).toEqual(['1 applied', '2 applied'])
  expect((await migrateUp(db, pack, {}, context)).applied).toEqual([])
  expect(() => parser()).toThrow('before it is loaded')
  await addFiles(pack, { '2_toy.up.sql': 'select 3;' })
  expect(await states(db, pack)).toEqual(['1 applied', '2 changed'])
  expect(parser()).toBeDefined()
})

describe('an applied file', () => {
  it.each([
    ['other line endings and a byte order mark', `\uFEFF${text.replaceAll('\n', '\r\n')}`],
    [
      'a licence and comments',
      `-- (c) 2026\n/* all /* rights */ */\n${text.replace('id int', 'id /* key */ int')}-- the end`,
    ],
    ['other formatting', text.replaceAll('\n', ' ').replaceAll('  ', '\t')],
    [
      'keywords and names in upper case',
      text.replace('create table pet', 'CREATE TABLE Pet').replace('int primary', 'INT PRIMARY'),
    ],
    ['more semicolons, and none at the end', `;;${text.trimEnd().slice(0, -1)}`],
  ])('says the same with %s', async (_name, same) => {
    const db = await testDatabase()
    const pack = await testPack({ '1_pet.up.sql': text })
    await migrateUp(db, pack, {}, context)
    await addFiles(pack, { '1_pet.up.sql': same })
    expect(await states(db, pack)).toEqual(['1 applied'])
    expect((await migrateUp(db, pack, {}, context)).applied).toEqual([])
  })

  it.each([
    ['a string', text.replace('-- a dog', '-- A dog')],
    ['a number', text.replace('(1,', '(2,')],
    ['a name', text.replace('name text', 'nome text')],
    ['quotes around a name', text.replace('name text', '"Name" text')],
    ['one statement less', text.replace(/insert.*\n/, '')],
    ['a word', text.replace('id int', 'id bigint')],
    ['no SQL at all', 'this is not SQL'],
  ])('has changed with another thing to say: %s', async (_name, other) => {
    const db = await testDatabase()
    const pack = await testPack({ '1_pet.up.sql': text })
    await migrateUp(db, pack, {}, context)
    await addFiles(pack, { '1_pet.up.sql': other })
    expect(await states(db, pack)).toEqual(['1 changed'])
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_changed', exitCode: 1 })
  })

  it('counts the rows for copy as what it says', async () => {
    const db = await testDatabase()
    const copy = 'create table pet (id int);\ncopy pet from stdin;\n1\n2\n\\.\n'
    const pack = await testPack({ '1_pet.up.sql': copy })
    await migrateUp(db, pack, {}, context)
    await addFiles(pack, { '1_pet.up.sql': `-- pets\n${copy.replaceAll('\n', '\r\n')}` })
    expect(await states(db, pack)).toEqual(['1 applied'])
    await addFiles(pack, { '1_pet.up.sql': copy.replace('2\n', '3\n') })
    expect(await states(db, pack)).toEqual(['1 changed'])
  })

  it('that changed is shown with both sides, without what was only formatted', async () => {
    const db = await testDatabase()
    const pack = await testPack({ '1_pet.up.sql': text, '2_toy.up.sql': 'create table toy ();' })
    await migrateUp(db, pack, {}, context)
    await addFiles(pack, {
      '1_pet.up.sql': `-- licence\n\n${text.replace("default 'Rex; -- a dog'", 'not null').replace('insert into', 'INSERT\n  INTO')}`,
    })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: Error) => thrown)
    expect((error as Error).message).toBe(
      [
        '1_pet changed after being applied',
        '1_pet.up.sql:5 (- as applied, + as it is now)',
        "  -   name text default 'Rex; -- a dog'",
        '  +   name text not null',
      ].join('\n'),
    )
    expect(error).toMatchObject({ details: { changes: [{ migration: '1_pet', line: 5, lines: expect.any(Array) }] } })
    const { changes } = await migrationStatus(db, pack)
    expect(changes).toMatchObject([{ migration: '1_pet', line: 5 }])
  })

  it('is compared by its text when an older obs wrote the history', async () => {
    const db = await testDatabase()
    const pack = await testPack({ '1_pet.up.sql': text })
    await migrateUp(db, pack, {}, context)
    await db.sql`update obs.migration_history set checksum = ${textChecksum(text)}, script = null`
    expect(await states(db, pack)).toEqual(['1 applied'])
    await addFiles(pack, { '1_pet.up.sql': `${text.replaceAll('\n', ' \r\n')}\n` })
    expect(await states(db, pack)).toEqual(['1 applied'])
    await addFiles(pack, { '1_pet.up.sql': `-- licence\n${text}` })
    expect(await states(db, pack)).toEqual(['1 changed'])
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({
      message: '1_pet changed after being applied',
    })
  })

  it('in TypeScript is compared by its text', async () => {
    const db = await testDatabase()
    const code = `export async function up({ sql }) {\n  await sql\`select 1\`\n}\n`
    const pack = await testPack({ '1_pet.ts': code })
    await migrateUp(db, pack, {}, context)
    await addFiles(pack, { '1_pet.ts': code.replaceAll('\n', '\r\n') })
    expect(await states(db, pack)).toEqual(['1 applied'])
    await addFiles(pack, { '1_pet.ts': code.replace('select 1', 'select 2') })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: Error) => thrown)
    expect((error as Error).message).toContain(
      '1_pet.ts:2 (- as applied, + as it is now)\n  -   await sql`select 1`\n  +',
    )
  })
})
