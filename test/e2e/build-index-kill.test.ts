import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { withSession } from '../../src/database/connect.js'
import { obs } from '../support/cli.js'
import { testDatabase } from '../support/database.js'

let cwd: string

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'obs-index-'))
  const config = { packs: [{ name: 'pets', migrations: '.', schema: 'public' }] }
  await writeFile(join(cwd, 'obs.config.json'), JSON.stringify(config))
  await writeFile(join(cwd, '0001_index.up.sql'), 'create index concurrently idx on pet (id, name);\n')
})

afterEach(() => rm(cwd, { recursive: true, force: true }))

it('goes on at the partition in which its process was killed', async () => {
  const database = await testDatabase()
  const { sql, url } = database
  await sql.unsafe(`
    create table pet (id int, name text) partition by list (id);
    create table p1 partition of pet for values in (1);
    create table p2 partition of pet for values in (2);
    create table p3 partition of pet for values in (3);
    insert into pet select 1 + i % 3, 'pet ' || i from generate_series(1, 300) i`)
  const up = (kill?: () => Promise<void>) =>
    obs(['migrate', 'up', '--backup', 'none', '--json'], {
      cwd,
      env: { DATABASE_URL: url },
      started: (child) => void kill?.().then(() => child.kill('SIGKILL')),
    })
  const indexes = () =>
    sql<{ name: string; valid: boolean; oid: number }[]>`
      select x.relname as name, i.indisvalid as valid, x.oid::int as oid
      from pg_index i join pg_class x on x.oid = i.indexrelid where x.relname ~ '^idx(_p|$)' order by 1`
  await withSession(sql, async (writer) => {
    await writer`begin`
    await writer`insert into p2 values (2, 'mine')`
    const killed = await up(() =>
      vi.waitFor(
        async () => {
          const rows = await sql`select from pg_stat_progress_create_index where phase like 'waiting for writers%'`
          expect(rows).toHaveLength(1)
        },
        { timeout: 30_000, interval: 20 },
      ),
    )
    expect(killed).toMatchObject({ code: null })
    await vi.waitFor(
      async () => {
        expect(await sql`select from pg_stat_progress_create_index`).toHaveLength(0)
      },
      { timeout: 10_000, interval: 50 },
    )
    await writer`commit`
  })
  const before = await indexes()
  expect(before).toMatchObject([
    { name: 'idx', valid: false },
    { name: 'idx_p1', valid: true },
    { name: 'idx_p2', valid: false },
  ])
  expect(await up()).toMatchObject({ code: 0 })
  const after = await indexes()
  expect(after.map(({ name, valid }) => `${name} ${valid}`)).toEqual([
    'idx true',
    'idx_p1 true',
    'idx_p2 true',
    'idx_p3 true',
  ])
  const oids = (rows: typeof after) => rows.map((row) => row.oid)
  expect(oids(after).slice(0, 2)).toEqual(oids(before).slice(0, 2))
  expect(after[2]?.oid).not.toBe(before[2]?.oid)
  const status = JSON.parse((await obs(['migrate', 'status', '--json'], { cwd, env: { DATABASE_URL: url } })).stdout)
  expect(status.migrations).toMatchObject([{ version: 1, state: 'applied' }])
})
