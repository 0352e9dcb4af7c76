import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { Random, streamKey } from '../../src/generators/random.js'
import { contents, seedSmall, templates } from '../generators/seeding.js'
import { type CliResult, obs } from '../support/cli.js'
import type { TestDatabase } from '../support/database.js'

const kills = 30
const options = { days: 14, scale: 0.01 }

let databases: Awaited<ReturnType<typeof templates>>
let folder: string
beforeAll(async () => {
  databases = await templates()
  folder = mkdtempSync(join(tmpdir(), 'obs-seed-'))
})
afterAll(async () => {
  await databases.drop()
  rmSync(folder, { recursive: true, force: true })
})

it(`holds what an undisturbed run holds after ${kills} kills at random moments`, { timeout: 1_800_000 }, async () => {
  const undisturbed = await databases.migrated()
  await seedSmall(undisturbed, options)
  const wanted = await contents(undisturbed.sql)

  const random = new Random().seat(streamKey('kills'), 1)
  let [db, begun, longest, finished] = [await databases.migrated(), false, 0, 0]
  for (let killed = 0; killed < kills; ) {
    const started = performance.now()
    const { code, stderr } = await run(db, begun, longest > 0 ? random.between(0, longest * 1.1) : undefined)
    if (code === null) {
      killed++
      await untilAlone(db)
      begun = await hasBegun(db)
      if (await isFinished(db)) begun = true
      else expect(await db.sql`select from traces limit 1`).toHaveLength(0)
      // Numbers that were reserved for a run of which nothing was recorded are not used; they would be the only difference.
      if (!begun) await db.sql`select setval(pg_get_serial_sequence('traces', 'id'), 1, false)`
    } else expect(code, stderr).toBe(0)
    if (code === 0) longest = Math.max(longest, performance.now() - started)
    if (code !== 0 && !(await isFinished(db))) continue
    // Killed behind the commit: what is derived from the rows is made up for, as the message says.
    await db.sql`select traces_refresh_rollups()`
    expect(await contents(db.sql)).toEqual(wanted)
    finished++
    ;[db, begun] = [await databases.migrated(), false]
  }
  expect(finished).toBeGreaterThan(2)
})

/** Runs the program, resuming if there is something to resume, and kills it after some time unless it is done before. */
async function run(db: TestDatabase, resume: boolean, killAfter: number | undefined): Promise<CliResult> {
  const fresh = ['--days', '14', '--scale', '0.01', '--as-of', '2026-11-10']
  let timer: NodeJS.Timeout | undefined
  const started = (child: ChildProcess) => {
    if (killAfter !== undefined) timer = setTimeout(() => child.kill('SIGKILL'), killAfter)
  }
  const args = ['seed', ...(resume ? ['--resume'] : fresh), '--workers', '2']
  const result = await obs(args, { cwd: folder, env: { DATABASE_URL: db.url }, started })
  clearTimeout(timer)
  return result
}

async function hasBegun({ sql }: TestDatabase): Promise<boolean> {
  const [row] = await sql`select to_regclass('obs.seed_unfinished') is not null as begun`
  return row?.['begun'] === true && (await sql`select from obs.seed_unfinished`).length > 0
}

async function isFinished({ sql }: TestDatabase): Promise<boolean> {
  const [row] = await sql`select to_regclass('obs.seed_runs') is not null as any`
  return row?.['any'] === true && (await sql`select from obs.seed_runs`).length > 0
}

/** The server notices within a second that the process is gone. */
async function untilAlone({ sql }: TestDatabase): Promise<void> {
  const alone = async () =>
    expect(
      await sql`select from pg_stat_activity where datname = current_database() and application_name like 'obs seed%'`,
    ).toHaveLength(0)
  await vi.waitFor(alone, { timeout: 20_000, interval: 50 })
}
