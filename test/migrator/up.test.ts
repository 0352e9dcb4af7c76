import { describe, expect, it, vi } from 'vitest'
import { quietContext, type RunContext } from '../../src/context.js'
import { type Database, withDatabase, withSession } from '../../src/database/connect.js'
import { ObsError } from '../../src/errors.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { migrateDown } from '../../src/migrator/run/down.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import type { Pack } from '../../src/packs.js'
import { onServer, testDatabase } from '../support/database.js'
import { addFiles, removeFile, testPack } from '../support/packs.js'

const context = quietContext()

const petFiles = {
  '0001_pet.up.sql': 'create table pet (id bigint primary key, name text);',
  '0001_pet.down.sql': 'drop table pet;',
  '0002_toy.up.sql': `create table toy (id int);\ninsert into pet values (1, 'Rex');`,
  '0002_toy.down.sql': '-- obs: changes pet\ndelete from pet where id = 1;\ndrop table toy;',
}

async function tables({ sql }: Database, schema = 'public'): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select tablename as name from pg_tables where schemaname = ${schema} order by tablename`
  return rows.map((row) => row.name)
}

async function history({ sql }: Database): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    select concat_ws(' ', version, direction, state) as line from obs.migration_history order by id`
  return rows.map((row) => row.line)
}

async function states(database: Database, pack: Pack): Promise<string[]> {
  const { migrations } = await migrationStatus(database, pack)
  return migrations.map(({ version, state }) => `${version} ${state}`)
}

async function schemas({ sql }: Database): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select nspname as name from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' order by 1`
  return rows.map((row) => row.name)
}

