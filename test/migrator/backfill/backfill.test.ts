import { describe, expect, it } from 'vitest'
import { quietContext } from '../../../src/context.js'
import { type Database, withSession } from '../../../src/database/connect.js'
import { migrationStatus } from '../../../src/migrator/history/status.js'
import { planUp } from '../../../src/migrator/plan/plan.js'
import { previewMigrations } from '../../../src/migrator/preview/preview.js'
import { explainRepair, repairMigration } from '../../../src/migrator/recovery/repair.js'
import { migrateDown } from '../../../src/migrator/run/down.js'
import { migrateUp } from '../../../src/migrator/run/up.js'
import { testDatabase } from '../../support/database.js'
import { addFiles, testPack } from '../../support/packs.js'

const context = quietContext()

const header = '-- obs: no-transaction\n-- obs: changes pet.n\n'
const addOne = 'update pet set n = n + 1 where id > $1 and id <= $2;'

/** A table of `rows` pets, numbered with gaps. */
async function pets({ sql }: Database, rows: number): Promise<void> {
  await sql`create table pet (id bigint primary key, n integer not null default 0, name text)`
  await sql`insert into pet select i * 3, 0, 'pet ' || i from generate_series(1, ${rows}) i`
}

/** How many pets were done how often. */
async function tally({ sql }: Database): Promise<Record<string, number>> {
  const rows = await sql<{ n: number; pets: number }[]>`select n, count(*)::int as pets from pet group by n order by n`
  return Object.fromEntries(rows.map((row) => [row.n, row.pets]))
}

async function progressOf({ sql }: Database): Promise<unknown[]> {
  return [
    ...(await sql`
      select step, source, last_key, visited, changed, batches, finished from obs.backfill_progress order by step`),
  ]
}

describe('a backfill', () => {
  it('does every row once, batch by batch, each committed by itself', async () => {
    const db = await testDatabase()
    await pets(db, 1000)
    const pack = await testPack({
      '0001_add.up.sql': `${header}-- obs: backfill pet by id batch 70\n${addOne}\n`,
      '0001_add.down.sql': `${header}-- obs: backfill pet by id batch 300\nupdate pet set n = n - 1 where id > $1 and id <= $2;`,
    })
    const plan = await previewMigrations(db, pack, (situation) => planUp(situation), {}, context)
    expect(plan.migrations[0]?.statements).toMatchObject([{ kind: 'update in batches of 70 by id' }])
    const before = await transactions(db)
    const { applied, preservation } = await migrateUp(db, pack, {}, context)
    expect(await tally(db)).toEqual({ 1: 1000 })
    expect(await progressOf(db)).toEqual([
      {
        step: 'statement 1',
        source: 'public.pet',
        last_key: ['3000'],
        visited: 1000,
        changed: 1000,
        batches: 15,
        finished: true,
      },
    ])
    expect((await transactions(db)) - before).toBeGreaterThanOrEqual(15)
    expect(applied[0]?.receipt).toMatchObject({
      mode: 'hashes',
      tables: [{ table: 'pet', rows_before: 1000, rows_after: 1000, columns_compared: 2, declared: ['pet.n'] }],
    })
    expect(preservation).toMatchObject({ rows: 1000 })
    await migrateDown(db, pack, {}, context)
    expect(await tally(db)).toEqual({ 0: 1000 })
  })

  it('begins anew when the migration was taken back meanwhile', async () => {
    const db = await testDatabase()
    await pets(db, 10)
    const pack = await testPack({
      '0001_add.up.sql': `${header}-- obs: backfill pet by id batch 3\n${addOne}\n`,
      '0001_add.down.sql': 'select 1;',
    })
    await migrateUp(db, pack, {}, context)
    await migrateDown(db, pack, {}, context)
    await migrateUp(db, pack, {}, context)
    expect(await tally(db)).toEqual({ 2: 10 })
  })

  it('walks by a key of several columns, whose microseconds count', async () => {
    const db = await testDatabase()
    await db.sql`set datestyle to 'German'`
    await db.sql.unsafe(`alter database ${db.address.database} set datestyle to 'SQL, DMY'`)
    await db.sql`create table pet ("born At" timestamptz, tag varchar(20), n integer not null default 0, primary key ("born At", tag))`
    await db.sql`
      insert into pet select '2024-01-01 00:00:00.000001+00'::timestamptz + (i / 4) * interval '1 microsecond', 'tag ''' || i, 0
      from generate_series(1, 500) i`
    const pack = await testPack({
      '0001_add.up.sql': `${header}-- obs: backfill pet by "born At", tag batch 7
update pet p set n = n + 1 where (p."born At", tag) > ($1, $2) and (p."born At", tag) <= ($3, $4);`,
    })
    await migrateUp(db, pack, {}, context)
    expect(await tally(db)).toEqual({ 1: 500 })
    expect((await db.sql`select batches from obs.backfill_progress`)[0]).toEqual({ batches: 72 })
  })

  it('takes in every row of a key that is not unique, and the first row of all', async () => {
    const db = await testDatabase()
    await db.sql`create table pet (kind text not null, n integer not null default 0)`
    await db.sql`create index on pet (kind)`
    await db.sql`insert into pet select repeat('k', i % 9), 0 from generate_series(1, 300) i`
    const pack = await testPack({
      '0001_add.up.sql': `${header}-- obs: backfill pet by kind batch 40\nupdate pet set n = n + 1 where $1 < kind and $2 >= kind;`,
    })
    await migrateUp(db, pack, {}, context)
    expect(await tally(db)).toEqual({ 1: 300 })
  })

  it('copies rows into another table and takes rows away', async () => {
    const db = await testDatabase()
    await pets(db, 100)
    await db.sql`create table copy (id bigint, name text)`
    const pack = await testPack({
      '0001_copy.up.sql': `-- obs: no-transaction
-- obs: changes pet
-- obs: backfill pet by id batch 9
insert into copy select id, name from pet where id > $1 and id <= $2;
-- obs: backfill pet by id batch 30
delete from pet where id > $1 and id <= $2 and id % 2 = 0;
`,
    })
    await migrateUp(db, pack, {}, context)
    expect(await db.sql`select count(*)::int as n, count(distinct id)::int as d from copy`).toEqual([
      { n: 100, d: 100 },
    ])
    expect(await db.sql`select count(*)::int as n from pet`).toEqual([{ n: 50 }])
  })

  it('has nothing to do in an empty table', async () => {
    const db = await testDatabase()
    await pets(db, 0)
    const pack = await testPack({ '0001_add.up.sql': `${header}-- obs: backfill pet by id\n${addOne}\n` })
    await migrateUp(db, pack, {}, context)
    expect(await progressOf(db)).toMatchObject([{ visited: 0, batches: 0, finished: true }])
  })

  it('looks a batch up in the index, wherever in the table it is', async () => {
    const db = await testDatabase()
    await pets(db, 20_000)
    await db.sql`analyze pet`
    const pack = await testPack({
      '0001_add.up.sql': `${header}-- obs: backfill pet by id batch 1000\nupdate pet set n = 1 where id > $1 and id <= $2;`,
    })
    await db.sql`select pg_stat_reset()`
    await migrateUp(db, pack, { preserve: 'off' }, context)
    await db.sql`select pg_stat_force_next_flush()`
    const [scans] = await db.sql`
      select seq_tup_read::int < 100 as none_read_whole, idx_scan::int >= 40 as by_index
      from pg_stat_user_tables where relname = 'pet'`
    expect(scans).toEqual({ none_read_whole: true, by_index: true })
  })
})

