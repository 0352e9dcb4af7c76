import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type CliResult, obs } from '../support/cli.js'
import { openTestDatabase } from '../support/database.js'
import { installObservability } from '../support/observability.js'

let database: Awaited<ReturnType<typeof openTestDatabase>>
let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'obs-seed-'))
  database = await openTestDatabase()
  await installObservability(database.sql)
})
afterAll(async () => {
  await database.close()
  await rm(cwd, { recursive: true, force: true })
})

const tiny = ['--days', '3', '--scale', '0.02', '--as-of', '2026-11-10']

function seed(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  return obs(['seed', ...args], { cwd, env: { DATABASE_URL: database.url, ...env } })
}

it('prints one JSON document with what it did', async () => {
  const { code, stdout } = await seed([...tiny, '--json'])
  expect(code).toBe(0)
  const result = JSON.parse(stdout)
  expect(result).toMatchObject({
    ...{ profile: 'demo', seed: 42, as_of: '2026-11-10T00:00:00.000Z' },
    window: { from: '2026-11-07T00:00:00.000Z', to: '2026-11-10T00:00:00.000Z' },
    tables: { users: { rows: 500 }, departments: { rows: 10 }, environments: { rows: 3 } },
  })
  const [row] = await database.sql`select count(*) as traces, min(metadata->>'obs_run') as run from traces`
  expect(row).toEqual({ traces: result.tables.traces.rows, run: result.run_id })
  expect(result.incidents).toHaveLength(5)
})

it('refuses a second run, and with --replace tells in words what happened', async () => {
  const refused = await seed(tiny)
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused.stderr).toMatch(/has synthetic rows already\nhint: .*--append.*--replace/)
  const { code, stdout } = await seed([...tiny, '--replace', '--seed', '7'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/Run [0-9a-f]{16}.*2026-11-07 00:00 to 2026-11-10 00:00 UTC.*seed 7/)
  expect(stdout).toMatch(/In the place of .*\d+ traces/)
  expect(stdout).toMatch(/traces +\d+\n/)
  expect(stdout).toMatch(/On 2026-11-0\d from .* UTC /)
})

it('refuses --append together with --replace with exit code 2', async () => {
  const { code, stderr } = await seed([...tiny, '--append', '--replace'])
  expect(code).toBe(2)
  expect(stderr).toContain('--append and --replace exclude each other')
})

it.each([
  ['2026-11-09T12:00', '2026-11-09T12:00:00.000Z'],
  ['2026-11-09T12:00:30+02:00', '2026-11-09T10:00:30.000Z'],
  ['2026-11-09 12:00Z', '2026-11-09T12:00:00.000Z'],
])(
  'takes --as-of %s for UTC unless it says otherwise, whatever the time zone of the machine',
  async (text, expected) => {
    const { stdout } = await seed([...tiny, '--as-of', text, '--replace', '--json'], { TZ: 'America/New_York' })
    expect(JSON.parse(stdout).as_of).toBe(expected)
  },
)

it('refuses a day that is in no calendar', async () => {
  const { code, stderr } = await seed([...tiny, '--as-of', '2026-02-30'])
  expect(code).toBe(2)
  expect(stderr).toContain('--as-of')
})

it('seeds the workspace that the flag names before the one of the configuration', async () => {
  const [flag, configured] = ['8f14e45f-ceea-4e7a-9b1c-0242ac1200aa', '8f14e45f-ceea-4e7a-9b1c-0242ac1200bb']
  const byFlag = await seed([...tiny, '--workspace', flag, '--json'], { OBS_WORKSPACE: configured })
  expect(JSON.parse(byFlag.stdout).workspace_id).toBe(flag)
  const byConfiguration = await seed([...tiny, '--json'], { OBS_WORKSPACE: configured })
  expect(JSON.parse(byConfiguration.stdout).workspace_id).toBe(configured)
})
