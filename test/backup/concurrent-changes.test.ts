import { readdir } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { quietContext, type RunContext } from '../../src/context.js'
import { withSession } from '../../src/database/connect.js'
import { backupDirectory, freshAddress, inDatabase } from '../support/backups.js'
import { onServer, type TestDatabase, testDatabase } from '../support/database.js'

const options = async () => ({ directory: await backupDirectory(), engine: 'built-in' as const })

/** A context that calls `then` when the step begins. */
function at(step: string, then: () => void): RunContext {
  const { progress, signal } = quietContext()
  return { signal, progress: { ...progress, step: (text) => void (text === step && then()) } }
}

/** Resolves once somebody waits for a lock in the database. */
async function untilSomebodyWaits({ address }: TestDatabase): Promise<void> {
  for (;;) {
    const [row] = await onServer(
      (sql) => sql<{ n: number }[]>`
        select count(*) as n from pg_locks l join pg_database d on d.oid = l.database
        where not granted and d.datname = ${address.database}`,
    )
    if (row && row.n > 0) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

it('reads a table that somebody waits to alter, and lets them alter it afterwards', async () => {
  const source = await testDatabase()
  await source.sql.unsafe('create table pet (id int primary key); insert into pet select generate_series(1, 500)')
  let altered: Promise<unknown> = Promise.resolve()
  const context = at('backing up definitions', () => {
    altered = source.sql.unsafe('alter table pet add column name text').execute()
  })
  const wanted = await options()
  const backup = await createBackup(source, wanted, context)
  expect(backup.manifest.tables).toMatchObject([{ name: 'pet', rows: 500, columns: ['id'] }])
  await altered
  expect(await source.sql`select count(name) as n from pet`).toEqual([{ n: 0 }])
  const to = freshAddress()
  await restoreBackup({ directory: wanted.directory, id: backup.id, to }, quietContext())
  await inDatabase(to, async ({ sql }) => expect(await sql`select count(*) as n from pet`).toEqual([{ n: 500 }]))
})

it('sees both halves of a transaction that truncates one table and fills another', async () => {
  const source = await testDatabase()
  await source.sql.unsafe('create table emptied (id int); create table filled (id int); insert into emptied values (1)')
  const backup = await withSession(source.sql, async (session) => {
    await session.unsafe('begin; truncate emptied; insert into filled values (1)')
    const running = createBackup(source, await options(), quietContext())
    await untilSomebodyWaits(source)
    await session`commit`
    return running
  })
  const rows = backup.manifest.tables.map((table) => [table.name, table.rows])
  expect(rows).toEqual([
    ['emptied', 0],
    ['filled', 1],
  ])
})

it('goes on without a table that is dropped before it could be held', async () => {
  const source = await testDatabase()
  await source.sql.unsafe('create table stays (id int); create table goes (id int)')
  const backup = await withSession(source.sql, async (session) => {
    await session.unsafe('begin; drop table goes')
    const running = createBackup(source, await options(), quietContext())
    await untilSomebodyWaits(source)
    await session`commit`
    return running
  })
  expect(backup.manifest.tables).toMatchObject([{ name: 'stays' }])
})

it('leaves nothing behind when the server ends its sessions in the middle', async () => {
  const source = await testDatabase()
  await source.sql.unsafe('create sequence counter; create table pet as select generate_series(1, 500) as id')
  const wanted = await options()
  await withSession(source.sql, async (session) => {
    // Makes the backup wait in the middle: where the sequence stands cannot be read.
    await session.unsafe('begin; drop sequence counter')
    const running = createBackup(source, wanted, quietContext())
    const failure = expect(running).rejects.toMatchObject({ code: 'connection_lost', exitCode: 3 })
    await untilSomebodyWaits(source)
    expect(await readdir(wanted.directory)).toEqual([expect.stringMatching(/\.partial$/)])
    await onServer(
      (sql) => sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = ${source.address.database} and application_name like 'obs backup%'`,
    )
    await failure
    await session`rollback`
  })
  expect(await readdir(wanted.directory)).toEqual([])
})
