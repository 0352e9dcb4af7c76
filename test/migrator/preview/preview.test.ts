import { describe, expect, it, vi } from 'vitest'
import { quietContext } from '../../../src/context.js'
import { readCatalog } from '../../../src/database/catalog.js'
import { type Database, withDatabase, withSession, withTransaction } from '../../../src/database/connect.js'
import { UsageError } from '../../../src/errors.js'
import { withMigrationLock } from '../../../src/migrator/lock/lock.js'
import { planDown, planGoto, planUp, type Situation } from '../../../src/migrator/plan/plan.js'
import { type PlannedBackup, type PreviewOptions, previewMigrations } from '../../../src/migrator/preview/preview.js'
import { migrateUp } from '../../../src/migrator/run/up.js'
import type { Pack } from '../../../src/packs.js'
import { testDatabase } from '../../support/database.js'
import { addFiles, testPack } from '../../support/packs.js'

const context = quietContext()
const up = (situation: Situation) => planUp(situation)

function preview(db: Database, pack: Pack, plan = up, options: PreviewOptions = {}) {
  return previewMigrations(db, pack, plan, options, context)
}

const pets = {
  '0001_pet.up.sql': `
    create table pet (id bigint primary key, name text);
    insert into pet select i, 'pet ' || i from generate_series(1, 200) i;
    analyze pet;`,
  '0001_pet.down.sql': 'drop table pet;',
}

async function petDatabase(files: Readonly<Record<string, string>>): Promise<{ db: Database; pack: Pack }> {
  const db = await testDatabase()
  const pack = await testPack(pets)
  await migrateUp(db, pack, {}, context)
  await addFiles(pack, files)
  return { db, pack }
}

