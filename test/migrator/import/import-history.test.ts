import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { quietContext } from '../../../src/context.js'
import { readCatalog } from '../../../src/database/catalog.js'
import { withDatabase } from '../../../src/database/connect.js'
import { textChecksum } from '../../../src/migrator/checksum/checksum.js'
import { migrationStatus } from '../../../src/migrator/history/status.js'
import { type ImportOptions, type ImportResult, importHistory } from '../../../src/migrator/import/import-history.js'
import { withMigrationLock } from '../../../src/migrator/lock/lock.js'
import { migrateUp } from '../../../src/migrator/run/up.js'
import type { Pack } from '../../../src/packs.js'
import { openTestDatabase } from '../../support/database.js'
import { addFiles, testPack } from '../../support/packs.js'
import { type FlywayRow, flywayRows, tables } from './tools.js'

let db: Awaited<ReturnType<typeof openTestDatabase>>
let pack: Pack

beforeAll(async () => {
  db = await openTestDatabase()
})

afterAll(() => db.close())

beforeEach(async () => {
  await db.sql.unsafe('drop schema if exists obs cascade; drop schema public cascade; create schema public')
  pack = await testPack({
    '0001_pet.up.sql': 'create table pet (id int);\n',
    '0002_toy.up.sql': 'create table toy (id int);\n',
    '0003_vet.up.sql': 'create table vet (id int);\n',
  })
})

describe('golang-migrate', () => {
  beforeEach(() => db.sql.unsafe(tables.golangMigrate).then())

  it('says how far it came: everything up to there is applied, and the rest can be', async () => {
    await db.sql`insert into schema_migrations values (2, false)`
    await db.sql`create table pet (id int)`
    expect(await imported()).toMatchObject({ tool: 'golang-migrate', table: 'public.schema_migrations' })
    expect(await states()).toEqual(['1 applied', '2 applied', '3 pending'])
    await migrateUp(db, pack, {}, quietContext())
    expect(await states()).toEqual(['1 applied', '2 applied', '3 applied'])
    expect(await there('toy', 'vet', 'schema_migrations')).toEqual([false, true, true])
    expect([...(await db.sql`select * from schema_migrations`)]).toEqual([{ version: 2, dirty: false }])
  })

  it('does not know when, and obs does not make it up', async () => {
    await db.sql`insert into schema_migrations values (1, false)`
    const { imported: list } = await imported()
    expect(list).toMatchObject([{ appliedAt: null, durationMs: null }])
    expect(await history('version, finished_at, duration_ms')).toEqual([
      { version: 1, finished_at: null, duration_ms: null },
    ])
  })

  it('is refused while it is dirty, with the way to settle it', async () => {
    await db.sql`insert into schema_migrations values (2, true)`
    await expect(imported()).rejects.toMatchObject({
      code: 'foreign_history_unsettled',
      exitCode: 1,
      message: 'golang-migrate has marked version 2 as dirty: that migration began and did not finish',
      hint: expect.stringMatching(/^Look which of its statements took effect .* force 2 .*; nothing was changed\.$/),
    })
    await nothingChanged()
  })

  it('may stand at the version before the first, dirty', async () => {
    await db.sql`insert into schema_migrations values (-1, true)`
    await expect(imported()).rejects.toMatchObject({ hint: expect.stringContaining('empty the table') })
  })

  it('is refused when the file of its version is gone', async () => {
    await db.sql`insert into schema_migrations values (7, false)`
    await expect(imported()).rejects.toMatchObject({
      code: 'foreign_history_unmatched',
      problems: ['7 is applied, and there is no file of version 7'],
    })
    await nothingChanged()
  })

  it('may have applied nothing yet', async () => {
    expect(await imported()).toMatchObject({ imported: [], pending: [{ version: 1 }, { version: 2 }, { version: 3 }] })
    await nothingChanged()
  })
})

describe('dbmate', () => {
  beforeEach(() => db.sql.unsafe(tables.dbmate).then())

  it('names each version, and a gap is late', async () => {
    await db.sql`insert into schema_migrations values ('0001'), ('0003')`
    expect(await imported()).toMatchObject({ tool: 'dbmate', late: [{ id: '0002_toy' }], pending: [] })
    expect(await states()).toEqual(['1 applied', '2 pending', '3 applied'])
  })

  it('is refused when files are missing, all of them named', async () => {
    await db.sql`insert into schema_migrations values ('0001'), ('20240101000000'), ('9'), ('x')`
    await expect(imported()).rejects.toMatchObject({
      problems: [
        '20240101000000 is applied, and there is no file of version 20240101000000',
        '9 is applied, and there is no file of version 9',
        'x is applied, and there is no file that stands for it',
      ],
      hint: expect.stringContaining(pack.migrations),
    })
    await nothingChanged()
  })

  it('is refused when two of its versions are one', async () => {
    await db.sql`insert into schema_migrations values ('1'), ('01')`
    await expect(imported()).rejects.toMatchObject({ problems: ['01 and 1 both stand for 0001_pet'] })
  })
})

