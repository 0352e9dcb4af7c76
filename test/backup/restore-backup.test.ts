import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type BackupResult, createBackup } from '../../src/backup/create-backup.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { quietContext, type RunContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import { withDatabase } from '../../src/database/connect.js'
import { Secret } from '../../src/secret.js'
import {
  backupDirectory,
  databaseNames,
  expectNothingRestored,
  fingerprints,
  freshAddress,
  inDatabase,
  warnedOf,
} from '../support/backups.js'
import { onServer, openTestDatabase, testDatabase } from '../support/database.js'

const run = promisify(execFile)
const role = `obs_test_owner_${process.pid}`
let source: Awaited<ReturnType<typeof openTestDatabase>>

beforeAll(async () => {
  source = await openTestDatabase()
  await source.sql.unsafe(`
    create schema obs;
    create table obs.migration_history (
      id bigint generated always as identity primary key, pack text, version bigint, direction text, state text,
      in_transaction boolean, obs_version text, checksum text);
    insert into obs.migration_history (pack, version, direction, state) values
      ('observability', 1, 'up', 'applied'), ('observability', 2, 'up', 'applied'), ('observability', 10, 'up', 'applied'),
      ('observability', 10, 'down', 'applied'), ('app', 7, 'up', 'failed'), ('app', 6, 'up', 'applied');
    create table "Pet;s" (id bigserial primary key, name varchar(20) check (name in ('cat', 'dog', 'the "ant"')));
    insert into "Pet;s" (name) select (array['cat', 'dog', 'the "ant"'])[1 + g % 3] from generate_series(1, 5000) g;
    create index on "Pet;s" (name)`)
  shared = await backUp(await mkdtemp(join(tmpdir(), 'obs-backups-')))
})
afterAll(async () => {
  await source.close()
  await rm(shared.directory, { recursive: true, force: true })
})

interface BackedUp {
  readonly directory: string
  readonly backup: BackupResult
}

/** One backup of the source as it is at first, for the tests that only restore. */
let shared: BackedUp

async function backUp(directory: string): Promise<BackedUp> {
  return { directory, backup: await createBackup(source, { directory, engine: 'built-in' }, quietContext()) }
}

/** Drops the role when the test is over, after what it owns. */
async function withRole(): Promise<void> {
  await onServer((sql) => sql.unsafe(`create role ${role} login password 'owner' createdb`))
  onTestFinished(async () => {
    await source.sql.unsafe(`reassign owned by ${role} to current_user; drop owned by ${role}`)
    await onServer((sql) => sql.unsafe(`drop owned by ${role}; drop role ${role}`))
  })
}

function abortedAt(step: string): RunContext {
  const controller = new AbortController()
  const { progress } = quietContext()
  return {
    signal: controller.signal,
    progress: { ...progress, step: (text) => void (text === step && controller.abort()) },
  }
}

