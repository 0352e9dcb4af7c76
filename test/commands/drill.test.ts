import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { readProof } from '../../src/backup/proof.js'
import { quietContext } from '../../src/context.js'
import { expectNothingRestored } from '../support/backups.js'
import { obs } from '../support/cli.js'
import { openTestDatabase } from '../support/database.js'
import { installObservability } from '../support/observability.js'

let source: Awaited<ReturnType<typeof openTestDatabase>>
let cwd: string
let backup: { readonly id: string; readonly path: string }

beforeAll(async () => {
  source = await openTestDatabase()
  await installObservability(source.sql)
  cwd = await mkdtemp(join(tmpdir(), 'obs-drill-'))
  backup = await takeBackup()
}, 120_000)
afterAll(async () => {
  await source.close()
  await rm(cwd, { recursive: true, force: true })
})

const takeBackup = () => createBackup(source, { directory: join(cwd, 'backups'), engine: 'built-in' }, quietContext())
const run = (...args: string[]) => obs(['backup', ...args], { cwd, env: { DATABASE_URL: source.url } })

it('restores the newest backup, validates it, records the proof and leaves no database behind', async () => {
  const { code, stdout, stderr } = await run('drill', '--json', '--format', 'junit', '--output', 'drill.xml')
  expect(code, stderr + stdout).toBe(0)
  const { drill, summary, checks } = JSON.parse(stdout)
  expect(drill).toMatchObject({
    id: backup.id,
    proven: true,
    recovery_ms: expect.any(Number),
    validation_ms: expect.any(Number),
  })
  expect(summary.failed).toBe(0)
  expect(checks[0]).toMatchObject({ id: 'recovery.restored', status: 'passed' })
  expect(checks.some((check: { suite: string }) => check.suite === 'schema')).toBe(true)
  expect(await readFile(join(cwd, 'drill.xml'), 'utf8')).toMatch(/<testsuite name="recovery" tests="1" failures="0"/)
  expect(await readProof(backup.path)).toMatchObject({ level: 'restored', by: 'drill' })
  expect(JSON.parse((await run('list', '--json')).stdout).backups[0].proof).toMatchObject({
    level: 'restored',
    by: 'drill',
  })
  await expectNothingRestored()
}, 120_000)

it('fails, without a proof, when the restored data is not valid, and when the backup is damaged', async () => {
  await source.sql.unsafe('alter table traces drop column intent_category cascade')
  await new Promise((resolve) => setTimeout(resolve, 1100))
  const bad = await takeBackup()
  const { code, stdout } = await run('drill', '--json')
  expect(code).toBe(1)
  const { drill, checks } = JSON.parse(stdout)
  expect(drill).toMatchObject({ id: bad.id, proven: false })
  expect(checks[0]).toMatchObject({ id: 'recovery.restored', status: 'passed' })
  expect(await readProof(bad.path)).toBeNull()

  await rm(join(bad.path, 'post-data.sql'))
  const damaged = await run('drill', bad.id)
  expect(damaged.code).toBe(1)
  expect(damaged.stdout).toContain('post-data.sql: missing')
  await expectNothingRestored()
}, 120_000)

it('proves with verify --restore, and refuses flags that would do nothing', async () => {
  const { code, stdout, stderr } = await run('verify', backup.id, '--restore', '--json')
  expect(code, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ id: backup.id, restored: true })
  expect(await readProof(backup.path)).toMatchObject({ level: 'restored', by: 'verify' })
  expect(await run('verify', '--jobs', '2')).toMatchObject({ code: 2 })
  await expectNothingRestored()
}, 120_000)
