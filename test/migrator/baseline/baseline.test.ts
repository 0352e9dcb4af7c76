import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { quietContext } from '../../../src/context.js'
import { readCatalog } from '../../../src/database/catalog.js'
import { type Sql, withDatabase } from '../../../src/database/connect.js'
import { fingerprintTable } from '../../../src/database/fingerprint.js'
import { type BaselineOptions, baseline } from '../../../src/migrator/baseline/baseline.js'
import { migrationStatus } from '../../../src/migrator/history/status.js'
import { withMigrationLock } from '../../../src/migrator/lock/lock.js'
import { migrateUp } from '../../../src/migrator/run/up.js'
import { type Pack, resolvePack } from '../../../src/packs.js'
import { loadMvp, textOf } from '../../migrations/pack.js'
import { onServer, openTestDatabase } from '../../support/database.js'
import { addFiles, testPack } from '../../support/packs.js'
import { tables } from '../import/tools.js'

const files = {
  '0001_pet.up.sql': 'create table pet (id int primary key, name text);',
  '0002_toy.up.sql': `create table toy (id int); create index toy_id on toy (id);`,
  '0003_vet.up.sql': 'create table vet (id int);',
}

let db: Awaited<ReturnType<typeof openTestDatabase>>
let pack: Pack

beforeAll(async () => {
  db = await openTestDatabase()
})

afterAll(() => db.close())

beforeEach(async () => {
  await db.sql.unsafe('drop schema if exists obs cascade; drop schema public cascade; create schema public')
  pack = await testPack(files)
})

/** Makes by hand what the first `count` migrations say. */
async function builtByHand(count: number, sql: Sql = db.sql): Promise<void> {
  for (const text of Object.values(files).slice(0, count)) await sql.unsafe(text)
}

describe('a database that has the schema of one version', () => {
  it('is found to stand there, recorded so, and goes on from there', async () => {
    await builtByHand(2)
    await db.sql`insert into pet values (1, 'Rex')`
    const result = await adopt()
    expect(result).toMatchObject({ migration: { version: 2 }, pending: [{ version: 3 }] })
    expect(result.difference).toEqual({ missing: [], extra: [] })
    expect(await history()).toEqual([
      { version: 1, remark: 'baseline', finished_at: null, script: files['0001_pet.up.sql'] },
      { version: 2, remark: 'baseline', finished_at: null, script: files['0002_toy.up.sql'] },
    ])
    const { applied } = await migrateUp(db, pack, {}, quietContext())
    expect(applied.map((one) => one.version)).toEqual([3])
    expect([...(await db.sql`select * from pet`)]).toEqual([{ id: 1, name: 'Rex' }])
  })

  it('is not taken for another version that somebody names', async () => {
    await builtByHand(2)
    await expect(adopt({ to: 1 })).rejects.toMatchObject({
      code: 'baseline_differs',
      exitCode: 1,
      difference: {
        missing: [],
        extra: [
          expect.stringMatching(/^column public\.toy\.id integer/),
          expect.stringMatching(/^index public\.toy_id/),
          expect.stringMatching(/^table public\.toy/),
        ],
      },
    })
    await expect(adopt({ to: 3 })).rejects.toMatchObject({
      message: expect.stringMatching(
        /up to 0003_vet build: 2 differences\n {2}only in the migrations: column public\.vet/,
      ),
      hint: expect.stringContaining('obs migrate baseline --to 3 --accept-differences'),
    })
    await nothingChanged()
  })

  it('may hold the tables of other tools, and the history of obs itself', async () => {
    await builtByHand(1)
    for (const text of [tables.goose, tables.dbmate, tables.flyway, tables.knex, tables.kysely])
      await db.sql.unsafe(text)
    pack = { ...pack, historySchema: 'public' }
    expect(await adopt()).toMatchObject({ migration: { version: 1 } })
    expect((await migrationStatus(db, pack)).current).toBe(1)
  })

  it('is not touched by a dry run, which takes no lock', async () => {
    await builtByHand(2)
    await withMigrationLock(db, { schema: 'public', timeoutMs: 0 }, quietContext(), async () => {
      expect(await adopt({ dryRun: true })).toMatchObject({ migration: { version: 2 } })
      await expect(adopt({ lockTimeoutMs: 0 })).rejects.toMatchObject({ exitCode: 4 })
    })
    await nothingChanged()
  })

  it('may have what its migrations put into other schemas beside what others keep there', async () => {
    await addFiles(pack, { '0004_audit.up.sql': 'create schema audit; create table audit.log (id int);' })
    await builtByHand(3)
    onTestFinished(async () => void (await db.sql`drop schema if exists audit cascade`))
    await db.sql.unsafe('create schema audit; create table audit.foreign_log (id int)')
    await expect(adopt({ to: 4 })).rejects.toMatchObject({
      difference: {
        missing: [expect.stringContaining('audit.log.id'), expect.stringContaining('audit.log')],
        extra: [],
      },
    })
    await db.sql`create table audit.log (id int)`
    expect(await adopt({ to: 4 })).toMatchObject({ migration: { version: 4 } })
  })
})

