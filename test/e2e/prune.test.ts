import { spawn } from 'node:child_process'
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import {
  checksumsName,
  formatChecksums,
  formatManifest,
  type Manifest,
  manifestName,
} from '../../src/backup/manifest.js'
import { quietContext } from '../../src/context.js'
import { backupDirectory } from '../support/backups.js'
import { obs } from '../support/cli.js'
import { openTestDatabase } from '../support/database.js'

// Each test starts obs several times.
vi.setConfig({ testTimeout: 180_000 })

let source: Awaited<ReturnType<typeof openTestDatabase>>
beforeAll(async () => {
  source = await openTestDatabase()
  await source.sql.unsafe('create table pet (id int); insert into pet values (1)')
})
afterAll(() => source.close())

/** A folder with a real backup of each age in days, oldest last. */
async function project(ages: readonly number[]) {
  const cwd = await backupDirectory()
  const backups = join(cwd, 'backups')
  const { path, manifest } = await createBackup(source, { directory: backups, engine: 'built-in' }, quietContext())
  const ids = []
  for (const age of ages) ids.push(await copyAged(backups, path, manifest, age))
  const run = (...args: string[]) => obs(['backup', ...args], { cwd, env: { DATABASE_URL: source.url } })
  const names = async () => (await readdir(backups)).sort().reverse()
  return { cwd, backups, newest: manifest.id, ids, run, names }
}

async function copyAged(backups: string, from: string, manifest: Manifest, age: number): Promise<string> {
  const created = new Date(Date.now() - age * 86_400_000)
  const id = `${created.toISOString().replace(/[-:]|\.\d+/g, '')}-old`
  await cp(from, join(backups, id), { recursive: true })
  const aged = { ...manifest, id, created_at: created.toISOString() }
  const text = formatManifest(aged)
  await writeFile(join(backups, id, manifestName), text)
  await writeFile(join(backups, id, checksumsName), formatChecksums(text, aged.files))
  return id
}

it('says without --yes what it would remove and why the rest stays, and removes it with --yes', async () => {
  const { newest, ids, run, names } = await project([1, 2, 40])
  const dry = await run('prune', '--keep-daily', '2', '--older-than', '30d')
  expect(dry.code, dry.stderr).toBe(0)
  expect(dry.stdout).toMatch(new RegExp(`${ids[2]}.*removed`))
  expect(dry.stdout).toMatch(new RegExp(`${ids[1]}.*kept: not old enough`))
  expect(dry.stdout).toContain('nothing was removed; the same with --yes removes this')
  expect(await names()).toEqual([newest, ...ids])

  const done = await run('prune', '--keep-daily', '2', '--older-than', '30d', '--yes', '--json')
  expect(JSON.parse(done.stdout)).toMatchObject({ dry_run: false, removed: [ids[2]] })
  expect(await names()).toEqual([newest, ids[0], ids[1]])
})

it('keeps what the newest migration needs, and says so', async () => {
  const { ids, run, names } = await project([10, 20])
  await source.sql.unsafe(`
    create schema obs;
    create table obs.migration_history (
      id bigint generated always as identity, pack text, version bigint, direction text, state text,
      in_transaction boolean, obs_version text, checksum text, backup_id text)`)
  await source.sql`
    insert into obs.migration_history (pack, version, direction, state, backup_id)
    values ('pets', 6, 'up', 'applied', ${ids[0] ?? ''}), ('pets', 7, 'up', 'applied', ${ids[1] ?? ''})`
  const { stdout } = await run('prune', '--keep-last', '1', '--yes', '--json')
  expect(JSON.parse(stdout)).toMatchObject({
    removed: [ids[0]],
    kept: expect.arrayContaining([{ id: ids[1], because: ['the way back from pets 7'] }]),
  })
  expect(await names()).not.toContain(ids[0])
  await source.sql.unsafe('drop schema obs cascade')
})

it('goes on where it was killed, and never shows half a backup', async () => {
  const { cwd, backups, newest, ids, run, names } = await project([10, 20])
  const doomed = join(backups, ids[1] ?? '')
  await mkdir(join(doomed, 'many'))
  for (let i = 0; i < 20_000; i += 500)
    await Promise.all(Array.from({ length: 500 }, (_, n) => writeFile(join(doomed, 'many', String(i + n)), '')))
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../../bin/obs.js'), 'backup', 'prune', '--keep-last', '1', '--yes'],
    {
      cwd,
      env: { PATH: process.env['PATH'] ?? '', HOME: cwd, CI: 'true', DATABASE_URL: source.url },
      stdio: 'ignore',
    },
  )
  const over = new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)))
  while (child.exitCode === null && !(await names()).some((name) => name.endsWith('.deleting')))
    await new Promise((resolve) => setTimeout(resolve, 1))
  child.kill('SIGKILL')
  expect(await over).toBe('SIGKILL')
  expect(await names()).toEqual([newest, ids[0], `${ids[1]}.deleting`])

  const { backups: listed } = JSON.parse((await run('list', '--json')).stdout)
  expect(listed.map((one: { state: string }) => one.state)).toEqual(['complete', 'complete', 'deleting'])
  expect((await run('verify', ids[1] ?? '')).code).toBe(2)
  expect((await run('verify', `${ids[1]}.deleting`)).code).toBe(2)
  const again = await run('prune', '--keep-last', '1', '--yes', '--json')
  expect(JSON.parse(again.stdout)).toMatchObject({ removed: [ids[0]], unfinished: [`${ids[1]}.deleting`] })
  expect(await names()).toEqual([newest])
}, 120_000)

it('leaves damaged backups and partial ones of other hosts to a person, and removes those of dead runs', async () => {
  const { backups, newest, ids, run, names } = await project([10])
  await writeFile(join(backups, ids[0] ?? '', manifestName), '{}')
  const foreign = '20260101T000000Z-x.partial'
  const dead = '20260102T000000Z-x.partial'
  for (const name of [foreign, dead]) await mkdir(join(backups, name))
  await writeFile(join(backups, foreign, 'owner.json'), JSON.stringify({ pid: 1, host: 'elsewhere', started_at: '' }))
  const { hostname } = await import('node:os')
  await writeFile(join(backups, dead, 'owner.json'), JSON.stringify({ pid: 2 ** 22, host: hostname(), started_at: '' }))
  const { stdout } = await run('prune', '--keep-last', '1', '--yes', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ removed: [], unfinished: [dead], left_alone: [ids[0], foreign] })
  expect(await names()).toEqual([newest, ids[0], foreign])
})

it('needs a policy, and says when the history cannot be asked', async () => {
  const { cwd, newest, ids, run, names } = await project([10])
  expect(await run('prune', '--yes')).toMatchObject({ code: 2, stderr: expect.stringContaining('--keep-last') })
  expect(await run('prune', '--keep-last', '0', '--yes')).toMatchObject({ code: 2 })
  expect(await run('prune', '--older-than', '../1', '--yes')).toMatchObject({ code: 2 })
  expect(await names()).toEqual([newest, ids[0]])
  const gone = await obs(['backup', 'prune', '--keep-last', '1', '--yes'], {
    cwd,
    env: { DATABASE_URL: source.url.replace(/\/[^/?]*(\?|$)/, '/obs_test_no_such$1') },
  })
  expect(gone).toMatchObject({ code: 0, stderr: expect.stringContaining('the migration history could not be asked') })
})
