import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { Sql } from '../../src/database/connect.js'
import { Random, streamKey } from '../../src/generators/random.js'
import { obs } from '../support/cli.js'
import { type TestDatabase, testDatabase } from '../support/database.js'

const plan = {
  tables: {
    people: {
      rows: 20_000,
      columns: { id: { generator: 'sequence' }, code: { generator: 'pattern', pattern: '[A-Z]{4}[0-9]{3}' } },
    },
    visits: {
      rows: { per: 'people', mean: 3 },
      columns: {
        person_id: { generator: 'parent', column: 'id' },
        nth: { generator: 'position' },
        minutes: { generator: 'gamma', shape: 2, mean: 40 },
        at: { generator: 'timestamps' },
      },
    },
  },
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'obs-plan-killed-'))
  const packs = [{ name: 'walks', migrations: './migrations', seed: plan }]
  await writeFile(join(folder, 'obs.config.json'), JSON.stringify({ packs }))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function emptyDatabase(): Promise<TestDatabase> {
  const database = await testDatabase()
  await database.sql.unsafe(`
    create table people (id serial primary key, code text not null unique);
    create table visits (person_id integer not null references people, nth integer not null, minutes numeric(8, 2) not null,
      at timestamptz not null, primary key (person_id, nth))`)
  return database
}

function contents(sql: Sql) {
  return sql.unsafe(`
    select (select md5(string_agg(p::text, ',' order by id)) from people p) as people,
           (select md5(string_agg(v::text, ',' order by person_id, nth)) from visits v) as visits`)
}

const fresh = ['--days', '5', '--as-of', '2026-10-01']

function seed(database: TestDatabase, args: readonly string[], started?: (child: ChildProcess) => void) {
  const options = { cwd: folder, env: { DATABASE_URL: database.url } }
  return obs(['seed', '--config', 'obs.config.json', ...args], started ? { ...options, started } : options)
}

/** The state of the run on record, once the server has noticed that the process is gone. */
async function recorded({ sql }: TestDatabase): Promise<'finished' | 'unfinished' | 'none'> {
  const alone = async () =>
    expect(
      await sql`select from pg_stat_activity where application_name like 'obs seed%' and datname = current_database()`,
    ).toHaveLength(0)
  await vi.waitFor(alone, { timeout: 20_000, interval: 50 })
  const [row] = await sql<{ finished: boolean; begun: boolean }[]>`
    select to_regclass('obs.seed_runs') is not null as finished, to_regclass('obs.seed_unfinished') is not null as begun`
  if (row?.finished && (await sql`select from obs.seed_runs`).length > 0) return 'finished'
  return row?.begun && (await sql`select from obs.seed_unfinished`).length > 0 ? 'unfinished' : 'none'
}

it('holds what an undisturbed run holds, however often it was killed and resumed', { timeout: 240_000 }, async () => {
  const undisturbed = await emptyDatabase()
  const began = performance.now()
  expect(await seed(undisturbed, fresh)).toMatchObject({ code: 0 })
  const whole = performance.now() - began
  const database = await emptyDatabase()
  const random = new Random().seat(streamKey('kills of a plan'), 1)
  let state = await recorded(database)
  let resumed = 0
  for (let kills = 0; kills < 8 && state !== 'finished'; kills++) {
    const delay = random.between(0.4, 0.95) * whole
    await seed(database, state === 'unfinished' ? ['--resume'] : fresh, (child) => {
      setTimeout(() => child.kill('SIGKILL'), delay)
    })
    state = await recorded(database)
    if (state === 'unfinished') {
      resumed++
      expect(await database.sql`select from people limit 1`).toHaveLength(0)
      const refused = await seed(database, fresh)
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/--resume.*obs seed remove/) })
    }
  }
  if (state !== 'finished')
    expect(await seed(database, state === 'unfinished' ? ['--resume'] : fresh)).toMatchObject({ code: 0 })
  expect(resumed).toBeGreaterThan(0)
  expect(await contents(database.sql)).toEqual(await contents(undisturbed.sql))
  const again = await seed(database, fresh)
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('the pack walks has synthetic rows already') })
})
