import { describe, expect, it, vi } from 'vitest'
import { quietContext } from '../../src/context.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { explainRepair, repairMigration } from '../../src/migrator/recovery/repair.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import type { Pack } from '../../src/packs.js'
import { crashIn } from '../support/crash.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { addFiles, testPack } from '../support/packs.js'

const context = quietContext()

async function state(db: TestDatabase, pack: Pack, version: number) {
  return (await migrationStatus(db, pack)).migrations.find((one) => one.version === version)
}

async function objects({ sql }: TestDatabase): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select relname as name from pg_class where relnamespace = 'public'::regnamespace
    union all select proname || '()' from pg_proc where pronamespace = 'public'::regnamespace
    union all select a.attrelid::regclass || '.' || attname from pg_attribute a
      where a.attrelid = to_regclass('public.pet') and a.attnum > 0 and not a.attisdropped
    order by 1`
  return rows.map((row) => row.name)
}

const made = 'create table pet (id int, name text); insert into pet values (1, $$Rex$$);'

/** Breaks off while it builds the index, which is statement 6. */
const rich = `-- obs: no-transaction
create table toy (id int);
insert into toy values (1);
create function count_toys() returns bigint language sql as 'select count(*) from toy';
alter table pet add column age int, add constraint aged check (age > 0);
alter table pet rename column name to title;
create index concurrently idx_pet_age on pet (age);
create view old as select 1 as one;
`

async function broken(text: string, more: Readonly<Record<string, string>> = {}) {
  const db = await testDatabase()
  const pack = await testPack({ '0001_pet.up.sql': made, '0002_rich.up.sql': text, ...more })
  await migrateUp(db, pack, { to: 1 }, context)
  // The index waits for whoever may still look at an older state of the database; nothing else does.
  await crashIn(db, pack, 'create index concurrently', 'set transaction isolation level repeatable read; select 1')
  return { db, pack }
}

describe('without a choice', () => {
  it('says what broke off, what the catalog knows, and what each way out would run, and changes nothing', async () => {
    const { db, pack } = await broken(rich)
    const before = await objects(db)
    const [finding, ...others] = await explainRepair(db, pack, undefined, {}, context)
    expect(others).toEqual([])
    expect(finding).toMatchObject({
      found: {
        id: '0002_rich',
        record: { state: 'unknown', statement: 6, direction: 'up' },
        location: { line: 7 },
        statement: { sql: 'create index concurrently idx_pet_age on pet (age)' },
        evidence: { verdict: 'undone', findings: [expect.stringContaining('INVALID')] },
      },
      next: 6,
      goOn: 'obs migrate up',
      undo: {
        possible: true,
        from: 'statements',
        cleanup: ['drop index concurrently if exists "public"."idx_pet_age"'],
        sql: [
          'alter table "pet" rename column "title" to "name"',
          'alter table "pet" drop constraint "aged", drop column "age"',
          'drop function "count_toys"',
          'drop table "toy"',
        ],
      },
    })
    expect(await objects(db)).toEqual(before)
    expect((await state(db, pack, 2))?.state).toBe('dirty')
  })

  it('finds nothing where nothing is half done', async () => {
    const db = await testDatabase()
    const pack = await testPack({ '0001_pet.up.sql': made })
    await migrateUp(db, pack, {}, context)
    expect(await explainRepair(db, pack, undefined, {}, context)).toEqual([])
    await expect(explainRepair(db, pack, 1, {}, context)).rejects.toMatchObject({ code: 'nothing_to_repair' })
  })
})

describe('--resume', () => {
  it('clears away and writes down where to go on', async () => {
    const { db, pack } = await broken(rich)
    const result = await repairMigration(db, pack, undefined, { resume: true }, {}, context)
    expect(result).toMatchObject({
      version: 2,
      next: 'obs migrate up',
      ran: ['drop index concurrently if exists "public"."idx_pet_age"'],
    })
    expect((await state(db, pack, 2))?.stoppedAt).toEqual({ direction: 'up', statement: 6, certain: true })
    expect(await objects(db)).not.toContain('idx_pet_age')
    await migrateUp(db, pack, {}, context)
    expect(await objects(db)).toEqual(expect.arrayContaining(['idx_pet_age', 'old']))
  })

  it('is refused where the catalog cannot tell, and says what it was asked', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_do.up.sql':
        '-- obs: no-transaction\ndo $$ begin commit; perform pg_terminate_backend(pg_backend_pid()); end $$;',
    })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_failed' })
    const refused = repairMigration(db, pack, undefined, { resume: true }, {}, context)
    await expect(refused).rejects.toMatchObject({ code: 'history_dirty', exitCode: 5 })
    await expect(refused).rejects.toThrow('a DO block did cannot be read from the catalog')
    const [finding] = await explainRepair(db, pack, 1, {}, context)
    expect(finding).toMatchObject({ next: undefined, undo: { possible: false } })
  })
})

describe('--undo', () => {
  it('drops what the statements made, gives names back, and leaves the migration pending', async () => {
    const { db, pack } = await broken(rich)
    const backup = vi.fn(async () => ({ id: 'b1', path: '/b1' }))
    const result = await repairMigration(db, pack, 2, { undo: true }, { backup }, context)
    expect(result.backup).toEqual({ id: 'b1', path: '/b1' })
    expect(await objects(db)).toEqual(['pet', 'pet.id', 'pet.name'])
    expect(await db.sql`select * from pet`).toEqual([{ id: 1, name: 'Rex' }])
    expect(await state(db, pack, 2)).toMatchObject({ state: 'pending', stoppedAt: null })
    await migrateUp(db, pack, {}, context)
    expect(await objects(db)).toContain('idx_pet_age')
  })

  it('changes nothing when one of its statements fails', async () => {
    const { db, pack } = await broken(rich)
    await db.sql.unsafe('create view depends as select * from toy')
    const before = (await objects(db)).filter((name) => name !== 'idx_pet_age')
    await expect(repairMigration(db, pack, 2, { undo: true }, {}, context)).rejects.toMatchObject({
      code: 'undo_failed',
      message: expect.stringContaining('drop table "toy"'),
    })
    expect(await objects(db)).toEqual(before)
    expect((await state(db, pack, 2))?.state).toBe('dirty')
  })

  const update = `-- obs: no-transaction