describe('a database that differs', () => {
  beforeEach(async () => {
    await builtByHand(2)
    await db.sql`alter table pet alter name set not null`
  })

  it('is refused with the nearest version and every difference', async () => {
    await expect(adopt()).rejects.toMatchObject({
      code: 'baseline_differs',
      message: [
        'the database matches no version of pets; the nearest is 0002_toy, with 2 differences',
        '  only in the migrations: column public.pet.name text',
        '  only in the database: column public.pet.name text not null',
      ].join('\n'),
    })
    await nothingChanged()
  })

  it('is recorded when somebody accepts the differences, and says how many', async () => {
    const result = await adopt({ to: 2, acceptDifferences: true })
    expect(result.difference).toMatchObject({ missing: [expect.anything()], extra: [expect.anything()] })
    expect(await history()).toMatchObject([
      { version: 1, remark: 'baseline, 2 differences accepted' },
      { version: 2, remark: 'baseline, 2 differences accepted' },
    ])
  })

  it('is recorded unseen when somebody says so', async () => {
    const result = await adopt({ to: 3, compare: false })
    expect(result.difference).toBeNull()
    expect((await history()).map((row) => row.remark)).toEqual(Array(3).fill('baseline, not compared'))
  })
})

describe('versions that cannot be told apart', () => {
  it('have to be named, because one that changes data alone may be pending', async () => {
    await addFiles(pack, { '0003_vet.up.sql': `update pet set name = 'Rex'` })
    await builtByHand(2)
    await expect(adopt()).rejects.toMatchObject({
      code: 'baseline_unclear',
      message: 'the database looks the same after each of 0002_toy, 0003_vet',
    })
    await nothingChanged()
    expect(await adopt({ to: 2 })).toMatchObject({ pending: [{ version: 3 }] })
  })
})

describe('migrations that a scratch database cannot take', () => {
  it('are not run there when they reach the whole server', async () => {
    const role = `obs_role_${randomBytes(4).toString('hex')}`
    onTestFinished(async () => void (await onServer((sql) => sql.unsafe(`drop role if exists ${role}`))))
    await addFiles(pack, { '0003_vet.up.sql': `create table vet (id int);\ncreate role ${role};` })
    await builtByHand(2)
    expect(await adopt({ dryRun: true })).toMatchObject({ migration: { version: 2 } })
    await builtByHandThird()
    await expect(adopt()).rejects.toMatchObject({
      message: expect.stringContaining('(0003_vet.up.sql:2:1: create role reaches the whole server'),
    })
    await expect(adopt({ to: 3 })).rejects.toMatchObject({
      code: 'baseline_not_compared',
      hint: expect.stringContaining('--no-compare'),
    })
    expect(await onServer((sql) => sql`select from pg_roles where rolname = ${role}`)).toHaveLength(0)
    await nothingChanged()
  })

  it('are named when they fail there, and the versions before them are compared', async () => {
    await addFiles(pack, { '0003_vet.up.sql': 'insert into pet select 1 / count(*) from pet' })
    await builtByHand(2)
    expect(await adopt({ dryRun: true })).toMatchObject({ migration: { version: 2 } })
    await expect(adopt({ to: 3 })).rejects.toMatchObject({
      code: 'baseline_not_compared',
      message: expect.stringContaining('0003_vet does not run in an empty database: division by zero'),
    })
  })

  it('find the extensions there that an administrator has installed here', async () => {
    onTestFinished(async () => void (await db.sql`drop schema if exists extra cascade`))
    await db.sql.unsafe('create schema extra; create extension citext schema extra')
    await addFiles(pack, { '0003_vet.up.sql': 'create table vet (name extra.citext);' })
    await builtByHand(2)
    await db.sql`create table vet (name extra.citext)`
    expect(await adopt()).toMatchObject({ migration: { version: 3 } })
  })

  it('miss an extension here that they make themselves', async () => {
    await addFiles(pack, { '0003_vet.up.sql': 'create extension pg_trgm;' })
    await builtByHand(2)
    await expect(adopt({ to: 3 })).rejects.toMatchObject({
      difference: { missing: ['extension pg_trgm'], extra: [] },
    })
  })
})

