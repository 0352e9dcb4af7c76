import { expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import type { Database } from '../../src/database/connect.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { withMigrationLock } from '../../src/migrator/lock/lock.js'
import { migrateDown } from '../../src/migrator/run/down.js'
import { migrateGoto } from '../../src/migrator/run/goto.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import type { Pack } from '../../src/packs.js'
import { testDatabase } from '../support/database.js'
import { addFiles, testPack } from '../support/packs.js'

const context = quietContext()

function filesOf(...versions: readonly number[]): Record<string, string> {
  return Object.fromEntries(
    versions.flatMap((version) => [
      [`000${version}_t${version}.up.sql`, `create table t${version} (id int);`],
      [`000${version}_t${version}.down.sql`, `drop table t${version};`],
    ]),
  )
}

async function tables({ sql }: Database): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select tablename as name from pg_tables where schemaname = 'public' order by 1`
  return rows.map((row) => row.name)
}

async function remarks({ sql }: Database): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    select version || ' ' || remark as line from obs.migration_history where remark is not null order by id`
  return rows.map((row) => row.line)
}

/** A database where version 2 was merged and applied after version 3. */
async function outOfOrder(): Promise<{ db: Database; pack: Pack }> {
  const db = await testDatabase()
  const pack = await testPack(filesOf(1, 3))
  await migrateUp(db, pack, {}, context)
  await addFiles(pack, filesOf(2))
  await migrateUp(db, pack, { allowOutOfOrder: true }, context)
  return { db, pack }
}

it('goes up, down and nowhere', async () => {
  const db = await testDatabase()
  const pack = await testPack(filesOf(1, 2, 3))
  const ids = async (to: number) => {
    const { reverted, applied } = await migrateGoto(db, pack, { to }, context)
    return [...reverted.map((one) => `-${one.version}`), ...applied.map((one) => `+${one.version}`)]
  }
  expect(await ids(2)).toEqual(['+1', '+2'])
  expect(await ids(3)).toEqual(['+3'])
  expect(await ids(1)).toEqual(['-3', '-2'])
  expect(await tables(db)).toEqual(['t1'])
  expect(await ids(1)).toEqual([])
  expect(await ids(0)).toEqual(['-1'])
  expect(await tables(db)).toEqual([])
})

it('refuses a late migration by name, and runs it with a remark where that is allowed', async () => {
  const db = await testDatabase()
  const pack = await testPack(filesOf(1, 3))
  await migrateUp(db, pack, {}, context)
  await addFiles(pack, filesOf(2))
  const refusal = { code: 'migration_late', migrations: ['0002_t2'], hint: expect.stringContaining('0003_t3') }
  await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject(refusal)
  await expect(migrateGoto(db, pack, { to: 3 }, context)).rejects.toMatchObject(refusal)
  expect(await tables(db)).toEqual(['t1', 't3'])
  await migrateGoto(db, pack, { to: 3, allowOutOfOrder: true }, context)
  expect(await tables(db)).toEqual(['t1', 't2', 't3'])
  expect(await remarks(db)).toEqual(['2 out of order'])
})

it('reverts a late migration before the newer one that was there first', async () => {
  const { db, pack } = await outOfOrder()
  const before = await readCatalog(db.sql, ['public'])
  await expect(migrateDown(db, pack, { target: { to: 2 } }, context)).rejects.toMatchObject({
    code: 'applied_later',
    exitCode: 2,
    later: ['0002_t2'],
    hint: expect.stringContaining('obs migrate goto 2'),
  })
  expect(await readCatalog(db.sql, ['public'])).toEqual(before)
  expect((await migrateDown(db, pack, {}, context)).reverted.map((one) => one.id)).toEqual(['0002_t2'])
  expect(await tables(db)).toEqual(['t1', 't3'])
})

it('brings an out of order history back in order on the way', async () => {
  const { db, pack } = await outOfOrder()
  const { reverted, applied } = await migrateGoto(db, pack, { to: 2 }, context)
  expect(reverted.map((one) => one.id)).toEqual(['0002_t2', '0003_t3'])
  expect(applied.map((one) => one.id)).toEqual(['0002_t2'])
  expect((await migrateUp(db, pack, {}, context)).applied.map((one) => one.id)).toEqual(['0003_t3'])
  expect(await remarks(db)).toEqual(['2 out of order'])
  expect((await migrateDown(db, pack, {}, context)).reverted.map((one) => one.id)).toEqual(['0003_t3'])
})

it('runs exactly what was confirmed, or nothing', async () => {
  const db = await testDatabase()
  const pack = await testPack(filesOf(1, 2, 3))
  await migrateUp(db, pack, {}, context)
  const { planned } = await migrateDown(db, pack, { dryRun: true }, context)
  await migrateDown(db, pack, {}, context)
  const before = await readCatalog(db.sql, ['public'])
  await expect(migrateDown(db, pack, { confirmed: planned }, context)).rejects.toMatchObject({
    code: 'plan_changed',
    details: { confirmed: ['3 t3 (down)'], now: ['2 t2 (down)'] },
  })
  expect(await readCatalog(db.sql, ['public'])).toEqual(before)
  const again = await migrateDown(db, pack, { dryRun: true }, context)
  await addFiles(pack, { '0002_t2.down.sql': 'drop table t2; drop table t1;' })
  await expect(migrateDown(db, pack, { confirmed: again.planned }, context)).rejects.toMatchObject({
    code: 'plan_changed',
  })
  expect(await tables(db)).toEqual(['t1', 't2'])
  const { planned: now } = await migrateDown(db, pack, { dryRun: true }, context)
  await migrateDown(db, pack, { confirmed: now }, context)
  expect(await tables(db)).toEqual([])
  expect((await migrationStatus(db, pack)).current).toBe(1)
})

it('looks at what was confirmed again once it holds the lock', async () => {
  const db = await testDatabase()
  const pack = await testPack(filesOf(1, 2, 3))
  await migrateUp(db, pack, {}, context)
  const { planned } = await migrateDown(db, pack, { dryRun: true }, context)
  const lock = { schema: 'public', timeoutMs: 0 }
  const outcome = await withMigrationLock(db, lock, context, async () => {
    let announce: () => void = () => undefined
    const waiting = new Promise<void>((resolve) => {
      announce = resolve
    })
    const patient = { ...context, progress: { ...context.progress, step: announce } }
    const run = migrateDown(db, pack, { confirmed: planned }, patient).catch((error: unknown) => error)
    await waiting
    await db.sql`
      insert into obs.migration_history (format, pack, version, name, direction, checksum, state, in_transaction,
                                         started_at, finished_at, who, host, obs_version)
      select format, pack, version, name, 'down', checksum, state, in_transaction, now(), now(), who, host, obs_version
      from obs.migration_history where version = 3`
    return { run }
  })
  expect(await outcome.run).toMatchObject({ code: 'plan_changed', details: { now: [] } })
  expect(await tables(db)).toEqual(['t1', 't2', 't3'])
})
