import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { quietContext, type RunContext } from '../../src/context.js'
import { type Sql, withDatabase, withSession } from '../../src/database/connect.js'
import { resetServer, startServer, stopServer } from '../../src/database/embedded/server.js'
import { listRuns } from '../../src/generators/list-runs.js'
import { addTraces, addWorkspace, installObservability } from '../support/observability.js'
import { noSmallDisk, smallDisk } from '../support/small-disk.js'
import { contents, count, resumeSmall, seedSmall, small, templates, workspace } from './seeding.js'

let databases: Awaited<ReturnType<typeof templates>>
beforeAll(async () => {
  databases = await templates()
})
afterAll(() => databases?.drop())

const resumeHint = expect.stringMatching(/obs seed --resume.*obs seed remove/)

it('keeps what is loaded when the disk is full, and ends as an undisturbed run once there is room', {
  timeout: 120_000,
}, async ({ skip }) => {
  const database = await databases.migrated()
  const disk = await smallDisk(database, 4)
  if (!disk) console.log(`skipped: ${noSmallDisk}`)
  skip(!disk, noSmallDisk)
  const { sql, address } = database
  const space = `seed_${address.database}`
  await sql.unsafe(`create tablespace ${space} location '${disk?.folder}'`)
  onTestFinished(() =>
    withDatabase(address, quietContext(), async (own) => void (await dropSpace(own.sql, address.database, space))),
  )
  await sql.unsafe(`alter database ${address.database} set default_tablespace to ${space}`)
  const before = await contents(sql)
  const options = { scale: 0.1 }
  const run = withDatabase(address, quietContext(), (own) => seedSmall(own, options))
  await expect(run).rejects.toMatchObject({
    ...{ code: 'seed_failed', exitCode: 1, details: { sqlstate: '53100' }, hint: resumeHint },
    message: expect.stringContaining('is not finished'),
  })
  expect(await contents(sql)).toEqual(before)
  expect(await withSession(sql, listRuns)).toMatchObject([{ state: 'unfinished' }])

  await disk?.resize(400)
  const result = await withDatabase(address, quietContext(), (own) => resumeSmall(own))
  expect(result).toMatchObject({ resumed: true, proof: { verified: true } })
  const undisturbed = await databases.migrated()
  await seedSmall(undisturbed, options)
  expect(await contents(sql)).toEqual(await contents(undisturbed.sql))
})

/** What lies there is moved away first; the database is dropped only behind the test. */
async function dropSpace(sql: Sql, database: string, space: string): Promise<void> {
  await sql.unsafe(`alter database ${database} reset default_tablespace`)
  await sql.unsafe(`alter table all in tablespace ${space} set tablespace pg_default`)
  await sql.unsafe(`alter index all in tablespace ${space} set tablespace pg_default`)
  await sql.unsafe(`drop tablespace ${space}`)
}

it('goes on after the server was restarted in the middle of it', { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'obs-restart-'))
  await chmod(folder, 0o711)
  onTestFinished(async () => {
    await resetServer(folder, quietContext())
    await rm(folder, { recursive: true, force: true })
  })
  const address = await startServer(folder, quietContext())
  await withDatabase(address, quietContext(), ({ sql }) => installObservability(sql))
  let stopped: Promise<unknown> | undefined
  const { progress, ...quiet } = quietContext()
  const advance = (rows: number) => {
    if (rows > 0 && !stopped) stopped = stopServer(folder, quietContext())
  }
  const context: RunContext = { ...quiet, progress: { ...progress, advance } }
  const run = withDatabase(address, context, (own) => seedSmall(own, { scale: 0.3 }, context))
  await expect(run).rejects.toMatchObject({ code: 'connection_lost', exitCode: 3, hint: resumeHint })
  await stopped

  const again = await startServer(folder, quietContext())
  await withDatabase(again, quietContext(), async (own) => {
    expect(await count(own.sql, 'traces')).toBe(0)
    expect(await withSession(own.sql, listRuns)).toMatchObject([{ state: 'unfinished' }])
    await expect(seedSmall(own)).rejects.toMatchObject({ code: 'unfinished_run', hint: resumeHint })
    await expect(resumeSmall(own)).resolves.toMatchObject({ resumed: true, proof: { verified: true } })
    const undisturbed = await databases.migrated()
    await seedSmall(undisturbed, { scale: 0.3 })
    expect(await contents(own.sql)).toEqual(await contents(undisturbed.sql))
  })
})

