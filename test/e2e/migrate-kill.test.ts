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

it('goes on by itself at the statement that it was killed in, outside a transaction', async () => {
  const database = await testDatabase()
  const env = { DATABASE_URL: database.url }
  await files({ '0002_slow.up.sql': '-- obs: no-transaction\ncreate table one (id int);\nselect pg_sleep(600);' })
  await upKilledWhileSleeping(database)
  const status = await obs(['migrate', 'status', '--json'], { cwd, env })
  expect(JSON.parse(status.stdout).migrations[1]).toMatchObject({ state: 'dirty', stopped_at: { statement: 2 } })
  await files({ '0002_slow.up.sql': '-- obs: no-transaction\ncreate table one (id int);\ncreate table two (id int);' })
  expect(await obs(['migrate', 'up', '--backup', 'none'], { cwd, env })).toMatchObject({ code: 0 })
  expect(await database.sql`select to_regclass('two')::text as two`).toEqual([{ two: 'two' }])
})

it('is explained by repair with exit code 5 where the catalog cannot tell, until somebody says what is true', async () => {
  const database = await testDatabase()
  const env = { DATABASE_URL: database.url }
  await files({ '0002_slow.up.sql': '-- obs: no-transaction\ndo $$ begin commit; perform pg_sleep(600); end $$;' })
  await upKilledWhileSleeping(database)
  const again = await obs(['migrate', 'up'], { cwd, env })
  expect(again.code).toBe(5)
  expect(again.stderr).toContain('obs migrate repair 2')
  const explained = await obs(['migrate', 'repair'], { cwd, env })
  expect(explained.code).toBe(5)
  expect(explained.stdout).toContain('0002_slow (up) broke off in statement 1 of 1')
  expect(explained.stdout).toContain('do $$ begin commit; perform pg_sleep(600); end $$')
  expect(explained.stdout).toContain('obs migrate repair 2 --resume-at 2')
  const json = await obs(['migrate', 'repair', '2', '--json'], { cwd, env })
  expect(json.code).toBe(5)
  expect(JSON.parse(json.stdout).half_done).toMatchObject([
    {
      version: 2,
      state: 'unknown',
      statement: 1,
      resume: null,
      evidence: { verdict: 'unknown' },
      undo: { possible: false },
    },
  ])
  expect((await obs(['migrate', 'repair', '--resume', '--undo'], { cwd, env })).code).toBe(2)
  expect((await obs(['migrate', 'repair', '2', '--mark', 'reverted'], { cwd, env })).code).toBe(0)
  const nothing = await obs(['migrate', 'repair'], { cwd, env })
  expect(nothing).toMatchObject({ code: 0, stdout: 'nothing is half done\n' })
})