async function transactions({ sql }: Database): Promise<number> {
  const [row] = await sql<{ id: string }[]>`select pg_current_xact_id()::text as id`
  return Number(row?.id)
}

describe('a backfill that fails in the middle', () => {
  it('keeps the batches before and goes on with the next one once it is mended', async () => {
    const db = await testDatabase()
    await pets(db, 100)
    const boom = 'update pet set n = n + 1 / (case when id = 150 then 0 else 1 end) where id > $1 and id <= $2;'
    const pack = await testPack({
      '0001_add.up.sql': `${header}create table before ();\n-- obs: backfill pet by id batch 20\n${boom}\ncreate table after ();`,
    })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'migration_failed', failure: { sqlState: '22012', statement: 2 } })
    expect((error as Error).message).toContain('did 40 of about')
    expect((error as Error).message).toContain('up to id = 120')
    expect(await tally(db)).toEqual({ 0: 60, 1: 40 })
    const { migrations } = await migrationStatus(db, pack)
    expect(migrations[0]?.stoppedAt).toEqual({ direction: 'up', statement: 2, certain: true })
    await addFiles(pack, {
      '0001_add.up.sql': `${header}create table before ();\n-- obs: backfill pet by id batch 7\n${addOne}\ncreate table after ();`,
    })
    await migrateUp(db, pack, {}, context)
    expect(await tally(db)).toEqual({ 1: 100 })
    expect(await db.sql`select to_regclass('after')::text as t`).toEqual([{ t: 'after' }])
  })

  it('does not go on in another table or by another key', async () => {
    const db = await testDatabase()
    await pets(db, 100)
    await db.sql`create unique index on pet (name, id)`
    await db.sql`alter table pet alter name set not null`
    const boom = 'update pet set n = n + 1 / (case when id = 150 then 0 else 1 end) where id > $1 and id <= $2;'
    const pack = await testPack({ '0001_add.up.sql': `${header}-- obs: backfill pet by id batch 20\n${boom}` })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_failed' })
    await addFiles(pack, {
      '0001_add.up.sql': `${header}-- obs: backfill pet by name\nupdate pet set n = n + 1 where name > $1 and name <= $2;`,
    })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
    expect((error as Error).message).toContain('went through public.pet by id so far')
    expect(await tally(db)).toEqual({ 0: 60, 1: 40 })
  })

  it('rolls a batch back that changes what the file does not declare', async () => {
    const db = await testDatabase()
    await pets(db, 100)
    await db.sql.unsafe(`
      create function rename() returns trigger language plpgsql as
        $$ begin if new.id > 150 then new.name := 'x'; end if; return new; end $$;
      create trigger rename before update on pet for each row execute function rename()`)
    const pack = await testPack({ '0001_add.up.sql': `${header}-- obs: backfill pet by id batch 20\n${addOne}` })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      failure: {
        reason: 'data_would_be_lost',
        losses: [{ table: 'pet', column: 'name', directive: 'changes pet.name' }],
      },
    })
    expect(await tally(db)).toEqual({ 0: 60, 1: 40 })
    await addFiles(pack, {
      '0001_add.up.sql': `-- obs: changes pet.name\n${header}-- obs: backfill pet by id batch 20\n${addOne}`,
    })
    await migrateUp(db, pack, {}, context)
    expect(await tally(db)).toEqual({ 1: 100 })
  })

  it('shows the place in the file where the server points to', async () => {
    const db = await testDatabase()
    await pets(db, 10)
    const pack = await testPack({
      '0001_add.up.sql': `${header}-- obs: backfill pet by id\nupdate pet set n = ü + 1 where id > $1 and id <= $2;`,
    })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ failure: { sqlState: '42703', location: { line: 4, column: 20 } } })
  })
})

