import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { obs } from '../support/cli.js'
import { type TestDatabase, testDatabase } from '../support/database.js'

let cwd: string

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'obs-kill-'))
  await files({
    'obs.config.json': JSON.stringify({ packs: [{ name: 'pets', migrations: '.', schema: 'public' }] }),
    '0001_pet.up.sql': 'create table pet (id int);',
  })
})

afterEach(() => rm(cwd, { recursive: true, force: true }))

async function files(content: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(content)) await writeFile(join(cwd, name), text)
}

/** Runs `obs migrate up` and kills it, as the kernel would, while it sleeps on the server. */
async function upKilledWhileSleeping(database: TestDatabase): Promise<void> {
  const run = obs(['migrate', 'up'], {
    cwd,
    env: { DATABASE_URL: database.url },
    started: (child) => {
      void whenSleeping(database).then(() => child.kill('SIGKILL'))
    },
  })
  expect((await run).code).toBe(null)
}

async function whenSleeping({ sql }: TestDatabase): Promise<void> {
  await vi.waitFor(
    async () => {
      const rows = await sql`
        select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`
      expect(rows).toHaveLength(1)
    },
    { timeout: 30_000, interval: 50 },
  )
}

it('leaves no trace of a migration whose process is killed, and no lock', async () => {
  const database = await testDatabase()
  await files({ '0002_slow.up.sql': 'create table half (id int);\nselect pg_sleep(600);' })
  await upKilledWhileSleeping(database)
  await files({ '0002_slow.up.sql': 'create table whole (id int);' })
  const again = await obs(['migrate', 'up', '--json'], { cwd, env: { DATABASE_URL: database.url } })
  expect(again).toMatchObject({ code: 0 })
  expect(JSON.parse(again.stdout).applied).toMatchObject([{ version: 2 }])
  expect(await database.sql`select to_regclass('half') as half, to_regclass('whole')::text as whole`).toEqual([
    { half: null, whole: 'whole' },
  ])
})

it('is dirty when it was killed outside a transaction, until somebody says where it stood', async () => {
  const database = await testDatabase()
  const env = { DATABASE_URL: database.url }
  await files({ '0002_slow.up.sql': '-- obs: no-transaction\ncreate table one (id int);\nselect pg_sleep(600);' })
  await upKilledWhileSleeping(database)
  const again = await obs(['migrate', 'up'], { cwd, env })
  expect(again.code).toBe(5)
  expect(again.stderr).toContain('obs migrate repair 2 --resume-at 2')
  await files({ '0002_slow.up.sql': '-- obs: no-transaction\ncreate table one (id int);\ncreate table two (id int);' })
  expect((await obs(['migrate', 'repair', '2', '--resume-at', '2'], { cwd, env })).code).toBe(0)
  expect((await obs(['migrate', 'up', '--backup', 'none'], { cwd, env })).code).toBe(0)
  expect(await database.sql`select to_regclass('two')::text as two`).toEqual([{ two: 'two' }])
})