describe('goose', () => {
  beforeEach(() => db.sql.unsafe(tables.goose).then())

  it('adds rows, and the last one of a version counts', async () => {
    await db.sql`
      insert into goose_db_version (version_id, is_applied, tstamp) values
        (1, true, '2026-01-01 10:00'), (2, true, '2026-01-02 10:00'), (2, false, '2026-01-03 10:00'),
        (3, true, '2026-01-04 10:00'), (3, false, '2026-01-05 10:00'), (3, true, '2026-01-06 10:00')`
    expect(await imported()).toMatchObject({ tool: 'goose', late: [{ version: 2 }] })
    expect(await history('version, finished_at')).toEqual([
      { version: 1, finished_at: new Date('2026-01-01T10:00:00Z') },
      { version: 3, finished_at: new Date('2026-01-06T10:00:00Z') },
    ])
  })

  it('has a row for version 0 that stands for nothing', async () => {
    expect(await imported()).toMatchObject({ imported: [] })
  })
})

describe('Flyway', () => {
  beforeEach(() => db.sql.unsafe(tables.flyway).then())

  const pet = { rank: 1, version: '1', description: 'pet', script: 'V1__pet.sql' }
  const toy = { rank: 2, version: '002', description: 'toy', script: 'V002__toy.sql' }
  const ran = (rows: readonly FlywayRow[]) => db.sql`insert into flyway_schema_history ${db.sql(flywayRows(rows))}`

  it('keeps when and how long; repeatable migrations are left out by name', async () => {
    const views = { version: null, description: 'views', script: 'R__views.sql' }
    await ran([pet, toy, { ...views, rank: 3 }, { ...views, rank: 4 }])
    expect(await imported()).toMatchObject({ tool: 'flyway', leftOut: ['R__views.sql (a repeatable migration)'] })
    expect(await history('version, finished_at, duration_ms::int as took, remark')).toEqual([
      { version: 1, finished_at: new Date('2026-02-04T22:23:00Z'), took: 546, remark: 'imported from flyway' },
      { version: 2, finished_at: new Date('2026-02-04T22:23:00Z'), took: 546, remark: 'imported from flyway' },
    ])
  })

  it('may have undone a version, deleted it, and applied it again', async () => {
    await ran([
      { rank: 0, version: null, description: '<< Flyway Schema Creation >>', type: 'SCHEMA', script: '"public"' },
      { ...pet, rank: 1 },
      { ...toy, rank: 2 },
      { ...toy, rank: 3, type: 'UNDO_SQL', script: 'U002__toy.sql' },
      { rank: 4, version: '3', description: 'vet', script: 'V3__vet.sql' },
      { rank: 5, version: '3', description: 'vet', script: 'V3__vet.sql', type: 'DELETE' },
    ])
    expect((await imported()).imported.map(({ migration }) => migration.version)).toEqual([1])
    expect(await states()).toEqual(['1 applied', '2 pending', '3 pending'])
  })

  it('may have begun at a baseline, which stands for every file up to it', async () => {
    await ran([
      {
        rank: 1,
        version: '2',
        description: '<< Flyway Baseline >>',
        type: 'BASELINE',
        script: '<< Flyway Baseline >>',
      },
      { rank: 2, version: '3', description: 'vet', script: 'V3__vet.sql' },
    ])
    await imported()
    expect(await states()).toEqual(['1 applied', '2 applied', '3 applied'])
  })

  it('is refused while a row says that it failed', async () => {
    await ran([pet, { ...toy, success: false }])
    await expect(imported()).rejects.toMatchObject({
      code: 'foreign_history_unsettled',
      migrations: ['V002__toy.sql'],
      hint: expect.stringContaining('flyway repair'),
    })
    await nothingChanged()
  })

  it('may count 1, 1.2, 1.10: such files are found by their titles, in its order', async () => {
    await ran([
      { ...pet, rank: 1 },
      { rank: 2, version: '1.10', description: 'Vet', script: 'V1.10__Vet.sql' },
      { rank: 3, version: '1.2', description: 'toy', script: 'V1.2__toy.sql' },
    ])
    await imported()
    expect(await states()).toEqual(['1 applied', '2 applied', '3 applied'])
  })

  it('is refused when titles come in another order than the files, or fit none', async () => {
    await ran([
      { rank: 1, version: '1.1', description: 'toy', script: 'V1.1__toy.sql' },
      { rank: 2, version: '1.2', description: 'pet', script: 'V1.2__pet.sql' },
      { rank: 3, version: '1.3', description: 'a zoo', script: 'V1.3__a_zoo.sql' },
    ])
    await expect(imported()).rejects.toMatchObject({
      problems: [
        'V1.3__a_zoo.sql is applied, and there is no file called <version>_a_zoo',
        'V1.1__toy.sql comes before V1.2__pet.sql, but 0002_toy after 0001_pet',
      ],
    })
    await nothingChanged()
  })

  it('is refused when a baseline stands before versions such as 1.2', async () => {
    await ran([
      { rank: 1, version: '1', description: 'x', type: 'BASELINE', script: '<< Flyway Baseline >>' },
      { rank: 2, version: '1.2', description: 'toy', script: 'V1.2__toy.sql' },
    ])
    await expect(imported()).rejects.toMatchObject({
      problems: ['<< Flyway Baseline >> stands for no version that a file could have'],
    })
  })

  it('is refused when a version is something else here', async () => {
    await ran([{ ...pet, description: 'owner', script: 'V1__owner.sql' }])
    await expect(imported()).rejects.toMatchObject({
      problems: ['V1__owner.sql is applied, and version 1 is something else here: 0001_pet'],
    })
  })
})