describe('what is refused before anything is built', () => {
  it('a history in which something is applied', async () => {
    await migrateUp(db, pack, { to: 1 }, quietContext())
    await expect(adopt({ to: 1 })).rejects.toMatchObject({ code: 'history_not_empty', versions: [1] })
  })

  it('a version that is not there, and flags that contradict each other, with exit code 2', async () => {
    await builtByHand(1)
    await expect(adopt({ to: 9 })).rejects.toMatchObject({ code: 'unknown_version', exitCode: 2 })
    for (const options of [
      { compare: false },
      { acceptDifferences: true },
      { to: 1, compare: false, acceptDifferences: true },
    ]) {
      await expect(adopt(options)).rejects.toMatchObject({ code: 'invalid_baseline', exitCode: 2 })
    }
    await nothingChanged()
  })

  it('an empty database', async () => {
    await expect(adopt()).rejects.toMatchObject({
      code: 'nothing_to_adopt',
      hint: expect.stringContaining('migrate up'),
    })
    await nothingChanged()
  })
})

it('needs the right to make a scratch database, or to be told not to', async () => {
  const role = `obs_plain_${randomBytes(4).toString('hex')}`
  await db.sql.unsafe(`create role ${role} login password 'secret'; create schema obs authorization ${role}`)
  onTestFinished(async () => {
    await db.sql.unsafe(`drop schema obs cascade; drop owned by ${role}; drop role ${role}`)
  })
  await builtByHand(1)
  const { password: _, ...address } = db.address
  const { Secret } = await import('../../../src/secret.js')
  await withDatabase({ ...address, user: role, password: new Secret('secret') }, quietContext(), async (plain) => {
    await expect(baseline(plain, pack, { to: 1 }, quietContext())).rejects.toMatchObject({
      code: 'baseline_not_compared',
      hint: expect.stringContaining('--no-compare'),
    })
    await baseline(plain, pack, { to: 1, compare: false }, quietContext())
  })
  expect(await history()).toMatchObject([{ version: 1, remark: 'baseline, not compared' }])
})

describe('the database of the MVP', () => {
  const observability = resolvePack('observability', [], '.')

  beforeEach(async () => {
    await db.sql.unsafe(textOf('0001_mvp_baseline', 'up', 'postgres') ?? '')
    await loadMvp(db.sql)
  })

  it('is adopted at version 1, and up carries all of its 2,000 traces to the newest', async () => {
    const place = { schema: 'public', table: 'traces' }
    const before = await fingerprintTable(db.sql, place)
    expect(before.rows).toBe(2000)
    const result = await baseline(db, observability, { to: 1 }, quietContext())
    expect(result).toMatchObject({ migration: { version: 1 }, difference: { missing: [], extra: [] } })
    const { applied, preservation } = await migrateUp(db, observability, {}, quietContext())
    expect(applied.map((one) => one.version)).toEqual(result.pending.map((one) => one.version))
    expect(preservation.values_identical).toBe(true)
    expect(await fingerprintTable(db.sql, { ...place, columns: Object.keys(before.columns) })).toEqual(before)
  })

  it('may have an index of its own, once somebody accepts it', async () => {
    await db.sql`create index "by tag" on traces (user_id, model)`
    await expect(baseline(db, observability, { to: 1 }, quietContext())).rejects.toMatchObject({
      difference: { missing: [], extra: [expect.stringMatching(/^index public\."by tag"/)] },
    })
    await baseline(db, observability, { to: 1, acceptDifferences: true }, quietContext())
    await migrateUp(db, observability, {}, quietContext())
    expect((await migrationStatus(db, observability)).migrations.every((one) => one.state === 'applied')).toBe(true)
  })
})

function adopt(options: BaselineOptions = {}) {
  return baseline(db, pack, options, quietContext())
}

async function builtByHandThird(): Promise<void> {
  await db.sql`create table vet (id int)`
}

async function history() {
  return [
    ...(await db.sql<{ version: number; remark: string }[]>`
      select version, remark, finished_at, script from obs.migration_history order by id`),
  ]
}

/** Not even the history table was made. */
async function nothingChanged(): Promise<void> {
  expect(await readCatalog(db.sql, ['obs'])).toEqual([])
}