describe('applications that write meanwhile', () => {
  it('lose nothing, whatever month they write in, and the run is whole', { timeout: 120_000 }, async () => {
    const database = await databases.migrated()
    const { sql } = database
    await addWorkspace(sql, workspace, 'demo')
    let isOver = false
    const write = async (writer: number) => {
      let written = 0
      while (!isOver) {
        const day = String(1 + (written % 28)).padStart(2, '0')
        const month = ['09', '10', '11'][written % 3]
        await addTraces(sql, [{ timestamp: `2026-${month}-${day}T10:00:00Z` }], `own-${writer}-${written}`)
        written++
      }
      return written
    }
    const writers = [write(1), write(2)]
    const run = await seedSmall(database, { workspace, scale: 0.2 }).finally(() => {
      isOver = true
    })
    const written = (await Promise.all(writers)).reduce((sum, rows) => sum + rows, 0)
    expect(written).toBeGreaterThan(20)
    expect(await count(sql, `traces where trace_id like 'own-%'`)).toBe(written)
    expect(await count(sql, `traces where metadata->>'obs_run' = '${run.run_id}'`)).toBe(run.tables['traces']?.rows)
    expect(await count(sql, 'traces')).toBe(written + (run.tables['traces']?.rows ?? 0))
    await sql`select traces_refresh_rollups()`
    const [sums] = await sql`select sum(trace_count)::int8 as traces from traces_hourly`
    expect(sums).toEqual({ traces: await count(sql, 'traces') })
  })

  it('may write into a month that is about to get its partition, in the very last moment', {
    timeout: 60_000,
  }, async () => {
    const database = await databases.migrated()
    const { sql } = database
    await addWorkspace(sql, workspace, 'demo')
    // The run waits for the lock behind the moment in which it decides which months it makes partitions of.
    await sql.unsafe(`
      create function hold() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock(4242); return null; end $$;
      create trigger hold before insert on evaluations execute function hold()`)
    const run = await withSession(sql, async (holder) => {
      await holder`select pg_advisory_lock(4242)`
      const seeding = withDatabase(database.address, quietContext(), (own) => seedSmall(own, { ...small, workspace }))
      const isWaiting = async () =>
        expect(await count(sql, `pg_locks where locktype = 'advisory' and objid = 4242 and not granted`)).toBe(1)
      await vi.waitFor(isWaiting, { timeout: 30_000, interval: 20 })
      await addTraces(sql, [{ timestamp: '2026-11-03T10:00:00Z' }], 'own')
      await holder`select pg_advisory_unlock(4242)`
      return seeding
    })
    expect(await count(sql, 'traces')).toBe(1 + (run.tables['traces']?.rows ?? 0))
    expect(await count(sql, 'traces_default')).toBe(0)
    await sql.unsafe('drop function hold() cascade')
    const undisturbed = await databases.migrated()
    await addWorkspace(undisturbed.sql, workspace, 'demo')
    await seedSmall(undisturbed, { ...small, workspace })
    const rows = `select trace_id, timestamp, cost_usd, metadata from traces where metadata ? 'obs_run'`
    const [hash] = await undisturbed.sql.unsafe(hashOf(rows))
    expect(await sql.unsafe(hashOf(rows))).toEqual([hash])
  })
})

function hashOf(query: string): string {
  return `select md5(string_agg(md5(r::text), '' order by r::text)) as hash from (${query}) r`
}
