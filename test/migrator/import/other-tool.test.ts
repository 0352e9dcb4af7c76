import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { quietContext } from '../../../src/context.js'
import { readCatalog } from '../../../src/database/catalog.js'
import { importHistory } from '../../../src/migrator/import/import-history.js'
import { planUp, type Situation } from '../../../src/migrator/plan/plan.js'
import { previewMigrations } from '../../../src/migrator/preview/preview.js'
import { migrateUp } from '../../../src/migrator/run/up.js'
import type { Pack } from '../../../src/packs.js'
import { openTestDatabase } from '../../support/database.js'
import { testPack } from '../../support/packs.js'
import { tables } from './tools.js'

let db: Awaited<ReturnType<typeof openTestDatabase>>
let pack: Pack

beforeAll(async () => {
  db = await openTestDatabase()
})

afterAll(() => db.close())

beforeEach(async () => {
  await db.sql.unsafe('drop schema if exists obs cascade; drop schema public cascade; create schema public')
  await db.sql.unsafe(`create table visit (at text); ${tables.dbmate}`)
  pack = await testPack({
    '1_visit.up.sql': `insert into visit values ('first')`,
    '2_more.up.sql': `insert into visit values ('second')`,
  })
})

const up = (options = {}) => migrateUp(db, pack, options, quietContext())

it('is not overtaken: what it has applied is not run again', async () => {
  await db.sql`insert into schema_migrations values ('1')`
  const refusal = {
    code: 'other_tool_history',
    exitCode: 1,
    message:
      'dbmate has applied 1 of these migrations to this database, says public.schema_migrations; obs would run them again',
    hint: expect.stringContaining('obs migrate import'),
  }
  await expect(up()).rejects.toMatchObject(refusal)
  const plan = (situation: Situation) => planUp(situation)
  await expect(previewMigrations(db, pack, plan, {}, quietContext())).rejects.toMatchObject(refusal)
  expect(await db.sql`select from visit`).toHaveLength(0)
  expect(await readCatalog(db.sql, ['obs'])).toEqual([])
  await importHistory(db, pack, {}, quietContext())
  await up()
  expect([...(await db.sql`select at from visit`)]).toEqual([{ at: 'second' }])
})

it('is not overtaken by a checkout that lacks some of its files either', async () => {
  await db.sql`insert into schema_migrations values ('1'), ('7')`
  await expect(up()).rejects.toMatchObject({ code: 'other_tool_history', details: { versions: [1] } })
})

it('may stand beside obs, once somebody says so, and is not asked about again', async () => {
  await db.sql`insert into schema_migrations values ('1')`
  await up({ to: 1, besideOtherTool: true })
  await up()
  expect([...(await db.sql`select at from visit order by at`)]).toEqual([{ at: 'first' }, { at: 'second' }])
})

it('is no obstacle with other versions, in another schema, or before it has applied anything', async () => {
  await up({ to: 1 })
  await db.sql`drop schema obs cascade`
  await db.sql`insert into schema_migrations values ('7')`
  await up({ to: 1 })
  await db.sql`drop schema obs cascade`
  await db.sql`update schema_migrations set version = '1'`
  await db.sql`create schema elsewhere`
  await db.sql`alter table schema_migrations set schema elsewhere`
  await up({ to: 1 })
  await db.sql`drop schema elsewhere cascade`
  expect(await db.sql`select from visit`).toHaveLength(3)
})

it('is not run over while it has left something half done', async () => {
  await db.sql.unsafe(`drop table schema_migrations; ${tables.golangMigrate}`)
  await db.sql`insert into schema_migrations values (2, true)`
  await expect(up()).rejects.toMatchObject({ code: 'foreign_history_unsettled' })
  expect(await db.sql`select from visit`).toHaveLength(0)
})