describe('a run that succeeds', () => {
  it('applies what is pending, oldest first, and writes one history row each', async () => {
    const db = await testDatabase()
    const pack = await testPack(petFiles)
    const result = await migrateUp(db, pack, {}, context)
    expect(result.applied.map((one) => one.id)).toEqual(['0001_pet', '0002_toy'])
    expect(await tables(db)).toEqual(['pet', 'toy'])
    expect(await history(db)).toEqual(['1 up applied', '2 up applied'])
    expect(await states(db, pack)).toEqual(['1 applied', '2 applied'])
  })

  it('writes down who did what, when, with which file and which backup', async () => {
    const db = await testDatabase()
    await db.sql`create table held as select 1 as id`
    const pack = await testPack({ '0001_pet.postgres.up.sql': 'create table pet ();' })
    await migrateUp(db, pack, { backup: async () => ({ id: 'b1', path: '/backups/b1' }) }, context)
    const [row] = await db.sql`select * from obs.migration_history`
    expect(row).toMatchObject({
      pack: 'pets',
      version: 1,
      name: 'pet',
      variant: 'postgres',
      statement: 1,
      backup_id: 'b1',
      in_transaction: true,
      error: null,
    })
    expect(row?.['checksum']).toMatch(/^tokens:[0-9a-f]{64} text:[0-9a-f]{64}$/)
    expect(row?.['who']).toContain(`as ${db.address.user}`)
    expect(row?.['host']).not.toBe('')
    expect(row?.['finished_at'].getTime()).toBeGreaterThanOrEqual(row?.['started_at'].getTime())
  })

  it('has nothing to do the second time', async () => {
    const db = await testDatabase()
    const pack = await testPack(petFiles)
    await migrateUp(db, pack, {}, context)
    expect((await migrateUp(db, pack, {}, context)).applied).toEqual([])
    expect(await history(db)).toHaveLength(2)
  })

  it('ends at the version it is told', async () => {
    const db = await testDatabase()
    const pack = await testPack(petFiles)
    await migrateUp(db, pack, { to: 1 }, context)
    expect(await states(db, pack)).toEqual(['1 applied', '2 pending'])
  })

  it('changes nothing in a dry run', async () => {
    const db = await testDatabase()
    const pack = await testPack(petFiles)
    const { planned } = await migrateUp(db, pack, { dryRun: true }, context)
    expect(planned.map((one) => one.version)).toEqual([1, 2])
    expect(await schemas(db)).toEqual(['public'])
    expect(await tables(db)).toEqual([])
  })

  it('orders versions as numbers and takes a golang-migrate folder as it stands', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '10_c.up.sql': 'alter table b rename to c;',
      '9_b.up.sql': 'BEGIN;\ncreate table b (id int);\nCOMMIT;\n',
      '20261122093000_d.up.sql': 'alter table c rename to d;',
      'README.md': '# ours',
      'schema.sql': 'this is not a migration',
    })
    const { applied } = await migrateUp(db, pack, {}, context)
    expect(applied.map((one) => one.version)).toEqual([9, 10, 20261122093000])
    expect(await tables(db)).toEqual(['d'])
  })

  it('makes the schema of the pack and works in it, whatever it is called', async () => {
    const db = await testDatabase()
    const schema = `o'dd "schema"; drop schema public`
    const pack = await testPack(petFiles, schema)
    await migrateUp(db, pack, {}, context)
    expect(await tables(db, schema)).toEqual(['pet', 'toy'])
    expect(await tables(db)).toEqual([])
    await migrateDown(db, pack, { target: { to: 0 } }, context)
    expect(await tables(db, schema)).toEqual([])
  })

  it('keeps the histories of two packs apart', async () => {
    const db = await testDatabase()
    const pets = await testPack(petFiles, 'pets')
    const others = { ...(await testPack({ '0001_x.up.sql': 'create table x ();' }, 'others')), name: 'others' }
    await migrateUp(db, pets, {}, context)
    await migrateUp(db, others, {}, context)
    expect(await states(db, others)).toEqual(['1 applied'])
    expect(await states(db, pets)).toEqual(['1 applied', '2 applied'])
  })

  it('leaves a temporary table of one migration to no other, even when nothing else speaks of the session', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_scratch.up.sql': 'create temp table scratch (id int)',
      '0002_pet.up.sql': `create table pet as select to_regclass('scratch') is null as no_temp`,
    })
    await migrateUp(db, pack, {}, context)
    expect(await db.sql`select * from public.pet`).toEqual([{ no_temp: true }])
  })

  it('leaves nothing of one migration in the session for the next', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_noise.up.sql': `
        set search_path = pg_catalog; set work_mem = '1MB'; set timezone = 'Asia/Tokyo';
        create temp table scratch (id int); create role ${db.address.database}_r; set role ${db.address.database}_r;`,
      '0002_pet.up.sql': `
        create table pet as select current_setting('work_mem') <> '1MB' as clean, current_user as who,
          to_regclass('scratch') is null as no_temp;`,
    })
    try {
      await migrateUp(db, pack, {}, context)
      expect(await db.sql`select * from public.pet`).toEqual([{ clean: true, who: db.address.user, no_temp: true }])
    } finally {
      await onServer((sql) => sql.unsafe(`drop role if exists ${db.address.database}_r`))
    }
  })

  it('runs the form for the platform', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_pet.up.sql': 'create table everywhere ();',
      '0001_pet.postgres.up.sql': 'create table here ();',
      '0001_pet.timescaledb.up.sql': 'create table there ();',
    })
    await migrateUp(db, pack, {}, context)
    expect(await tables(db)).toEqual(['here'])
  })

  it('runs migrations written in TypeScript, down and verify too', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_pet.ts': `
        import type { MigrationEnvironment } from 'anywhere'
        export async function up({ sql }: MigrationEnvironment): Promise<void> { await sql\`create table pet (id int)\` }
        export async function down({ sql }: MigrationEnvironment) { await sql\`drop table pet\` }
        export const verify = ({ sql }: MigrationEnvironment) => sql\`select * from pet\`
      `,
    })
    await migrateUp(db, pack, {}, context)
    expect(await tables(db)).toEqual(['pet'])
    await migrateDown(db, pack, {}, context)
    expect(await tables(db)).toEqual([])
  })
})

describe('a backup', () => {
  it('is made once, when there is data, after the plan and before the first migration', async () => {
    const db = await testDatabase()
    const pack = await testPack(petFiles)
    await db.sql`create table held as select 1 as id`
    const seen: string[][] = []
    const backup = vi.fn(async () => {
      seen.push(await tables(db))
      return { id: 'b1', path: '/backups/b1' }
    })
    const result = await migrateUp(db, pack, { backup }, context)
    expect(backup).toHaveBeenCalledTimes(1)
    expect(seen).toEqual([['held']])
    expect(result.backup).toEqual({ id: 'b1', path: '/backups/b1' })
    await migrateUp(db, pack, { backup }, context)
    expect(backup).toHaveBeenCalledTimes(1)
  })

  it('is not made of a database without a row', async () => {
    const db = await testDatabase()
    const backup = vi.fn(async () => null)
    await db.sql`create table empty (id int)`
    await migrateUp(db, await testPack(petFiles), { backup }, context)
    expect(backup).not.toHaveBeenCalled()
  })

  it('that fails leaves the database as it was', async () => {
    const db = await testDatabase()
    await db.sql`create table held as select 1 as id`
    const backup = async () => {
      throw new ObsError('the disk is full', { code: 'disk_full' })
    }
    await expect(migrateUp(db, await testPack(petFiles), { backup }, context)).rejects.toMatchObject({
      code: 'disk_full',
    })
    expect(await tables(db)).toEqual(['held'])
    expect(await schemas(db)).toEqual(['public'])
  })
})

