import { expect, it, vi } from 'vitest'
import { quietContext, type RunContext } from '../../src/context.js'
import { withDatabase, withSession } from '../../src/database/connect.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import type { Pack } from '../../src/packs.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { testPack } from '../support/packs.js'

const context = quietContext()

function listening(): { context: RunContext; heard: string[] } {
  const heard: string[] = []
  const progress = { step() {}, advance() {}, warn: (text: string) => void heard.push(text) }
  return { context: { ...context, progress }, heard }
}

async function petDatabase(more: Readonly<Record<string, string>>): Promise<{ db: TestDatabase; pack: Pack }> {
  const db = await testDatabase()
  const pack = await testPack({ '0001_pet.up.sql': 'create table pet (id int); insert into pet values (1);', ...more })
  await migrateUp(db, pack, { to: 1 }, context)
  return { db, pack }
}

/** Runs `work` while another session has read the table and not ended its transaction. */
async function whileReading<T>(db: TestDatabase, work: (end: () => Promise<void>) => Promise<T>): Promise<T> {
  return withDatabase(
    db.address,
    context,
    ({ sql }) =>
      withSession(sql, async (reader) => {
        await reader.unsafe(`begin; select id, 'a secret' from pet`)
        let over = false
        const end = async () => {
          if (!over) await reader`rollback`
          over = true
        }
        try {
          return await work(end)
        } finally {
          await end()
        }
      }),
    { purpose: 'a long report' },
  )
}

it('gives way and tries again, so that readers pass while somebody holds the table', async () => {
  const { db, pack } = await petDatabase({
    '0002_age.up.sql': 'create table trace (id int); alter table pet add column age int;',
  })
  const { context: mine, heard } = listening()
  await whileReading(db, async (end) => {
    const run = migrateUp(db, pack, { ddlLockTimeoutMs: 300 }, mine)
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(0), { timeout: 10_000 })
    // Between two attempts nothing is locked and nothing is left of the attempt.
    expect(await db.sql`select id from pet`).toHaveLength(1)
    expect(await db.sql`select to_regclass('trace') as trace`).toEqual([{ trace: null }])
    await end()
    expect((await run).applied).toMatchObject([{ version: 2 }])
  })
  expect(heard[0]).toMatch(
    /0002_age waits for pid \d+ \(obs a long report #\w+ of \w+, idle in transaction for \d+ s\) on pet/,
  )
  expect(heard.join()).not.toContain('a secret')
  const rows = await db.sql`select state from obs.migration_history where version = 2`
  expect(rows).toEqual([{ state: 'applied' }])
})

it('names the blocker and exits with 4 when time is up, with everything as it was', async () => {
  const { db, pack } = await petDatabase({ '0002_age.up.sql': 'alter table pet add column age int;' })
  await whileReading(db, async () => {
    const options = { ddlLockTimeoutMs: 100, ddlRetryForMs: 1500 }
    const error = await migrateUp(db, pack, options, context).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      exitCode: 4,
      failure: { sqlState: '55P03', blockers: [{ relation: 'pet', state: 'idle in transaction' }] },
      hint: expect.stringContaining('--ddl-retry-for'),
    })
    expect((error as Error).message).toMatch(/blocked by pid \d+ .* on pet; tried \d+ times/)
  })
  const { migrations } = await migrationStatus(db, pack)
  expect(migrations.map((one) => one.state)).toEqual(['applied', 'pending'])
})

it('tries a statement outside a transaction again without running those before it twice', async () => {
  const { db, pack } = await petDatabase({
    '0002_age.up.sql': '-- obs: no-transaction\nupdate pet set id = id + 1;\nalter table pet add column age int;',
  })
  const { context: mine, heard } = listening()
  await whileReading(db, async (end) => {
    const run = migrateUp(db, pack, { ddlLockTimeoutMs: 100 }, mine)
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(0), { timeout: 10_000 })
    await end()
    await run
  })
  expect(await db.sql`select id, age from pet`).toEqual([{ id: 2, age: null }])
})

it('lets create index concurrently wait for as long as it takes, and says for whom', async () => {
  const { db, pack } = await petDatabase({ '0002_index.up.sql': 'create index concurrently idx_pet_id on pet (id);' })
  await db.sql`create table other ()`
  const { context: mine, heard } = listening()
  await withSession(db.sql, async (writer) => {
    await writer.unsafe('begin; insert into pet values (2)')
    const run = migrateUp(db, pack, { ddlLockTimeoutMs: 50, ddlRetryForMs: 0, preserve: 'off' }, mine)
    await vi.waitFor(() => expect(heard.join()).toContain('0002_index waits for pid'), { timeout: 10_000 })
    await writer`commit`
    await run
  })
  expect(await db.sql`select indisvalid from pg_index where indexrelid = 'idx_pet_id'::regclass`).toEqual([
    { indisvalid: true },
  ])
})

it('leaves nothing behind when a statement is cancelled, in a transaction or outside of one', async () => {
  const { db, pack } = await petDatabase({
    '0002_index.up.sql':
      '-- obs: no-transaction\ncreate table before ();\ncreate index concurrently idx_pet_id on pet (id);',
  })
  await withSession(db.sql, async (writer) => {
    await writer.unsafe('begin; insert into pet values (2)')
    const failed = migrateUp(db, pack, { preserve: 'off' }, context).catch((error: unknown) => error)
    await vi.waitFor(
      async () => {
        const [row] = await db.sql`
          select pg_cancel_backend(pid) as cut from pg_stat_activity
          where query ilike 'create index concurrently%' and wait_event_type = 'Lock' and datname = current_database()`
        expect(row).toEqual({ cut: true })
      },
      { timeout: 10_000 },
    )
    // What is left is dropped concurrently, which waits for the writer too.
    await writer`rollback`
    expect(await failed).toMatchObject({ failure: { sqlState: '57014', statement: 2 } })
  })
  expect(await db.sql`select to_regclass('idx_pet_id') as index`).toEqual([{ index: null }])
  const { migrations } = await migrationStatus(db, pack)
  expect(migrations[1]).toMatchObject({ state: 'dirty', stoppedAt: { statement: 2, certain: true } })
  await migrateUp(db, pack, {}, context)
  expect((await migrationStatus(db, pack)).migrations[1]?.state).toBe('applied')
})
