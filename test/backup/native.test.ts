import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { listBackups } from '../../src/backup/list-backups.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { verifyBackup } from '../../src/backup/verify-backup.js'
import { quietContext } from '../../src/context.js'
import { withSession } from '../../src/database/connect.js'
import {
  backupDirectory,
  clientTools,
  databaseNames,
  expectNothingRestored,
  freshAddress,
  nativeObstacle,
} from '../support/backups.js'
import { obs } from '../support/cli.js'
import { openTestDatabase, testDatabase } from '../support/database.js'

const run = promisify(execFile)
const native = 'native' as const
let source: Awaited<ReturnType<typeof openTestDatabase>>
let obstacle: [boolean, string]

beforeAll(async () => {
  source = await openTestDatabase()
  obstacle = await nativeObstacle(source)
  await source.sql.unsafe(`
    create sequence counter;
    create table bulky (noise text);
    insert into bulky select md5(random()::text || g) from generate_series(1, 60000) g`)
})
afterAll(() => source.close())
beforeEach(({ skip }) => skip(...obstacle))

async function pathOf(name: 'pg_dump' | 'pg_restore'): Promise<string> {
  const named = name === 'pg_dump' ? clientTools().pgDump : clientTools().pgRestore
  return named ?? (await run('sh', ['-c', `command -v ${name}`])).stdout.trim()
}

/** The client programs as options of createBackup. */
const tools = () => {
  const { pgDump } = clientTools()
  return pgDump ? { pgDump } : {}
}

/** A pg_dump that writes down its arguments and environment before it becomes the real one. */
async function watchedPgDump(): Promise<{ path: string; log: string }> {
  const folder = join(await backupDirectory(), 'bin')
  await mkdir(folder)
  const [pgDump, pgRestore] = await Promise.all([pathOf('pg_dump'), pathOf('pg_restore')])
  await symlink(pgRestore, join(folder, 'pg_restore'))
  const log = join(folder, 'log')
  const path = join(folder, 'pg_dump')
  await writeFile(path, `#!/bin/sh\necho "$$ $*" >> ${log}\nenv > ${log}.env\nexec ${pgDump} "$@"\n`)
  await chmod(path, 0o755)
  return { path, log }
}