describe('a migration that fails', () => {
  it('is rolled back and keeps those before it', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      ...petFiles,
      '0003_boom.up.sql': '-- ünïcode 🐶\ncreate table half (id int);\n\nselect 1,\n  1/0;\n',
      '0004_never.up.sql': 'create table never ();',
    })
    const run = migrateUp(db, pack, {}, context)
    await expect(run).rejects.toMatchObject({
      code: 'migration_failed',
      exitCode: 1,
      migration: '0003_boom',
      done: ['0001_pet', '0002_toy'],
      cause: { code: '22012' },
      failure: { statement: 2, location: { line: 4, column: 1 } },
    })
    expect(await tables(db)).toEqual(['pet', 'toy'])
    expect(await history(db)).toEqual(['1 up applied', '2 up applied', '3 up failed'])
    expect(await states(db, pack)).toEqual(['1 applied', '2 applied', '3 pending', '4 pending'])
  })

  it('is shown with file, line, column and caret where the server names the place', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_typo.up.sql': "/* 🐶 */ select '🐶', 1;\n\n  select '🐶',\n\tnme from pg_class;\n",
    })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ failure: { location: { line: 4, column: 2 }, sqlState: '42703' } })
    expect((error as Error).message).toContain('0001_typo.up.sql:4:2')
    expect((error as Error).message).toMatch(/4 \| {2}nme from pg_class;\n +\| {2}\^/)
    expect((error as Error).message).toContain('0001_typo was rolled back')
  })

  it('can be mended and run again', async () => {
    const db = await testDatabase()
    const pack = await testPack({ '0001_pet.up.sql': 'create table pet (id nothing);' })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_failed' })
    await addFiles(pack, { '0001_pet.up.sql': 'create table pet (id int);' })
    await migrateUp(db, pack, {}, context)
    expect(await states(db, pack)).toEqual(['1 applied'])
  })

  it('at commit, through a deferred constraint, is rolled back too', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_pet.up.sql': `
        create table pet (id int primary key, mother int references pet deferrable initially deferred);
        insert into pet values (1, 2);`,
    })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ failure: { sqlState: '23503' } })
    expect(await tables(db)).toEqual([])
  })

  it('because its verification finds a row is rolled back', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_pet.up.sql': 'create table pet as select 7 as id;',
      '0001_pet.verify.sql': 'select 1 where false;\nselect * from pet;',
    })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'migration_failed', failure: { location: { line: 2 } } })
    expect((error as Error).message).toContain('{"id":7}')
    expect(await tables(db)).toEqual([])
  })

  it('in TypeScript is rolled back, also when it swallows the error or ends the transaction', async () => {
    const db = await testDatabase()
    const body = (text: string) => `export const up = async ({ sql }) => { await sql\`create table pet ()\`; ${text} }`
    for (const text of [`throw new Error('no')`, 'await sql`select 1/0`.catch(() => {})', 'await sql`rollback`']) {
      const pack = await testPack({ '0001_pet.js': body(text) })
      await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_failed' })
      expect(await tables(db)).toEqual([])
    }
  })

  it('is known to have been rolled back when its connection is killed', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '0001_pet.up.sql': 'create table pet ();',
      '0002_suicide.up.sql': 'create table half (); select pg_terminate_backend(pg_backend_pid());',
    })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
    expect((error as Error).message).toContain('the database is at version 1; 0002_suicide was rolled back')
    expect(error).toMatchObject({ hint: expect.stringMatching(/^Check the server/) })
    expect(await tables(db)).toEqual(['pet'])
    expect(await states(db, pack)).toEqual(['1 applied', '2 pending'])
  })

  it('because a table is in use gives up in time with exit code 4', async () => {
    const db = await testDatabase()
    const pack = await testPack({ ...petFiles, '0003_age.up.sql': 'alter table pet add column age int;' })
    await migrateUp(db, pack, { to: 2 }, context)
    await withSession(db.sql, async (session) => {
      await session`begin`
      await session`select * from pet`
      const run = migrateUp(db, pack, { ddlLockTimeoutMs: 50, ddlRetryForMs: 0 }, context)
      await expect(run).rejects.toMatchObject({ exitCode: 4, failure: { sqlState: '55P03' } })
      await session`rollback`
    })
    expect(await states(db, pack)).toEqual(['1 applied', '2 applied', '3 pending'])
  })
})

