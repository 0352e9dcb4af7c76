import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { verifyBackup } from '../../src/backup/verify-backup.js'
import { quietContext, type RunContext } from '../../src/context.js'
import { withDatabaseName } from '../../src/database/address.js'
import { backupDirectory, fingerprints, inDatabase } from '../support/backups.js'
import { type OwnServer, openOwnServer, ownDatabase } from '../support/own-server.js'

let server: OwnServer

beforeAll(async () => {
  server = await openOwnServer()
})
afterAll(() => server.close())

/** Larger than what the driver and the sockets buffer, in several tables. */
const bulky = [1, 2, 3]
  .map(
    (n) => `
      create table bulky${n} (id int primary key, noise text);
      insert into bulky${n} select g, (select string_agg(md5(random()::text || g || h), '') from generate_series(1, 30) h)
      from generate_series(1, 6000) g;`,
  )
  .join('')

/** How PostgreSQL is told to restart: at once, with a recovery afterwards, or in order. */
const manners = { immediate: 'SIGQUIT', fast: 'SIGINT' } as const
const ways = Object.keys(manners) as (keyof typeof manners)[]

/** A context that stops the server when the first rows have passed, and keeps what was warned of. */
async function stoppingServer(way: keyof typeof manners) {
  const pid = await server.pid()
  const warnings: string[] = []
  let step = ''
  let stopped = false
  const context: RunContext = {
    ...quietContext(),
    progress: {
      step: (text) => {
        step = text
      },
      advance: (_done, _total, unit) => {
        if (stopped || unit !== 'rows' || !/rows$/.test(step)) return
        stopped = true
        process.kill(pid, manners[way])
      },
      warn: (text) => void warnings.push(text),
    },
  }
  return { context, warnings, back: () => server.backAgain(pid), wasStopped: () => stopped }
}

async function databases(): Promise<string[]> {
  const rows = await server.ask((sql) => sql<{ name: string }[]>`select datname as name from pg_database order by 1`)
  return rows.map(({ name }) => name)
}

const unfinished = async () => (await databases()).filter((name) => name.startsWith('obs_restore_'))
const rowsIn = (address: OwnServer['address']) => inDatabase(address, ({ sql }) => fingerprints(sql))

describe('a restart of the server', () => {
  it.each(ways)('(%s) in the middle of a backup is said, leaves no file, and the next backup is whole', async (way) => {
    const source = await ownDatabase(server, `dumped_${way}`, bulky)
    const directory = await backupDirectory()
    const create = (context: RunContext) =>
      inDatabase(source, (database) => createBackup(database, { directory, engine: 'built-in' }, context))
    const { context, back, wasStopped } = await stoppingServer(way)
    await expect(create(context)).rejects.toMatchObject({
      code: 'connection_lost',
      exitCode: 3,
      message: expect.stringMatching(/^the connection to .* was lost$/),
      hint: 'Check the server and take the backup again; nothing was left behind.',
    })
    expect(wasStopped()).toBe(true)
    expect(await readdir(directory)).toEqual([])
    await back()
    const backup = await create(quietContext())
    expect(backup.manifest.rows).toBe(18_000)
    expect(await verifyBackup(directory, backup.id)).toMatchObject({ verified: true })
  })

  it('in the middle of a restore is said, makes no database of the name, and the next restore is whole', async () => {
    const source = await ownDatabase(server, 'origin', bulky)
    const directory = await backupDirectory()
    await inDatabase(source, (database) => createBackup(database, { directory, engine: 'built-in' }, quietContext()))
    const expected = await rowsIn(source)
    const to = withDatabaseName(source, 'target')
    const restore = (context: RunContext) => restoreBackup({ directory, id: 'latest', to }, context)

    const { context, warnings, back, wasStopped } = await stoppingServer('immediate')
    await expect(restore(context)).rejects.toMatchObject({
      code: 'connection_lost',
      exitCode: 3,
      hint: expect.stringMatching(/^Check the server and restore again; /),
    })
    expect(wasStopped()).toBe(true)
    await back()
    expect(await databases()).not.toContain(to.database)
    // What could not be dropped without a server was named.
    for (const name of await unfinished()) expect(warnings.join('\n')).toContain(`drop database ${name}`)

    expect(await restore(quietContext())).toMatchObject({ database: to.database, rows: 18_000 })
    expect(await unfinished()).toEqual([])
    expect(await rowsIn(to)).toEqual(expected)
    await server.ask((sql) => sql.unsafe(`drop database ${to.database}`))
  })

  it('in the middle of a restore leaves an empty database empty, and one that is replaced as it was', async () => {
    const source = await ownDatabase(server, 'first', bulky)
    const directory = await backupDirectory()
    await inDatabase(source, (database) => createBackup(database, { directory, engine: 'built-in' }, quietContext()))
    const empty = await ownDatabase(server, 'empty')
    const live = await ownDatabase(server, 'live', 'create table pet (id int); insert into pet values (1)')
    const before = await rowsIn(live)
    const warned: string[] = []
    for (const to of [empty, live]) {
      const { context, warnings, back, wasStopped } = await stoppingServer('fast')
      const options = { directory, id: 'latest', to, replace: async () => undefined }
      await expect(restoreBackup(options, context)).rejects.toMatchObject({ code: 'connection_lost', exitCode: 3 })
      expect(wasStopped()).toBe(true)
      await back()
      warned.push(...warnings)
    }
    expect(await rowsIn(empty)).toEqual({})
    expect(await rowsIn(live)).toEqual(before)
    expect((await databases()).filter((name) => name.includes('_replaced_'))).toEqual([])
    for (const name of await unfinished()) expect(warned.join('\n')).toContain(`drop database ${name}`)

    expect(await restoreBackup({ directory, id: 'latest', to: empty }, quietContext())).toMatchObject({ rows: 18_000 })
    expect(await rowsIn(empty)).toEqual(await rowsIn(source))
  })
})