update pet set name = 'Tom';
create table if not exists toy ();
create index concurrently idx_pet_name on pet (name);`

  it('is refused for what cannot be taken back with certainty, naming the statement', async () => {
    const { db, pack } = await broken(update, { '0002_rich.down.sql': 'drop table toy; drop index idx_pet_name;' })
    await expect(repairMigration(db, pack, 2, { undo: true }, {}, context)).rejects.toMatchObject({
      code: 'undo_impossible',
      exitCode: 2,
      message: expect.stringContaining('statement 1 cannot be taken back with certainty'),
    })
    expect(await objects(db)).toContain('toy')
  })

  it('uses a down file that says "if exists" throughout, inside of a transaction', async () => {
    const { db, pack } = await broken(update, {
      '0002_rich.down.sql':
        '-- obs: no-transaction\ndrop index concurrently if exists idx_pet_name;\ndrop table if exists toy;',
    })
    const result = await repairMigration(db, pack, 2, { undo: true }, {}, context)
    expect(result.ran).toEqual([
      'drop index concurrently if exists "public"."idx_pet_name"',
      'drop index if exists "idx_pet_name"',
      'drop table if exists toy',
    ])
    expect(await objects(db)).toEqual(['pet', 'pet.id', 'pet.name'])
    expect((await state(db, pack, 2))?.state).toBe('pending')
  })

  it('never trusts a file that says something else now than what ran', async () => {
    const { db, pack } = await broken(rich)
    await addFiles(pack, { '0002_rich.up.sql': rich.replace('create table toy', 'create table pet') })
    await expect(repairMigration(db, pack, 2, { undo: true }, {}, context)).rejects.toMatchObject({
      code: 'undo_impossible',
      message: expect.stringContaining('the file no longer says what was run'),
    })
    expect(await objects(db)).toContain('pet')
  })
})
