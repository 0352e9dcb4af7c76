import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { listBackups } from '../../src/backup/list-backups.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { quietContext, type RunContext } from '../../src/context.js'
import { withDatabase, withSession } from '../../src/database/connect.js'
import { Secret } from '../../src/secret.js'
import { backupDirectory, freshAddress, inDatabase } from '../support/backups.js'
import { obs } from '../support/cli.js'
import { onServer, serverAddress, type TestDatabase, testDatabase } from '../support/database.js'

const run = promisify(execFile)
const builtIn = 'built-in' as const

/** A database whose rows cannot be compressed much, larger than what the driver and the sockets buffer. */
async function bulkyDatabase(): Promise<TestDatabase> {
  const database = await testDatabase()
  await database.sql.unsafe(`
    create table bulky (id int primary key, noise text);
    insert into bulky select g, (select string_agg(md5(random()::text || g || h), '') from generate_series(1, 30) h)
    from generate_series(1, 12000) g`)
  return database
}

/** A context whose signal is aborted the first time `moment` is reported. */
function abortedAt(moment: 'rows' | string): RunContext {
  const controller = new AbortController()
  return {
    signal: controller.signal,
    progress: {
      step: (text) => void (text === moment && controller.abort()),
      advance: () => void (moment === 'rows' && controller.abort()),
      warn() {},
    },
  }
}

async function sessionsOf(database: string): Promise<number> {
  const [row] = await onServer(
    (sql) => sql<{ n: number }[]>`
      select count(*) as n from pg_stat_activity where datname = ${database} and application_name like 'obs backup%'`,
  )
  return row?.n ?? 0
}

