import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { quietContext } from '../../src/context.js'
import { backupDirectory, inDatabase } from '../support/backups.js'
import { type OwnServer, openOwnServer, ownDatabase } from '../support/own-server.js'

let server: OwnServer

beforeAll(async () => {
  server = await openOwnServer()
})
afterAll(() => server.close())

const many = 3000
/** A transaction each: the server has room for one. */
const manyTables = `
  do $$ begin
    for n in 1..${many} loop execute format('create table t%s (n int)', n); commit; end loop;
  end $$`
const tight = { max_locks_per_transaction: 10, max_connections: 20 }
const wide = { max_locks_per_transaction: 1000, max_connections: 20 }

const explanation = {
  code: 'too_many_locks',
  exitCode: 1,
  message: expect.stringMatching(/no room for as many locks/),
  hint: expect.stringMatching(/Raise max_locks_per_transaction \(alter system set .*\) and restart the server/),
}

it('says which setting to raise when there are more tables than locks, and then works', async () => {
  await server.restartWith(tight)
  const source = await ownDatabase(server, 'crowded', manyTables)
  const directory = await backupDirectory()
  const create = () =>
    inDatabase({ ...source, port: server.address.port }, (database) =>
      createBackup(database, { directory, engine: 'built-in' }, quietContext()),
    )
  await expect(create()).rejects.toMatchObject(explanation)
  expect(await readdir(directory)).toEqual([])

  await server.restartWith(wide)
  const backup = await create()
  expect(backup.manifest.tables).toHaveLength(many)

  await server.restartWith(tight)
  const to = await ownDatabase(server, 'emptied')
  await expect(restoreBackup({ directory, id: backup.id, to }, quietContext())).rejects.toMatchObject(explanation)
  const left = await inDatabase(to, ({ sql }) => sql`select from pg_tables where schemaname = 'public'`)
  expect(left).toHaveLength(0)
}, 120_000)