describe('a plan', () => {
  it('says of every statement where it stands, what it is, and what it locks on how many rows', async () => {
    const { db, pack } = await petDatabase({
      '0002_more.up.sql': '-- more\nalter table pet add column kind text;\n\n  create index on pet (kind);',
      '0002_more.down.sql': 'alter table pet drop column kind;',
      '0003_toy.up.sql': `create table toy (id int primary key, pet_id bigint references pet);
insert into toy values (1, 1), (2, 1);
create index on toy (pet_id);`,
      '0003_toy.down.sql': 'drop table toy;',
    })
    const plan = await preview(db, pack)
    expect(plan).toMatchObject({ current: 1, endsAt: 3 })
    expect(plan.migrations.map((one) => `${one.direction} ${one.id}`)).toEqual(['up 0002_more', 'up 0003_toy'])
    const lines = plan.migrations.flatMap(({ statements }) =>
      statements.map((one) => [
        `${one.line}:${one.column} ${one.kind}`,
        ...one.locks.map(({ mode, table, rows, origin }) => `${mode} ${table} ${rows} ${origin}`),
        ...one.scans.map(({ table }) => `reads ${table}`),
      ]),
    )
    expect(lines).toEqual([
      ['2:1 alter table … add column', 'ACCESS EXCLUSIVE pet 200 existing'],
      ['4:3 create index', 'SHARE pet 200 existing', 'reads pet'],
      ['1:1 create table', 'SHARE ROW EXCLUSIVE pet 200 existing'],
      ['2:1 insert', 'ROW EXCLUSIVE toy 0 new'],
      ['3:1 create index', 'SHARE toy 2 new', 'reads toy'],
    ])
  })

  it('knows from the database and from the plan what the text of a statement leaves open', async () => {
    const { db, pack } = await petDatabase({
      '0002_x.up.sql': `create index pet_name on pet (name);
drop index pet_name;
alter table pet alter column name type varchar(40), alter column id set not null;
alter table pet alter column name type text;`,
      '0003_y.up.sql': 'alter index pet_pkey rename to pet_key; reindex index pet_key;',
    })
    const { migrations } = await preview(db, pack)
    const seen = migrations.flatMap(({ statements }) =>
      statements.map((one) => [
        one.kind,
        ...one.locks.map(({ mode, table }) => `${mode} ${table}`),
        ...one.rewrites.map(({ table }) => `writes ${table}`),
        ...one.scans.map(({ table }) => `reads ${table}`),
      ]),
    )
    expect(seen[1]).toEqual(['drop index', 'ACCESS EXCLUSIVE pet'])
    expect(seen[2]?.slice(1)).toEqual(['ACCESS EXCLUSIVE pet', 'writes pet'])
    expect(seen[3]?.slice(1)).toEqual(['ACCESS EXCLUSIVE pet'])
  })

  it('says what lint says, judged by the rows that are there', async () => {
    const { db, pack } = await petDatabase({
      '0002_x.up.sql':
        'create index on pet (name);\ncreate table toy (id int primary key, n int); create index on toy (n);',
      '0002_x.down.sql': 'drop table toy; drop index pet_name_idx;',
    })
    const rules = async (plan = up) =>
      (await preview(db, pack, plan)).migrations.flatMap((one) =>
        one.lint.map(({ rule, version, location }) => `${version} ${rule} ${location.line}`),
      )
    expect(await rules()).toEqual(['2 index-blocks-writes 1'])
    await db.sql`truncate pet`
    await db.sql`analyze pet`
    expect(await rules()).toEqual([])
  })

  it('counts a partitioned table by its partitions, once', async () => {
    const db = await testDatabase()
    await db.sql`create table log (day int) partition by range (day)`
    await db.sql`create table log_1 partition of log for values from (0) to (10)`
    await db.sql`create table log_2 partition of log for values from (10) to (20)`
    await db.sql`insert into log select i % 20 from generate_series(1, 300) i`
    await db.sql`analyze log`
    const pack = await testPack({ '1_x.up.sql': 'create index on log (day); create index on log_1 (day);' })
    const { migrations } = await preview(db, pack)
    expect(migrations[0]?.statements.map(({ locks }) => locks[0]?.rows)).toEqual([300, 150])
  })

  it('follows what earlier migrations of the plan make, rename and drop', async () => {
    const { db, pack } = await petDatabase({
      '0002_x.up.sql': 'alter table pet rename to animal; create table pet ();',
      '0003_y.up.sql': 'create index on animal (name); alter table pet add column id int; drop table pet;',
      '0004_z.up.sql': 'lock table pet; lock table other.thing',
    })
    const { migrations } = await preview(db, pack)
    const locks = migrations.flatMap((one) => one.statements.flatMap((statement) => statement.locks))
    expect(locks.map(({ schema, table, rows, origin }) => `${schema}.${table} ${rows} ${origin}`)).toEqual([
      'public.pet 200 existing',
      'public.animal 200 existing',
      'public.pet 0 new',
      'public.pet 0 new',
      'public.pet null unknown',
      'other.thing null unknown',
    ])
  })

  it('names what cannot be undone: lost values, a missing down, and what a file says itself', async () => {
    const { db, pack } = await petDatabase({
      '0002_x.up.sql': '-- obs: drops pet.name\nalter table pet drop column name;',
      '0003_y.up.sql': '-- obs: irreversible the old keys are gone\nselect 1;',
      '0003_y.down.sql': 'select 1;',
      '0004_z.up.sql': 'create table z ();',
      '0004_z.down.sql': 'drop table z;',
      '0005_w.up.sql': '-- obs: irreversible the mails are sent\nselect 1;',
    })
    const { migrations } = await preview(db, pack)
    expect(migrations.map((one) => one.cannotBeUndone)).toEqual([
      ['drops the values of pet.name', 'there is no down file'],
      ['the old keys are gone'],
      [],
      ['there is no down file', 'the mails are sent'],
    ])
    const back = await preview(db, pack, (situation) => planDown(situation, { steps: 1 }))
    expect(back.migrations.map((one) => one.cannotBeUndone)).toEqual([['drops the rows of pet']])
    expect(back).toMatchObject({ current: 1, endsAt: 0 })
  })

  it('shows both ways in one', async () => {
    const { db, pack } = await petDatabase({ '0003_c.up.sql': 'select 1', '0003_c.down.sql': 'select 1' })
    await migrateUp(db, pack, {}, context)
    await addFiles(pack, { '0002_b.up.sql': 'select 1' })
    const plan = await preview(db, pack, (situation) => planGoto(situation, 2))
    expect(plan.migrations.map((one) => `${one.direction} ${one.version}`)).toEqual(['down 3', 'up 2'])
    expect(plan).toMatchObject({ current: 3, endsAt: 2 })
  })

  it('shows a late migration with its remark, and where a half-done one goes on', async () => {
    const { db, pack } = await petDatabase({ '0003_c.up.sql': 'select 1' })
    await migrateUp(db, pack, {}, context)
    await addFiles(pack, { '0002_b.up.sql': '-- obs: no-transaction\nselect 1;\nselect 1/0;\nselect 3;' })
    const late = (situation: Situation) => planUp(situation, { allowOutOfOrder: true })
    await migrateUp(db, pack, { allowOutOfOrder: true }, context).catch(() => undefined)
    const { migrations } = await preview(db, pack, late)
    expect(migrations[0]).toMatchObject({ resumeAt: 2, remark: 'out of order', transactional: false })
    expect(migrations[0]?.statements.map((one) => [one.number, one.line])).toEqual([
      [2, 3],
      [3, 4],
    ])
  })

  it('looks into transactions of a file that runs statement by statement', async () => {
    const { db, pack } = await petDatabase({
      '0002_x.up.sql': '-- obs: no-transaction\nbegin;\nupdate pet set id = id;\ncommit;\nvacuum pet;',
    })
    const { migrations } = await preview(db, pack)
    expect(migrations[0]?.statements.map((one) => `${one.number} ${one.line} ${one.kind}`)).toEqual([
      '1 3 update',
      '2 5 vacuum',
    ])
  })

  it('says that a function shows what it does only when it runs', async () => {
    const db = await testDatabase()
    const pack = await testPack({ '1_x.mjs': 'export async function up() { throw new Error("ran") }' })
    const { migrations } = await preview(db, pack)
    expect(migrations[0]?.statements).toMatchObject([{ kind: 'function', opaque: true, locks: [] }])
  })

  it('finds what is wrong with the files as a run would', async () => {
    const { db, pack } = await petDatabase({ '0002_x.up.sql': 'create tabel x ();' })
    await expect(preview(db, pack)).rejects.toMatchObject({ code: 'invalid_migrations', exitCode: 2 })
  })
})