describe('restoreBackup', () => {
  it('keeps the history of migrations, and the manifest knows where every pack stands', async () => {
    const { directory, backup } = shared
    expect(backup.manifest.migrations).toEqual({ observability: '2', app: '6' })
    const to = freshAddress()
    await restoreBackup({ directory, id: backup.id, to }, quietContext())
    await inDatabase(to, async ({ sql }) => {
      expect(await sql`select * from obs.migration_history order by id`).toEqual(
        await source.sql`select * from obs.migration_history order by id`,
      )
    })
  })

  it('lets a sequence go on where it stood', async () => {
    const { directory, backup } = shared
    const to = freshAddress()
    await restoreBackup({ directory, id: backup.id, to }, quietContext())
    await inDatabase(to, async ({ sql }) => {
      expect(await sql`insert into "Pet;s" (name) values ('cat') returning id`).toEqual([{ id: 5001 }])
    })
  })

  it('accepts a check that PostgreSQL prints in other words after reading its own', async () => {
    const { directory, backup } = shared
    const to = freshAddress()
    const { context, warnings } = warnedOf()
    await restoreBackup({ directory, id: backup.id, to }, context)
    expect(warnings).toEqual([])
    await inDatabase(to, async ({ sql }) => {
      await expect(sql`insert into "Pet;s" (name) values ('cow')`).rejects.toMatchObject({ code: '23514' })
    })
  })

  it('refuses a database that holds anything, and leaves it as it is', async () => {
    const { directory, backup } = shared
    const target = await testDatabase()
    await target.sql.unsafe(
      'create table mine (id int); insert into mine values (1); create function f() returns int language sql as $$ select 1 $$',
    )
    const before = await readCatalog(target.sql, ['public', 'obs'])
    await expect(restoreBackup({ directory, id: backup.id, to: target.address }, quietContext())).rejects.toMatchObject(
      {
        code: 'target_not_empty',
        exitCode: 2,
        details: { contents: ['f()', 'public.mine'] },
      },
    )
    expect(await readCatalog(target.sql, ['public', 'obs'])).toEqual(before)
    expect(await target.sql`select * from mine`).toEqual([{ id: 1 }])
  })

  it('comes into an empty database once, and does nothing to what it brought back when it is asked again', async () => {
    const { directory, backup } = shared
    const target = await testDatabase()
    const restore = () => restoreBackup({ directory, id: backup.id, to: target.address }, quietContext())
    expect(await restore()).toMatchObject({ database: target.address.database, kept: null })
    const restored = await fingerprints(target.sql)
    expect(restored).toEqual(await fingerprints(source.sql))
    await target.sql`insert into "Pet;s" (name) values ('cat')`
    const changed = await fingerprints(target.sql)
    await expect(restore()).rejects.toMatchObject({
      code: 'target_not_empty',
      exitCode: 2,
      hint: expect.stringMatching(/--replace; nothing was changed\.$/),
    })
    expect(await fingerprints(target.sql)).toEqual(changed)
  })

  it('never restores over the database that was backed up', async () => {
    const { directory, backup } = shared
    const before = await fingerprints(source.sql)
    await expect(restoreBackup({ directory, id: backup.id, to: source.address }, quietContext())).rejects.toMatchObject(
      {
        code: 'target_not_empty',
      },
    )
    expect(await fingerprints(source.sql)).toEqual(before)
  })

  it('names the roles that are missing before anything is made, and does without them on request', async () => {
    await withRole()
    await source.sql.unsafe(`alter table "Pet;s" owner to ${role}; grant select on obs.migration_history to ${role}`)
    const { directory, backup } = await backUp(await backupDirectory())
    expect(backup.manifest.roles).toContain(role)
    await source.sql.unsafe(`reassign owned by ${role} to current_user; drop owned by ${role}`)
    await onServer((sql) => sql.unsafe(`alter role ${role} rename to ${role}_gone`))
    onTestFinished(() =>
      onServer((sql) => sql.unsafe(`alter role ${role}_gone rename to ${role}`)).then(() => undefined),
    )

    const to = freshAddress()
    await expect(restoreBackup({ directory, id: backup.id, to }, quietContext())).rejects.toMatchObject({
      code: 'target_lacks',
      exitCode: 2,
      details: { roles: [role], extensions: [] },
    })
    expect(await databaseNames()).not.toContain(to.database)

    await restoreBackup({ directory, id: backup.id, to, noOwner: true }, quietContext())
    await inDatabase(to, async ({ sql }) => {
      expect(await sql`select tableowner from pg_tables where tablename = 'Pet;s'`).toEqual([{ tableowner: to.user }])
    })
  })

  it('leaves an empty target empty when the server refuses a statement', async () => {
    await withRole()
    const { directory, backup } = shared
    const target = await testDatabase()
    await onServer((sql) => sql.unsafe(`alter database ${target.address.database} owner to ${role}`))
    const to = { ...target.address, user: role, password: new Secret('owner') }
    // The role may make tables but not give them to their owner of old.
    await expect(restoreBackup({ directory, id: backup.id, to }, quietContext())).rejects.toMatchObject({
      code: 'restore_failed',
      details: { statement: expect.stringMatching(/^ALTER SCHEMA obs OWNER TO/), sqlstate: '42501' },
    })
    expect(await readCatalog(target.sql, ['public', 'obs'])).toEqual([])
    await restoreBackup({ directory, id: backup.id, to, noOwner: true }, quietContext())
    expect(await fingerprints(target.sql)).toEqual(await fingerprints(source.sql))
    await onServer((sql) => sql.unsafe(`alter database ${target.address.database} owner to current_user`))
    await target.sql.unsafe(`drop owned by ${role}`)
  })

  it.each(['restoring rows', 'restoring indexes and constraints', 'checking what was restored'])(
    'leaves no database behind when it is interrupted at: %s',
    async (step) => {
      const { directory, backup } = shared
      const to = freshAddress()
      await expect(restoreBackup({ directory, id: backup.id, to }, abortedAt(step))).rejects.toMatchObject({
        code: 'interrupted',
        exitCode: 130,
      })
      expect(await databaseNames()).not.toContain(to.database)
      await expectNothingRestored()
    },
  )

  it('leaves an empty target empty when it is interrupted', async () => {
    const { directory, backup } = shared
    const target = await testDatabase()
    const restore = restoreBackup({ directory, id: backup.id, to: target.address }, abortedAt('restoring rows'))
    await expect(restore).rejects.toMatchObject({ code: 'interrupted' })
    await withDatabase(target.address, quietContext(), async ({ sql }) => {
      expect(await readCatalog(sql, ['public', 'obs'])).toEqual([])
    })
  })

  it('says so when it is interrupted behind its commit and the rows stay', async () => {
    const { directory, backup } = shared
    const target = await testDatabase()
    const restore = restoreBackup({ directory, id: backup.id, to: target.address }, abortedAt('updating statistics'))
    await expect(restore).rejects.toMatchObject({
      code: 'interrupted',
      message: expect.stringContaining(`the rows are in "${target.address.database}"`),
      hint: expect.stringMatching(/^Drop that database/),
    })
    await withDatabase(target.address, quietContext(), async ({ sql }) => {
      expect(await sql`select count(*) as n from "Pet;s"`).toEqual([{ n: 5000 }])
    })
  })

  it('makes a database whose name needs quotes', async () => {
    const { directory, backup } = shared
    const to = freshAddress(`odd "name"; ü ${process.pid}`)
    expect(await restoreBackup({ directory, id: backup.id, to }, quietContext())).toMatchObject({
      database: to.database,
    })
    expect(await databaseNames()).toContain(to.database)
  })

  it('can be done by hand with gzip and psql', async ({ skip }) => {
    const tools = await run('psql', ['--version'])
      .then(() => run('gzip', ['--version']))
      .then(
        () => true,
        () => false,
      )
    if (!tools) console.log('skipped: psql or gzip is not on the PATH')
    skip(!tools, 'psql or gzip is not on the PATH')
    const { backup } = shared
    const target = await testDatabase()
    await run('psql', ['--set', 'ON_ERROR_STOP=1', '--single-transaction', '--file', 'restore.sql', target.url], {
      cwd: backup.path,
    })
    expect(await fingerprints(target.sql)).toEqual(await fingerprints(source.sql))
    await run('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: backup.path })
  })
})
