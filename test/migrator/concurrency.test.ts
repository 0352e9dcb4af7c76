import { expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { withDatabase } from '../../src/database/connect.js'
import { withMigrationLock } from '../../src/migrator/lock/lock.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import { testDatabase } from '../support/database.js'
import { testPack } from '../support/packs.js'

const context = quietContext()

it('applies each migration exactly once when ten runs begin at the same time', async () => {
  const db = await testDatabase()
  const files = Object.fromEntries(
    Array.from({ length: 5 }, (_, i) => [
      `${i + 1}_t.up.sql`,
      `create table t${i + 1} (id int); select pg_sleep(0.02);`,
    ]),
  )
  const pack = await testPack(files, 'app')
  const runs = Array.from({ length: 10 }, () =>
    withDatabase(db.address, context, (mine) => migrateUp(mine, pack, {}, context), { connections: 2 }),
  )
  const results = await Promise.all(runs)
  expect(results.flatMap((result) => result.applied.map((one) => one.version)).sort()).toEqual([1, 2, 3, 4, 5])
  const rows = await db.sql`select version, state from obs.migration_history order by id`
  expect(rows.map((row) => `${row['version']} ${row['state']}`)).toEqual([1, 2, 3, 4, 5].map((n) => `${n} applied`))
})

it('runs create index concurrently while another run waits for the lock', async () => {
  const db = await testDatabase()
  const pack = await testPack({
    '0001_pet.up.sql': 'create table pet (id int); select pg_sleep(0.3);',
    '0002_index.up.sql': 'create index concurrently idx_pet_id on pet (id);',
  })
  const runs = [1, 2, 3].map(() =>
    withDatabase(db.address, context, (mine) => migrateUp(mine, pack, {}, context), { connections: 2 }),
  )
  const results = await Promise.all(runs)
  expect(results.map((result) => result.applied.length).sort()).toEqual([0, 0, 2])
})

it('waits for a statement-by-statement migration of another run instead of calling it dirty', async () => {
  const db = await testDatabase()
  const pack = await testPack({
    '0001_pet.up.sql': '-- obs: no-transaction\ncreate table pet ();\nselect pg_sleep(1);',
  })
  const first = withDatabase(db.address, context, (mine) => migrateUp(mine, pack, {}, context))
  await expect
    .poll(() => db.sql`select from pg_class where relname = 'pet'`.then((rows) => rows.length), { timeout: 10_000 })
    .toBe(1)
  const second = await migrateUp(db, pack, {}, context)
  expect(second.applied).toEqual([])
  expect((await first).applied).toHaveLength(1)
})

it('says in a dry run that another run is at it, rather than that nothing is pending', async () => {
  const db = await testDatabase()
  const pack = await testPack({
    '0001_pet.up.sql': '-- obs: no-transaction\ncreate table pet ();\nselect pg_sleep(1);',
  })
  const run = withDatabase(db.address, context, (mine) => migrateUp(mine, pack, {}, context))
  await expect
    .poll(() => db.sql`select from pg_class where relname = 'pet'`.then((rows) => rows.length), { timeout: 10_000 })
    .toBe(1)
  await expect(migrateUp(db, pack, { dryRun: true }, context)).rejects.toMatchObject({ code: 'lock_timeout' })
  await run
})

it('gives up with exit code 4 and names the holder, having changed nothing', async () => {
  const db = await testDatabase()
  const pack = await testPack({ '0001_pet.up.sql': 'create table pet ();' })
  await withDatabase(
    db.address,
    context,
    (other) =>
      withMigrationLock(other, { schema: 'public', timeoutMs: 0 }, context, async (session) => {
        const [{ pid } = { pid: 0 }] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`
        const error = await migrateUp(db, pack, { lockTimeoutMs: 200 }, context).catch((thrown: unknown) => thrown)
        expect(error).toMatchObject({ code: 'lock_timeout', exitCode: 4, holder: { pid } })
        expect((error as Error).message).toContain('obs colleague')
      }),
    { purpose: 'colleague' },
  )
  expect(await db.sql`select from pg_class where relname in ('pet', 'migration_history')`).toHaveLength(0)
  expect((await migrateUp(db, pack, {}, context)).applied).toHaveLength(1)
})

it('does not wait for a run on another schema', async () => {
  const db = await testDatabase()
  const pack = await testPack({ '0001_pet.up.sql': 'create table pet ();' }, 'mine')
  await withMigrationLock(db, { schema: 'yours', timeoutMs: 0 }, context, async () => {
    expect((await migrateUp(db, pack, { lockTimeoutMs: 0 }, context)).applied).toHaveLength(1)
  })
})