describe('the native engine', () => {
  it('says which pg_dump it used and keeps the contents of its archive beside it', async () => {
    const directory = await backupDirectory()
    const backup = await createBackup(source, { directory, ...tools() }, quietContext())
    expect(backup).toMatchObject({ engine: 'native', reason: expect.stringMatching(/^pg_dump \d+\.\d+.* can dump/) })
    expect(backup.manifest.tables).toMatchObject([{ name: 'bulky', rows: 60_000, files: [] }])
    expect((await readdir(backup.path)).sort()).toEqual(
      ['SHA256SUMS', 'catalog.json', 'contents.txt', 'database.d', 'database.json', 'manifest.json'].sort(),
    )
    expect(await readFile(join(backup.path, 'contents.txt'), 'utf8')).toContain('TABLE DATA public bulky')
  })

  it('passes the password in the environment and nothing of the connection in the arguments', async () => {
    const { path, log } = await watchedPgDump()
    const directory = await backupDirectory()
    await createBackup(source, { directory, engine: native, pgDump: path }, quietContext())
    const { address } = source
    const args = await readFile(log, 'utf8')
    for (const part of [address.password?.reveal() ?? 'no password', '--username', '--host', address.host]) {
      expect(args).not.toContain(part)
    }
    expect(await readFile(`${log}.env`, 'utf8')).toContain(`PGDATABASE=${address.database}\n`)
  })

  it('leaves no file and no pg_dump behind when it is interrupted', async () => {
    const { path, log } = await watchedPgDump()
    const directory = await backupDirectory()
    const controller = new AbortController()
    await withSession(source.sql, async (session) => {
      // pg_dump waits for this sequence, and so can be interrupted in the middle.
      await session.unsafe('begin; drop sequence counter')
      const options = { directory, engine: native, pgDump: path }
      const backup = createBackup(source, options, { ...quietContext(), signal: controller.signal })
      void until(async () => (await readFile(log, 'utf8')).includes('--snapshot')).then(() => controller.abort())
      await expect(backup).rejects.toMatchObject({ code: 'interrupted' })
      await session`rollback`
    })
    expect(await readdir(directory)).toEqual([])
    const [, pid] = /^(\d+) .*--snapshot/m.exec(await readFile(log, 'utf8')) ?? []
    expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH')
  })

  it('says that pg_dump was killed, and leaves no file behind', async () => {
    const { path, log } = await watchedPgDump()
    const directory = await backupDirectory()
    await withSession(source.sql, async (session) => {
      await session.unsafe('begin; drop sequence counter')
      const backup = createBackup(source, { directory, engine: native, pgDump: path }, quietContext())
      void dumpingPid(log).then((pid) => process.kill(pid, 'SIGKILL'))
      await expect(backup).rejects.toMatchObject({
        code: 'pg_dump_failed',
        exitCode: 1,
        message: expect.stringMatching(/pg_dump was ended by SIGKILL/),
        details: { tool: path, signal: 'SIGKILL' },
      })
      await session`rollback`
    })
    expect(await readdir(directory)).toEqual([])
    const again = await createBackup(source, { directory, engine: native, ...tools() }, quietContext())
    expect(await readdir(directory)).toEqual([again.id])
  })

  it('removes what a killed obs and its pg_dump left behind, with the next backup', async () => {
    const { path, log } = await watchedPgDump()
    const directory = await backupDirectory()
    await withSession(source.sql, async (session) => {
      await session.unsafe('begin; drop sequence counter')
      const args = ['backup', 'create', '--directory', directory, '--engine', native, '--pg-dump', path]
      const killed = await obs(args, {
        cwd: dirname(path),
        env: { DATABASE_URL: source.url },
        started: (child) => void dumpingPid(log).then(() => child.kill('SIGKILL')),
      })
      expect(killed.code).toBeNull()
      expect(await listBackups(directory)).toMatchObject([{ state: 'partial' }])
      const orphans = await sessionsOfPgDump()
      // Waits for the sequence as the first one does, which only ends because it is told to.
      const running = createBackup(source, { directory, engine: native, ...tools() }, quietContext())
      await until(async () => (await sessionsOfPgDump()).every((pid) => !orphans.includes(pid)))
      await session`rollback`
      const backup = await running
      expect(await readdir(directory)).toEqual([backup.id])
      expect(await verifyBackup(directory, backup.id)).toMatchObject({ verified: true })
    })
  })

  it('removes what it wrote when the disk is full', async ({ skip }) => {
    const directory = await backupDirectory()
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]).then(
      () => true,
      () => false,
    )
    skip(!mounted, 'a small file system cannot be mounted by this user')
    onTestFinished(() => run('umount', [directory]).then(() => undefined))
    const dense = await testDatabase()
    // As bytea the rows take half of their text, so that the check of the free space lets them pass.
    await dense.sql.unsafe(`
      create table noise (bytes bytea);
      alter table noise alter column bytes set storage external;
      insert into noise select decode(string_agg(md5(random()::text || g || h), ''), 'hex')
      from generate_series(1, 1200) g, generate_series(1, 150) h group by g`)
    await expect(createBackup(dense, { directory, engine: native, ...tools() }, quietContext())).rejects.toMatchObject({
      code: 'disk_full',
      exitCode: 1,
    })
    expect(await readdir(directory)).toEqual([])
  })

  it('leaves no database behind when pg_restore fails', async () => {
    const directory = await backupDirectory()
    const { id } = await createBackup(source, { directory, engine: native, ...tools() }, quietContext())
    const broken = join(directory, 'pg_restore')
    // Fails once it would touch a database, and works for everything that only reads the archive.
    await writeFile(
      broken,
      `#!/bin/sh\ncase "$*" in *--dbname*) echo boom >&2; exit 1;; esac\nexec ${await pathOf('pg_restore')} "$@"\n`,
    )
    await chmod(broken, 0o755)
    const to = freshAddress()
    await expect(restoreBackup({ directory, id, to, pgRestore: broken }, quietContext())).rejects.toMatchObject({
      message: expect.stringContaining('boom'),
    })
    expect(await databaseNames()).not.toContain(to.database)
    await expectNothingRestored()
  })
})

/** The process that dumps, once it has got as far as the sequence that it has to wait for. */
async function dumpingPid(log: string): Promise<number> {
  await until(async () => {
    const waiting = await source.sql`
      select from pg_stat_activity where application_name like 'obs pg_dump #%' and wait_event_type = 'Lock'`
    return waiting.length > 0
  })
  return Number(/^(\d+) .*--snapshot/m.exec(await readFile(log, 'utf8'))?.[1])
}

async function sessionsOfPgDump(): Promise<number[]> {
  const rows = await source.sql<{ pid: number }[]>`
    select pid from pg_stat_activity where datname = current_database() and application_name like 'obs pg_dump #%'`
  return rows.map(({ pid }) => pid)
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 20))
}
