import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { quietContext } from '../../src/context.js'
import type { ServerAddress } from '../../src/database/address.js'
import { type Database, withDatabase } from '../../src/database/connect.js'
import { resetServer, startServer } from '../../src/database/embedded/server.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import type { Pack } from '../../src/packs.js'
import { testDatabase } from '../support/database.js'
import { addFiles, testPack } from '../support/packs.js'
import { noSmallDisk, smallDisk } from '../support/small-disk.js'

const context = quietContext()
const unsafe = { preserve: 'off' } as const

async function states(db: Database, pack: Pack): Promise<string[]> {
  return (await migrationStatus(db, pack)).migrations.map((one) => `${one.version} ${one.state}`)
}

/** A way to the server that is cut a moment after the client has sent `words`. */
async function frailWay(address: ServerAddress, words: string): Promise<ServerAddress> {
  const server = createServer((client) => {
    const backend = connect(address.port, address.host)
    const cut = () => {
      client.destroy()
      backend.destroy()
    }
    for (const socket of [client, backend]) socket.on('error', cut).on('close', cut)
    backend.on('data', (chunk) => client.write(chunk))
    client.on('data', (chunk) => {
      backend.write(chunk)
      if (chunk.toString('latin1').includes(words)) setTimeout(cut, 100)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the proxy listens on no port')
  return { ...address, host: '127.0.0.1', port: bound.port, sslMode: 'disable' }
}

describe('a network that drops the connection', () => {
  it('undoes a migration in a transaction', async () => {
    const db = await testDatabase()
    const pack = await testPack({ '0001_x.up.sql': 'create table one ();\nselect pg_sleep(30);' })
    const way = await frailWay(db.address, 'pg_sleep')
    const failed = withDatabase(way, context, (mine) => migrateUp(mine, pack, unsafe, context))
    await expect(failed).rejects.toMatchObject({
      code: 'migration_failed',
      message: expect.stringContaining('was lost'),
    })
    await addFiles(pack, { '0001_x.up.sql': 'create table two ();' })
    await migrateUp(db, pack, {}, context)
    expect(await db.sql`select to_regclass('one') as one, to_regclass('two')::text as two`).toEqual([
      { one: null, two: 'two' },
    ])
  })

  it('is recovered from outside of one', async () => {
    const db = await testDatabase()
    await db.sql`create table pet as select i as id from generate_series(1, 300000) as i`
    const pack = await testPack({
      '0001_x.up.sql':
        '-- obs: no-transaction\ncreate table one ();\ncreate index concurrently idx_pet on pet (id);\ncreate table two ();',
    })
    const way = await frailWay(db.address, 'create index concurrently')
    await expect(withDatabase(way, context, (mine) => migrateUp(mine, pack, unsafe, context))).rejects.toThrow()
    expect(await states(db, pack)).toEqual(['1 dirty'])
    await migrateUp(db, pack, unsafe, context)
    expect(await states(db, pack)).toEqual(['1 applied'])
    expect(
      await db.sql`select relname from pg_class c join pg_index i on i.indexrelid = c.oid where indrelid = 'pet'::regclass and indisvalid`,
    ).toEqual([{ relname: 'idx_pet' }])
    expect(await db.sql`select to_regclass('two')::text as two`).toEqual([{ two: 'two' }])
  })
})

describe('a server that stops in the middle', () => {
  it('comes back with every migration applied or not, and the next up ends where the first was going', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'obs-stop-'))
    await chmod(folder, 0o711)
    onTestFinished(async () => {
      await resetServer(folder, context)
      await rm(folder, { recursive: true, force: true })
    })
    const pack = await testPack({
      '0001_pet.up.sql': 'create table pet (id int); insert into pet values (1);',
      '0002_slow.up.sql': 'create table slow ();\nselect pg_sleep(30);',
    })
    const first = await startServer(folder, context)
    const failed = withDatabase(first, context, (mine) => migrateUp(mine, pack, unsafe, context)).catch(
      (error) => error,
    )
    await withDatabase(first, context, ({ sql }) => stopInTheMiddle(sql))
    expect(await failed).toMatchObject({ code: 'migration_failed', done: ['0001_pet'] })
    await addFiles(pack, { '0002_slow.up.sql': 'create table quick ();' })
    await withDatabase(await startServer(folder, context), context, async (again) => {
      expect(await states(again, pack)).toEqual(['1 applied', '2 pending'])
      expect(await again.sql`select to_regclass('slow') as slow`).toEqual([{ slow: null }])
      await migrateUp(again, pack, unsafe, context)
      expect(await states(again, pack)).toEqual(['1 applied', '2 applied'])
    })
  })
})

/** Makes the server drop everything, as in a power cut, once the migration sleeps in it. */
async function stopInTheMiddle(sql: Database['sql']): Promise<void> {
  const [file] = await sql<{ text: string }[]>`select pg_read_file('postmaster.pid') as text`
  await vi.waitFor(
    async () => expect(await sql`select from pg_stat_activity where wait_event = 'PgSleep'`).toHaveLength(1),
    { timeout: 20_000, interval: 50 },
  )
  process.kill(Number(file?.text.split('\n')[0]), 'SIGQUIT')
}

describe('a full disk', () => {
  it('fails the migration, which is undone, and leaves no invalid index', async ({ skip }) => {
    const db = await testDatabase()
    const disk = await smallDisk(db, 2)
    if (!disk) console.log(`skipped: ${noSmallDisk}`)
    skip(!disk, noSmallDisk)
    const space = `small_${db.address.database}`
    await db.sql.unsafe(`create tablespace ${space} location '${disk?.folder}'`)
    onTestFinished(() => withDatabase(db.address, context, async ({ sql }) => void (await dropSpace(sql, space))))
    await db.sql`create table pet as select i as id, repeat(md5(i::text), 4) as text from generate_series(1, 40000) as i`
    const pack = await testPack({
      '0001_big.up.sql': `create table before ();\ncreate table big tablespace ${space} as select * from pet;`,
    })
    const full = { code: 'migration_failed', exitCode: 1, failure: { sqlState: '53100' } }
    await expect(migrateUp(db, pack, unsafe, context)).rejects.toMatchObject(full)
    expect(await states(db, pack)).toEqual(['1 pending'])
    expect(await db.sql`select to_regclass('before') as before`).toEqual([{ before: null }])
    await addFiles(pack, {
      '0001_big.up.sql': `-- obs: no-transaction\ncreate index concurrently idx_pet on pet (text) tablespace ${space};`,
    })
    await expect(migrateUp(db, pack, unsafe, context)).rejects.toMatchObject(full)
    expect(await db.sql`select to_regclass('idx_pet') as index`).toEqual([{ index: null }])
    await addFiles(pack, {
      '0001_big.up.sql': `-- obs: no-transaction\ncreate index concurrently idx_pet on pet (id);`,
    })
    await migrateUp(db, pack, unsafe, context)
    expect(await states(db, pack)).toEqual(['1 applied'])
  })
})

async function dropSpace(sql: Database['sql'], space: string): Promise<void> {
  await sql.unsafe(`drop tablespace if exists ${space}`)
}