describe('while others write', () => {
  it('tries a batch again whose rows are locked, and finds the rows that come behind its end', async () => {
    const db = await testDatabase()
    await pets(db, 300)
    const pack = await testPack({ '0001_add.up.sql': `${header}-- obs: backfill pet by id batch 50\n${addOne}` })
    await withSession(db.sql, async (other) => {
      await other`begin`
      await other`update pet set name = 'mine' where id = 600`
      await other`insert into pet values (10000, 0, 'late')`
      const warnings: string[] = []
      const progress = { ...context.progress, warn: (text: string) => void warnings.push(text) }
      const running = migrateUp(db, pack, { ddlLockTimeoutMs: 100 }, { ...context, progress })
      await expect.poll(() => tally(db), { timeout: 10_000 }).toEqual({ 0: 150, 1: 150 })
      await expect.poll(() => warnings.join('\n'), { timeout: 10_000 }).toContain('attempt 2')
      await other`commit`
      await running
    })
    expect(await tally(db)).toEqual({ 1: 301 })
    expect(await db.sql`select name from pet where id = 600`).toEqual([{ name: 'mine' }])
  })

  it('compares a batch with its own snapshot, and does it again when somebody overtakes it', async () => {
    const db = await testDatabase()
    await pets(db, 60)
    const slow = 'update pet set n = n + 1 where id > $1 and id <= $2 and pg_sleep(0.02) is not null;'
    const pack = await testPack({ '0001_add.up.sql': `${header}-- obs: backfill pet by id batch 100\n${slow}` })
    const running = migrateUp(db, pack, {}, context)
    await expect
      .poll(() => db.sql`select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`, {
        timeout: 20_000,
      })
      .toHaveLength(1)
    await db.sql`update pet set name = 'theirs' where id = 180`
    await running
    expect(await tally(db)).toEqual({ 1: 60 })
    expect(await db.sql`select name from pet where id = 180`).toEqual([{ name: 'theirs' }])
  })
})

describe('obs migrate repair', () => {
  const boom = 'update pet set n = n + 1 / (case when id = 150 then 0 else 1 end) where id > $1 and id <= $2;'

  it('does not take a backfill for undone that did a part of its rows', async () => {
    const db = await testDatabase()
    await pets(db, 100)
    const pack = await testPack({ '0001_add.up.sql': `${header}-- obs: backfill pet by id batch 20\n${boom}` })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_failed' })
    const [finding] = await explainRepair(db, pack, undefined, {}, context)
    expect(finding).toMatchObject({
      next: 1,
      undo: { possible: false, reason: expect.stringContaining('statement 1') },
    })
    await repairMigration(db, pack, 1, { resumeAt: 1 }, {}, context)
    const [again] = await explainRepair(db, pack, undefined, {}, context)
    expect(again?.undo.possible).toBe(false)
    await addFiles(pack, { '0001_add.up.sql': `${header}-- obs: backfill pet by id batch 20\n${addOne}` })
    await migrateUp(db, pack, {}, context)
    expect(await tally(db)).toEqual({ 1: 100 })
  })

  it('begins anew after somebody said that nothing of it is left', async () => {
    const db = await testDatabase()
    await pets(db, 100)
    const pack = await testPack({ '0001_add.up.sql': `${header}-- obs: backfill pet by id batch 20\n${boom}` })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_failed' })
    await db.sql`update pet set n = 0`
    await repairMigration(db, pack, 1, { mark: 'reverted' }, {}, context)
    await addFiles(pack, { '0001_add.up.sql': `${header}-- obs: backfill pet by id batch 20\n${addOne}` })
    await migrateUp(db, pack, {}, context)
    expect(await tally(db)).toEqual({ 1: 100 })
  })
})