describe('making a plan', () => {
  it('changes nothing and waits for nobody, whatever others have locked', async () => {
    const { db, pack } = await petDatabase({ '0002_x.up.sql': 'create index on pet (name); create index on raw (id);' })
    await db.sql`create table public.raw (id int)`
    const before = await readCatalog(db.sql, ['public', 'obs'])
    const [rows] = await db.sql`select count(*) from obs.migration_history`
    const lock = { schema: 'public', timeoutMs: 0 }
    const plan = await withMigrationLock(db, lock, context, () =>
      withSession(db.sql, (session) =>
        withTransaction(session, async () => {
          await session`lock table pet, public.raw in access exclusive mode`
          return preview(db, pack)
        }),
      ),
    )
    const locks = plan.migrations[0]?.statements.map((one) => one.locks[0])
    expect(locks).toMatchObject([
      { table: 'pet', rows: 200 },
      { table: 'raw', rows: null, origin: 'existing' },
    ])
    expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual(before)
    expect(await db.sql`select count(*) from obs.migration_history`).toEqual([rows])
  })

  it('makes nothing in an untouched database, even where every transaction is read-only', async () => {
    const db = await testDatabase()
    const pack = await testPack(pets)
    await db.sql`alter database ${db.sql(db.address.database)} set default_transaction_read_only to on`
    const plan = await withDatabase(db.address, context, (readOnly) => preview(readOnly, pack))
    expect(plan.migrations).toHaveLength(1)
    expect(plan.backup).toEqual({ none: '--backup none' })
    expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual([])
  })

  it('describes the backup when the database holds data, and says why there would be none', async () => {
    const { db, pack } = await petDatabase({ '0002_x.up.sql': 'select 1;' })
    const described: PlannedBackup = {
      scope: 'full',
      scopeReason: 'asked for',
      tables: [],
      engine: 'built-in',
      reason: 'asked for',
      directory: '/b',
      tableBytes: 10,
      estimatedBytes: 5,
    }
    const backup = vi.fn(async () => described)
    expect((await preview(db, pack, up, { backup })).backup).toEqual(described)
    const obstacle = async () => Promise.reject(new UsageError('no engine can back this database up'))
    expect((await preview(db, pack, up, { backup: obstacle })).backup).toEqual({
      impossible: 'no engine can back this database up',
    })
    await db.sql`truncate pet`
    await db.sql`analyze pet`
    backup.mockClear()
    expect((await preview(db, pack, up, { backup })).backup).toEqual({ none: 'the database holds nothing' })
    expect(backup).not.toHaveBeenCalled()
  })

  it('says how existing data would be compared, and why', async () => {
    const { db, pack } = await petDatabase({ '0002_x.up.sql': 'select 1;' })
    expect((await preview(db, pack)).preservation).toEqual({
      mode: 'hashes',
      because: 'the tables hold about 200 rows, no more than 5,000,000',
    })
    await db.sql`update pg_class set reltuples = 6e6 where relname = 'pet'`
    expect((await preview(db, pack)).preservation).toEqual({
      mode: 'counts',
      because: 'the tables hold about 6,000,000 rows, more than 5,000,000',
    })
    expect((await preview(db, pack, up, { preserve: 'off' })).preservation).toEqual({
      mode: 'off',
      because: '--preserve off asks for it',
    })
  })
})