describe('files that cannot be used', () => {
  it('are found before anything happens, all of them at once', async () => {
    const db = await testDatabase()
    await db.sql`create table held as select 1 as id`
    const backup = vi.fn(async () => null)
    const pack = await testPack({
      '0001_pet.up.sql': 'create table pet (id int);',
      '0002_bad.up.sql': '-- é\ncreate table x (\n  id int,,\n);',
      '0003_psql.up.sql': 'select 1;\n\\echo hello',
      '0004_commit.up.sql': 'select 1;\ncommit;\nselect 2;',
      '0005_vacuum.up.sql': 'create table y ();\nvacuum y;',
      '0006_copy.up.sql': 'copy pet from stdin;',
      '0007_needs.up.sql': '-- obs: requires no_such_extension\nselect 1;',
    })
    const error = await migrateUp(db, pack, { backup }, context).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'invalid_migrations',
      exitCode: 2,
      problems: [
        { location: { line: 3, column: 10 } },
        { message: expect.stringContaining('\\echo'), location: { line: 2, column: 1 } },
        { message: expect.stringContaining('transaction itself'), location: { line: 2, column: 1 } },
        { message: expect.stringContaining('no-transaction'), location: { line: 2, column: 1 } },
        { message: expect.stringContaining('copy … from stdin') },
        { message: expect.stringContaining('no_such_extension') },
      ],
    })
    expect(backup).not.toHaveBeenCalled()
    expect(await tables(db)).toEqual(['held'])
    expect(await schemas(db)).toEqual(['public'])
  })

  it('are those that changed, vanished or came late after later ones were applied', async () => {
    const db = await testDatabase()
    const pack = await testPack({ ...petFiles, '0005_five.up.sql': 'select 5;' })
    await migrateUp(db, pack, {}, context)
    await addFiles(pack, { '0003_late.up.sql': 'select 3;' })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({
      code: 'migration_late',
      migrations: ['0003_late'],
    })
    await addFiles(pack, { '0001_pet.up.sql': `${petFiles['0001_pet.up.sql']}\nselect 1;` })
    expect(await states(db, pack)).toContain('1 changed')
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({
      code: 'migration_changed',
      migrations: ['0001_pet'],
    })
    await removeFile(pack, '0005_five.up.sql')
    expect(await states(db, pack)).toContain('5 missing')
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_missing' })
  })

  it('are not those whose line endings changed', async () => {
    const db = await testDatabase()
    const pack = await testPack({ '0001_pet.up.sql': 'create table pet (\n  id int\n);\n' })
    await migrateUp(db, pack, {}, context)
    await addFiles(pack, { '0001_pet.up.sql': '\uFEFFcreate table pet (  \r\n  id int\r\n);' })
    expect(await states(db, pack)).toEqual(['1 applied'])
  })
})

it('refuses a history that a newer obs has written', async () => {
  const db = await testDatabase()
  const pack = await testPack(petFiles)
  await migrateUp(db, pack, {}, context)
  await db.sql`update obs.migration_history set format = 99, obs_version = '9.9.9'`
  const newer = { code: 'history_newer', details: { obs_version: '9.9.9' } }
  await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject(newer)
  await expect(migrationStatus(db, pack)).rejects.toMatchObject(newer)
})

it('refuses a target that does not exist or lies behind', async () => {
  const db = await testDatabase()
  const pack = await testPack(petFiles)
  await expect(migrateUp(db, pack, { to: 7 }, context)).rejects.toMatchObject({ code: 'unknown_version', exitCode: 2 })
  await migrateUp(db, pack, {}, context)
  await expect(migrateUp(db, pack, { to: 1 }, context)).rejects.toMatchObject({ code: 'wrong_direction', exitCode: 2 })
  expect(await tables(db)).toEqual(['pet', 'toy'])
})