describe('createBackup', () => {
  it('sees two tables that are written together as they were at one moment', async () => {
    const source = await bulkyDatabase()
    await source.sql.unsafe('create table a_account (id int); create table z_ledger (id int)')
    let writing = true
    const writer = (async () => {
      for (let id = 1; writing; id++) {
        await source.sql`
          with a as (insert into a_account values (${id}) returning id) insert into z_ledger select id from a`
      }
    })()
    const directory = await backupDirectory()
    const backup = await createBackup(source, { directory, engine: builtIn }, quietContext())
    writing = false
    await writer
    const rowsOf = (name: string) => backup.manifest.tables.find((table) => table.name === name)?.rows
    expect(rowsOf('a_account')).toBe(rowsOf('z_ledger'))
    const [now] = await source.sql<{ n: number }[]>`select count(*) as n from a_account`
    expect(now?.n).toBeGreaterThan(rowsOf('a_account') ?? 0)

    const to = freshAddress()
    await restoreBackup({ directory, id: backup.id, to }, quietContext())
    await inDatabase(to, async ({ sql }) => {
      expect(await sql`select id from a_account except select id from z_ledger`).toEqual([])
    })
  })

  it('leaves nothing behind when it is interrupted while it copies rows', async () => {
    const source = await bulkyDatabase()
    const directory = await backupDirectory()
    const run = createBackup(source, { directory, engine: builtIn }, abortedAt('rows'))
    await expect(run).rejects.toMatchObject({ code: 'interrupted', exitCode: 130 })
    expect(await readdir(directory)).toEqual([])
    expect(await sessionsOf(source.address.database)).toBe(0)
  })

  it('leaves nothing behind when it is interrupted while pg_dump runs', async () => {
    const source = await bulkyDatabase()
    const directory = await backupDirectory()
    const run = createBackup(source, { directory, engine: builtIn }, abortedAt('backing up definitions'))
    await expect(run).rejects.toMatchObject({ code: 'interrupted' })
    expect(await readdir(directory)).toEqual([])
  })

  it('removes what it wrote and says so when the disk is full', async ({ skip }) => {
    const directory = await backupDirectory()
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]).then(
      () => true,
      () => false,
    )
    if (!mounted) console.log('skipped: a small file system cannot be mounted by this user')
    skip(!mounted, 'a small file system cannot be mounted by this user')
    onTestFinished(() => run('umount', [directory]).then(() => undefined))
    const source = await testDatabase()
    // As bytea the rows take half of their text, so that the check of the free space lets them pass.
    await source.sql.unsafe(`
      create table noise (bytes bytea);
      alter table noise alter column bytes set storage external;
      insert into noise select decode(string_agg(md5(random()::text || g || h), ''), 'hex')
      from generate_series(1, 1200) g, generate_series(1, 150) h group by g`)
    const result = await obs(['backup', 'create', '--directory', directory, '--engine', 'built-in', '--json'], {
      cwd: directory,
      env: { DATABASE_URL: source.url },
    })
    expect(result.code).toBe(1)
    expect(JSON.parse(result.stdout).error).toMatchObject({
      code: 'disk_full',
      message: `the disk that holds ${directory} is full; the unfinished backup was removed`,
    })
    expect(await readdir(directory)).toEqual([])
    expect(await source.sql`select count(*) as n from noise`).toEqual([{ n: 1200 }])
  })

  it('refuses beforehand when the disk is far too small', async ({ skip }) => {
    const directory = await backupDirectory()
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', directory]).then(
      () => true,
      () => false,
    )
    skip(!mounted, 'a small file system cannot be mounted by this user')
    onTestFinished(() => run('umount', [directory]).then(() => undefined))
    const source = await bulkyDatabase()
    await expect(createBackup(source, { directory, engine: builtIn }, quietContext())).rejects.toMatchObject({
      code: 'disk_full',
      exitCode: 1,
      details: { directory, free_bytes: 256 * 1024 },
    })
    expect(await readdir(directory)).toEqual([])
  })

  it('leaves only a partial folder when it is killed, which the next run removes', async () => {
    const source = await testDatabase()
    const directory = await backupDirectory()
    await source.sql`create sequence counter`
    await withSession(source.sql, async (session) => {
      // Makes the backup wait in the middle: where the sequence stands cannot be read.
      await session.unsafe('begin; drop sequence counter')
      const killed = await obs(['backup', 'create', '--directory', directory, '--engine', 'built-in'], {
        cwd: directory,
        env: { DATABASE_URL: source.url },
        started: (child) => void untilPartial(directory).then(() => child.kill('SIGKILL')),
      })
      expect(killed.code).toBeNull()
      await session`rollback`
    })
    expect(await listBackups(directory)).toMatchObject([{ id: expect.stringMatching(/\.partial$/), state: 'partial' }])
    const backup = await createBackup(source, { directory, engine: builtIn }, quietContext())
    expect(await listBackups(directory)).toMatchObject([{ id: backup.id, state: 'complete' }])
  })

  it('leaves the partial folder of a live run and of another host alone', async () => {
    const source = await testDatabase()
    const directory = await backupDirectory()
    const owners = { '20260101T000000Z-alive': hostname(), '20260101T000001Z-elsewhere': 'another-host' }
    for (const [id, host] of Object.entries(owners)) {
      await mkdir(join(directory, `${id}.partial`))
      const owner = { pid: process.pid, host, started_at: '2026-01-01T00:00:00Z' }
      await writeFile(join(directory, `${id}.partial`, 'owner.json'), JSON.stringify(owner))
    }
    const backup = await createBackup(source, { directory, engine: builtIn }, quietContext())
    expect(await listBackups(directory)).toMatchObject([
      { id: backup.id, state: 'complete' },
      { id: '20260101T000001Z-elsewhere.partial', state: 'partial' },
      { id: '20260101T000000Z-alive.partial', state: 'writing' },
    ])
  })

  it('gives two backups that begin in the same second different names', async () => {
    const source = await testDatabase()
    const directory = await backupDirectory()
    const create = () => createBackup(source, { directory, engine: builtIn }, quietContext())
    const backups = await Promise.all([create(), create(), create()])
    expect(new Set(backups.map(({ id }) => id)).size).toBe(3)
    expect(await listBackups(directory)).toHaveLength(3)
  })

  it('names what the built-in engine would lose, and writes nothing', async () => {
    const source = await testDatabase()
    const role = `obs_test_plain_${source.address.database.slice(-12)}`
    onTestFinished(async () => {
      await source.sql`alter subscription news set (slot_name = none)`
      await source.sql`drop subscription news`
      await onServer((sql) => sql.unsafe(`drop role if exists ${role}`))
    })
    await source.sql.unsafe(`create subscription news connection 'host=nowhere' publication p with (connect = false)`)
    await source.sql.unsafe(`create role ${role} login password 'plain'`)
    const asPlainRole = { ...source.address, user: role, password: new Secret('plain') }
    const directory = await backupDirectory()
    await withDatabase(asPlainRole, quietContext(), async (database) => {
      await expect(createBackup(database, { directory, engine: builtIn }, quietContext())).rejects.toMatchObject({
        code: 'cannot_copy',
        details: { losses: ['the subscription news, which only a superuser may read'] },
      })
    })
    expect(await readdir(directory)).toEqual([])
  })

  it('refuses to copy only the rows that row security shows', async () => {
    const source = await testDatabase()
    const role = `obs_test_reader_${source.address.database.slice(-12)}`
    onTestFinished(async () => {
      await onServer((sql) => sql.unsafe(`drop role if exists ${role}`))
    })
    await source.sql.unsafe(`
      create table secret (id int);
      insert into secret values (1), (2);
      alter table secret enable row level security;
      create policy half on secret using (id = 1);
      create role ${role} login password 'reader';
      grant select on secret to ${role}`)
    const asReader = { ...source.address, user: role, password: new Secret('reader') }
    const directory = await backupDirectory()
    await withDatabase(asReader, quietContext(), async (database) => {
      await expect(createBackup(database, { directory, engine: builtIn }, quietContext())).rejects.toThrow(
        /row-level security policy for table "secret"/,
      )
    })
    expect(await readdir(directory)).toEqual([])
    await source.sql.unsafe(`drop owned by ${role}`)
  })

  it('demands a native pg_dump that is new enough, and writes nothing without', async () => {
    const source = await testDatabase()
    const directory = await backupDirectory()
    const old = join(directory, 'pg_dump')
    await writeFile(old, '#!/bin/sh\necho "pg_dump (PostgreSQL) 9.6.24"\n')
    await chmod(old, 0o755)
    const backups = join(directory, 'backups')
    const options = { directory: backups, engine: 'native', pgDump: old } as const
    await expect(createBackup(source, options, quietContext())).rejects.toMatchObject({
      code: 'engine_unavailable',
      exitCode: 2,
      message: expect.stringMatching(
        /^--engine native: pg_dump 9\.6\.24 \(.*\) is older than the server, PostgreSQL \d+$/,
      ),
    })
    const missing = { ...options, pgDump: join(directory, 'nothing') }
    await expect(createBackup(source, missing, quietContext())).rejects.toMatchObject({
      code: 'invalid_pg_dump',
      exitCode: 2,
    })
    expect(await readdir(directory)).toEqual(['pg_dump'])
  })

  it('says that a file is in the way of the backup folder', async () => {
    const source = await testDatabase()
    const directory = join(await backupDirectory(), 'file')
    await writeFile(directory, '')
    await expect(createBackup(source, { directory, engine: builtIn }, quietContext())).rejects.toMatchObject({
      code: 'cannot_write_backup',
      details: { reason: 'EEXIST' },
    })
  })

  it('keeps odd database names out of the file system', async () => {
    const name = `../O'dd "x" ü/${serverAddress().port}`
    const address = freshAddress(name)
    await onServer((sql) => sql.unsafe(`create database "${name.replaceAll('"', '""')}"`))
    const directory = await backupDirectory()
    const backup = await inDatabase(address, (database) =>
      createBackup(database, { directory, engine: builtIn }, quietContext()),
    )
    expect(backup.id).toMatch(/^\d{8}T\d{6}Z-_O_dd_x_+\d+$/)
    expect(backup.manifest.database.name).toBe(name)
    expect(await readdir(directory)).toEqual([backup.id])
  })
})

/** Resolves once a run has begun to write in `directory`. */
async function untilPartial(directory: string): Promise<void> {
  while (!(await readdir(directory, { recursive: true })).some((name) => name.endsWith('owner.json'))) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