describe('tools that keep names', () => {
  beforeEach(() =>
    addFiles(pack, {
      '1663854311211_add-owners.up.sql': 'select 1;',
      '1663854311212_add_collars.up.sql': 'select 1;',
    }),
  )

  it('node-pg-migrate is followed by its timestamps', async () => {
    await db.sql.unsafe(tables.nodePgMigrate)
    await db.sql`insert into pgmigrations (name, run_on) values ('1663854311211_add-owners', '2026-03-01 08:00')`
    expect(await imported()).toMatchObject({ tool: 'node-pg-migrate', pending: [{ version: 1663854311212 }] })
    expect(await history('version, finished_at')).toEqual([
      { version: 1663854311211, finished_at: new Date('2026-03-01T08:00:00Z') },
    ])
  })

  it('Kysely is followed by numbers, and by titles where a name begins with no number', async () => {
    await db.sql.unsafe(tables.kysely)
    await db.sql`
      insert into kysely_migration values
        ('0001-pet', '2026-03-01T08:00:00.000Z'), ('2022-09-22_add_owners', 'some day'),
        ('2022-09-23T10:00Z-add-collars', '2026-03-01T08:00:02.000Z')`
    expect(await imported()).toMatchObject({ tool: 'kysely', late: [{ version: 2 }, { version: 3 }] })
    expect(await history('version, finished_at')).toEqual([
      { version: 1, finished_at: new Date('2026-03-01T08:00:00Z') },
      { version: 1663854311211, finished_at: null },
      { version: 1663854311212, finished_at: new Date('2026-03-01T08:00:02Z') },
    ])
  })

  it('Knex is followed by its numbers, whatever the ending of its files', async () => {
    await db.sql.unsafe(tables.knex)
    await db.sql`
      insert into knex_migrations (name, batch, migration_time) values
        ('0001_pet.js', 1, '2026-03-01T08:00:00Z'), ('1663854311212_add_collars.ts', 2, '2026-03-02T08:00:00Z')`
    expect(await imported()).toMatchObject({ tool: 'knex', imported: [{}, {}] })
    expect((await states()).filter((state) => state.endsWith('applied'))).toEqual([
      '1 applied',
      '1663854311212 applied',
    ])
  })
})

describe('which table', () => {
  it('is found by its columns in whatever schema it is, and named with quotes as SQL does', async () => {
    await db.sql.unsafe(`create schema "Odd ""one"; create table "Odd ""one"."My Table" (version varchar primary key)`)
    await db.sql`insert into "Odd ""one"."My Table" values ('0001')`
    await expect(imported()).rejects.toMatchObject({ code: 'no_foreign_history', exitCode: 2 })
    const result = await imported({ table: '"Odd ""one"."My Table"' })
    expect(result).toMatchObject({ tool: 'dbmate', table: 'Odd "one.My Table' })
    expect(await states()).toEqual(['1 applied', '2 pending', '3 pending'])
  })

  it('has to be said when there are several', async () => {
    await db.sql.unsafe(`${tables.goose}; ${tables.dbmate}; insert into schema_migrations values ('0002')`)
    await expect(imported()).rejects.toMatchObject({
      code: 'foreign_history_ambiguous',
      exitCode: 2,
      message: 'there are 2 histories here: public.goose_db_version of goose, public.schema_migrations of dbmate',
    })
    await nothingChanged()
    expect(await imported({ tool: 'dbmate' })).toMatchObject({ imported: [{ migration: { version: 2 } }] })
  })

  it('is refused when it is none, naming what it lacks', async () => {
    await db.sql`create table schema_migrations (version varchar, dirty text)`
    await expect(imported({ tool: 'golang-migrate', table: 'schema_migrations' })).rejects.toMatchObject({
      message: 'public.schema_migrations is no history of golang-migrate: it lacks version int8 or int4, dirty bool',
    })
    await expect(imported({ table: 'nowhere' })).rejects.toMatchObject({ message: 'there is no table nowhere' })
    await expect(imported({ table: `x"; drop table pet; --` })).rejects.toMatchObject({ code: 'invalid_table' })
    await expect(imported({ table: 'a.b.c' })).rejects.toMatchObject({ code: 'invalid_table', exitCode: 2 })
  })
})