it('leaves nothing behind when the role may not create anything', async () => {
  const db = await testDatabase()
  const role = `${db.address.database}_reader`
  await onServer((sql) => sql.unsafe(`create role ${role} login password 'reads'`))
  try {
    const address = { ...db.address, user: role, password: undefined }
    const { Secret } = await import('../../src/secret.js')
    const pack = await testPack(petFiles)
    const run = withDatabase({ ...address, password: new Secret('reads') }, context, (reader) =>
      migrateUp(reader, pack, {}, context),
    )
    await expect(run).rejects.toMatchObject({ code: 'permission_denied', exitCode: 1 })
    expect(await schemas(db)).toEqual(['public'])
    expect(await tables(db)).toEqual([])
  } finally {
    await onServer((sql) => sql.unsafe(`drop role ${role}`))
  }
})

it('says that a right is missing, not that the file is wrong, when the history takes no row', async () => {
  const db = await testDatabase()
  const role = `${db.address.database}_newcomer`
  await onServer((sql) => sql.unsafe(`create role ${role} login password 'comes'`))
  try {
    const pack = await testPack({ '0001_pet.up.sql': 'select 1;', '0002_toy.up.sql': 'select 2;' })
    await migrateUp(db, pack, { to: 1 }, context)
    await db.sql.unsafe(`grant usage on schema obs to ${role}; grant select on obs.migration_history to ${role}`)
    const { Secret } = await import('../../src/secret.js')
    const run = withDatabase({ ...db.address, user: role, password: new Secret('comes') }, context, (newcomer) =>
      migrateUp(newcomer, pack, {}, context),
    )
    await expect(run).rejects.toMatchObject({
      migration: '0002_toy',
      failure: { sqlState: '42501' },
      hint: expect.stringContaining('Grant the right'),
    })
    expect(await states(db, pack)).toEqual(['1 applied', '2 pending'])
  } finally {
    await db.sql.unsafe(`drop owned by ${role}`)
    await onServer((sql) => sql.unsafe(`drop role ${role}`))
  }
})

it('rolls the running migration back when it is interrupted, and says what stayed', async () => {
  const db = await testDatabase()
  const pack = await testPack({
    '0001_pet.up.sql': 'create table pet ();',
    '0002_slow.up.sql': 'create table half (); select pg_sleep(60);',
  })
  const interruption = new AbortController()
  const steps: string[] = []
  const interruptible: RunContext = {
    signal: interruption.signal,
    progress: { ...context.progress, step: (text) => void steps.push(text) },
  }
  const run = withDatabase(db.address, interruptible, (mine) => migrateUp(mine, pack, {}, interruptible))
  const outcome = run.catch((thrown: unknown) => thrown)
  await vi.waitFor(async () => {
    const [row] = await db.sql`select from pg_stat_activity where query like '%pg_sleep(60)%' and wait_event = 'PgSleep'
      and datname = current_database()`
    expect(row).toBeDefined()
  }, 20_000)
  interruption.abort()
  const error = await outcome
  expect(error).toMatchObject({ code: 'interrupted', exitCode: 130 })
  expect((error as Error).message).toContain('0001_pet stayed applied')
  expect((error as Error).message).toContain('the database is at version 1; 0002_slow was rolled back')
  expect(await tables(db)).toEqual(['pet'])
  await addFiles(pack, { '0002_slow.up.sql': 'create table whole ();' })
  await migrateUp(db, pack, {}, context)
  expect(await tables(db)).toEqual(['pet', 'whole'])
})

it('works beside tables that the role may not touch', async () => {
  const db = await testDatabase()
  const role = `${db.address.database}_maker`
  await onServer((sql) => sql.unsafe(`create role ${role} login password 'makes'`))
  try {
    await db.sql.unsafe(`
      grant create on database ${db.address.database} to ${role}; grant create on schema public to ${role};
      create table secret as select 1 as id; create table shown as select 1 as id; grant select on shown to ${role}`)
    const { Secret } = await import('../../src/secret.js')
    const pack = await testPack(petFiles)
    const backup = vi.fn(async () => null)
    await withDatabase({ ...db.address, user: role, password: new Secret('makes') }, context, (maker) =>
      migrateUp(maker, pack, { backup }, context),
    )
    expect(backup).toHaveBeenCalledTimes(1)
    expect(await tables(db)).toEqual(['pet', 'secret', 'shown', 'toy'])
  } finally {
    await db.sql.unsafe(`drop owned by ${role}`)
    await onServer((sql) => sql.unsafe(`drop role ${role}`))
  }
})
