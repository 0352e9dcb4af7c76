import { expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import { fingerprintTable } from '../../src/database/fingerprint.js'
import { migrateDown } from '../../src/migrator/run/down.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import { resolvePack } from '../../src/packs.js'
import { testDatabase } from '../support/database.js'
import { loadMvp, migrations, textOf } from './pack.js'

const pack = resolvePack('observability', [], '.')

it('adopts an MVP database without a history, goes down to the baseline and up again by the engine', async () => {
  const database = await testDatabase()
  const { sql } = database
  await sql.unsafe(textOf('0001_mvp_baseline', 'up', 'postgres') ?? '')
  await sql.unsafe('drop table events; drop table performance_metrics; alter table traces add column region text')
  await loadMvp(sql, 'public', ['traces'])
  const before = await fingerprintTable(sql, { schema: 'public', table: 'traces' })
  const columns = Object.keys(before.columns)

  const up = await migrateUp(database, pack, {}, quietContext())
  expect(up.applied).toHaveLength(migrations.length)
  expect(await fingerprintTable(sql, { schema: 'public', table: 'traces', columns })).toEqual(before)
  const catalog = await readCatalog(sql, ['public'])

  await migrateDown(database, pack, { target: { to: 1 } }, quietContext())
  expect(await fingerprintTable(sql, { schema: 'public', table: 'traces' })).toEqual(before)

  await migrateUp(database, pack, {}, quietContext())
  expect(await readCatalog(sql, ['public'])).toEqual(catalog)
  expect(await fingerprintTable(sql, { schema: 'public', table: 'traces', columns })).toEqual(before)
})

it('reverts nothing but the steps before it when the baseline still holds rows', async () => {
  const database = await testDatabase()
  await migrateUp(database, pack, { to: 1 }, quietContext())
  await loadMvp(database.sql)
  await expect(migrateDown(database, pack, { target: { to: 0 } }, quietContext())).rejects.toMatchObject({
    code: 'migration_failed',
    hint: expect.stringContaining('obs'),
  })
  expect(await database.sql`select count(*) from traces`).toEqual([{ count: 2000 }])
})