describe('the history of obs', () => {
  beforeEach(async () => {
    await db.sql.unsafe(tables.dbmate)
    await db.sql`insert into schema_migrations values ('0001'), ('0002')`
  })

  it('says what was imported, from which text, and by whom', async () => {
    await imported()
    const columns = 'version, name, direction, checksum, variant, state, script, remark, receipt, backup_id, error'
    const row = { direction: 'up', variant: null, state: 'applied', receipt: null, backup_id: null, error: null }
    const remark = 'imported from dbmate'
    const texts = ['create table pet (id int);\n', 'create table toy (id int);\n'] as const
    const checksum = (text: string) => expect.stringMatching(new RegExp(`^tokens:\\w{64} text:${textChecksum(text)}$`))
    expect(await history(columns)).toEqual([
      { ...row, version: 1, name: 'pet', checksum: checksum(texts[0]), script: texts[0], remark },
      { ...row, version: 2, name: 'toy', checksum: checksum(texts[1]), script: texts[1], remark },
    ])
    const [who] = await db.sql`select who, obs_version from obs.migration_history`
    expect(who).toEqual({ who: expect.stringMatching(/ as obs$/), obs_version: expect.stringMatching(/^\d/) })
  })

  it('notices a later change of an imported file', async () => {
    await imported()
    await addFiles(pack, { '0001_pet.up.sql': 'create table pet (id bigint);\n' })
    expect(await states()).toEqual(['1 changed', '2 applied', '3 pending'])
  })

  it('is refused once anything is applied, but not after attempts that failed', async () => {
    await db.sql`create table pet (id int)`
    const run = migrateUp(db, pack, { besideOtherTool: true }, quietContext())
    await expect(run).rejects.toMatchObject({ code: 'migration_failed' })
    await imported()
    await expect(imported()).rejects.toMatchObject({ code: 'history_not_empty', versions: [1, 2], exitCode: 1 })
    expect((await history('version')).length).toBe(2)
  })

  it('is as it was after a dry run, which takes no lock', async () => {
    await withMigrationLock(db, { schema: 'public', timeoutMs: 0 }, quietContext(), async () => {
      expect(await imported({ dryRun: true })).toMatchObject({ imported: [{}, {}] })
      await expect(imported({ lockTimeoutMs: 0 })).rejects.toMatchObject({ exitCode: 4 })
    })
    await nothingChanged()
  })

  it('gets all rows or none', async () => {
    await migrateUp(db, await testPack({ '9_other.up.sql': 'select 1;' }), {}, quietContext())
    await db.sql`truncate obs.migration_history`
    await db.sql`alter table obs.migration_history add check (version <> 2)`
    await expect(imported()).rejects.toMatchObject({ code: '23514' })
    expect(await history('version')).toEqual([])
  })

  it('is written once, however many import at the same time', async () => {
    const runs = Array.from({ length: 5 }, () =>
      withDatabase(db.address, quietContext(), (own) => importHistory(own, pack, {}, quietContext())),
    )
    const outcomes = await Promise.allSettled(runs)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await history('version')).toEqual([{ version: 1 }, { version: 2 }])
  })
})

function imported(options: ImportOptions = {}): Promise<ImportResult> {
  return importHistory(db, pack, options, quietContext())
}

async function states(): Promise<string[]> {
  const { migrations } = await migrationStatus(db, pack)
  return migrations.map(({ version, state }) => `${version} ${state}`)
}

async function history(columns: string): Promise<object[]> {
  return [...(await db.sql.unsafe(`select ${columns} from obs.migration_history where state = 'applied' order by id`))]
}

async function there(...names: readonly string[]): Promise<boolean[]> {
  return Promise.all(
    names.map(async (name) => (await db.sql`select from pg_tables where tablename = ${name}`).length > 0),
  )
}

/** Not even the history table was made. */
async function nothingChanged(): Promise<void> {
  expect(await readCatalog(db.sql, ['obs'])).toEqual([])
}
