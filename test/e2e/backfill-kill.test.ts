import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type CliResult, obs } from '../support/cli.js'
import { type TestDatabase, testDatabase } from '../support/database.js'

let cwd: string

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'obs-backfill-'))
  const config = { packs: [{ name: 'pets', migrations: '.', schema: 'public' }] }
  await writeFile(join(cwd, 'obs.config.json'), JSON.stringify(config))
})

afterEach(() => rm(cwd, { recursive: true, force: true }))

async function pets({ sql }: TestDatabase, rows: number): Promise<void> {
  await sql`create table pet (id bigint primary key, n integer not null default 0)`
  await sql`insert into pet (id) select generate_series(1, ${rows})`
}

function migration(directive: string, statement: string): Promise<void> {
  const text = `-- obs: no-transaction\n-- obs: changes pet.n\n-- obs: backfill pet by id ${directive}\n${statement}\n`
  return writeFile(join(cwd, '0001_add.up.sql'), text)
}

function up(database: TestDatabase, started?: (child: ChildProcess) => void): Promise<CliResult> {
  const args = ['migrate', 'up', '--backup', 'none', '--json']
  return obs(args, { cwd, env: { DATABASE_URL: database.url }, ...(started ? { started } : {}) })
}

async function batches({ sql }: TestDatabase): Promise<number> {
  const [there] = await sql`select to_regclass('obs.backfill_progress') is not null as there`
  if (!there?.['there']) return 0
  const [row] = await sql<{ batches: number }[]>`select batches from obs.backfill_progress`
  return row?.batches ?? 0
}

/** How many pets were done how often. */
async function tally({ sql }: TestDatabase): Promise<Record<string, number>> {
  const rows = await sql<{ n: number; pets: number }[]>`select n, count(*)::int as pets from pet group by n`
  return Object.fromEntries(rows.map((row) => [row.n, row.pets]))
}

it('does every row once, though its process is killed twenty times', { timeout: 300_000 }, async () => {
  const database = await testDatabase()
  const rows = 12_000
  await pets(database, rows)
  await migration('batch 20 pause 1ms', 'update pet set n = n + 1 where id > $1 and id <= $2;')
  for (let kill = 0; kill < 20; kill++) {
    const before = await batches(database)
    const run = await up(database, (child) => void killSometime(database, child, before))
    expect(run).toMatchObject({ code: null })
    const [progress] = await database.sql`
      select visited::int as done, (select count(*)::int from pet where n = 1) as pets from obs.backfill_progress`
    expect(progress?.['done']).toBe(progress?.['pets'])
  }
  const last = await up(database)
  expect(last).toMatchObject({ code: 0 })
  expect(await tally(database)).toEqual({ 1: rows })
  const [history] = await database.sql`select count(*)::int as runs from obs.migration_history where state = 'running'`
  expect(history?.['runs']).toBeGreaterThanOrEqual(21)
})

/** Once it has done a batch of its own, at a moment that nobody chose. */
async function killSometime(database: TestDatabase, child: ChildProcess, before: number): Promise<void> {
  while ((await batches(database)) === before && child.exitCode === null) await sleep(5)
  await sleep(Math.random() * 40)
  child.kill('SIGKILL')
}

it('stops after the batch that is running on Ctrl-C, says how far it came, and goes on there', async () => {
  const database = await testDatabase()
  await pets(database, 100)
  const wait = '(select count(*) from pg_sleep(0.7))'
  await migration('batch 30', `update pet set n = n + ${wait} where id > $1 and id <= $2;`)
  const stopped = await up(database, (child) => {
    void vi
      .waitFor(async () => expect(await batches(database)).toBe(1), { timeout: 30_000, interval: 20 })
      .then(() => sleep(200))
      .then(() => child.kill('SIGINT'))
  })
  expect(stopped).toMatchObject({ code: 130 })
  expect(await tally(database)).toEqual({ 0: 40, 1: 60 })
  const { error } = JSON.parse(stopped.stdout)
  expect(error.message).toContain('stopped in statement 1: the backfill of public.pet did 60')
  expect(error.message).toContain('up to id = 60; it goes on there')
  expect(error.hint).toContain('obs migrate up')
  const status = JSON.parse(
    (await obs(['migrate', 'status', '--json'], { cwd, env: { DATABASE_URL: database.url } })).stdout,
  )
  expect(status.migrations).toMatchObject([{ version: 1, state: 'dirty' }])
  expect(await up(database)).toMatchObject({ code: 0 })
  expect(await tally(database)).toEqual({ 1: 100 })
})

it('goes on by itself after its session was ended by an administrator', async () => {
  const database = await testDatabase()
  await pets(database, 100)
  await migration('batch 30 pause 1s', 'update pet set n = n + 1 where id > $1 and id <= $2;')
  const ended = await up(database, () => {
    void vi.waitFor(
      async () => {
        expect(await batches(database)).toBe(1)
        const killed = await database.sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name like 'obs migrate up%'`
        expect(killed.length).toBeGreaterThan(0)
      },
      { timeout: 30_000, interval: 20 },
    )
  })
  expect(ended).toMatchObject({ code: 1 })
  expect(JSON.parse(ended.stdout).error.message).toContain('did 30')
  await migration('batch 30', 'update pet set n = n + 1 where id > $1 and id <= $2;')
  expect(await up(database)).toMatchObject({ code: 0 })
  expect(await tally(database)).toEqual({ 1: 100 })
})
