import { describe, expect, it, vi } from 'vitest'
import { quietContext } from '../../src/context.js'
import type { Database } from '../../src/database/connect.js'
import { migrateDown } from '../../src/migrator/down.js'
import { migrationStatus } from '../../src/migrator/status.js'
import { migrateUp } from '../../src/migrator/up.js'
import { testDatabase } from '../support/database.js'
import { addFiles, removeFile, testPack } from '../support/packs.js'

const context = quietContext()

const petFiles = {
  '0001_pet.up.sql': 'create table pet (id bigint primary key, name text);',
  '0001_pet.down.sql': 'drop table pet;',
  '0002_rex.up.sql': `create table toy (id int);\ninsert into pet values (1, 'Rex');`,
  '0002_rex.down.sql': `-- obs: changes pet\ndelete from pet where id = 1;\ndrop table toy;`,
}

async function tables({ sql }: Database, schema = 'public'): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select tablename as name from pg_tables where schemaname = ${schema} order by tablename`
  return rows.map((row) => row.name)
}

async function history({ sql }: Database) {
  return sql`select version, direction, state, error is null as fine from obs.migration_history order by id`
}

async function states(database: Database, pack: Parameters<typeof migrationStatus>[1]) {
  const { migrations } = await migrationStatus(database, pack)
  return migrations.map(({ version, state }) => `${version} ${state}`)
}

describe('a run that succeeds', () => {
  it('applies what is pending, oldest first, and writes one history row each', async () => {
    const db = await testDatabase()
    const pack = await testPack(petFiles)
    const result = await migrateUp(db, pack, {}, context)
    expect(result.applied.map((one) => one.id)).toEqual(['0001_pet', '0002_rex'])
    expect(await tables(db)).toEqual(['pet', 'toy'])
    expect(await history(db)).toEqual([
      { version: 1, direction: 'up', state: 'applied', fine: true },
      { version: 2, direction: 'up', state: 'applied', fine: true },
    ])
    expect(await states(db, pack)).toEqual(['1 applied', '2 applied'])
  })

  it('has nothing to do the second time', async () => {
    const db = await testDatabase()
    const pack = await testPack(petFiles)
    await migrateUp(db, pack, {}, context)
    expect((await migrateUp(db, pack, {}, context)).applied).toEqual([])
    expect(await history(db)).toHaveLength(2)
  })

  it('goes down and up again', async () => {
    const db = await testDatabase()
    const pack = await testPack(petFiles)
    await migrateUp(db, pack, {}, context)
    const down = await migrateDown(db, pack, { target: { to: 0 } }, context)
    expect(down.reverted.map((one) => one.id)).toEqual(['0002_rex', '0001_pet'])
    expect(await tables(db)).toEqual([])
    await migrateUp(db, pack, {}, context)
    expect(await states(db, pack)).toEqual(['1 applied', '2 applied'])
  })
})
