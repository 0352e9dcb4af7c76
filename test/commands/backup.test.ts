import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { backupDirectory, freshAddress, inDatabase } from '../support/backups.js'
import { obs } from '../support/cli.js'
import { openTestDatabase } from '../support/database.js'

let source: Awaited<ReturnType<typeof openTestDatabase>>
beforeAll(async () => {
  source = await openTestDatabase()
  await source.sql.unsafe('create table pet (id int primary key); insert into pet values (1), (2)')
})
afterAll(() => source.close())

async function project() {
  const cwd = await backupDirectory()
  const run = (...args: string[]) => obs(['backup', ...args], { cwd, env: { DATABASE_URL: source.url } })
  const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout)
  return { cwd, run, json }
}

it('creates, lists, verifies and restores, and answers in JSON', async () => {
  const { cwd, json } = await project()
  const created = await json('create', '--engine', 'built-in')
  expect(created).toMatchObject({ engine: 'built-in', verified: true, path: join(cwd, 'backups', created.id), rows: 2 })
  expect(await json('list')).toMatchObject({ backups: [{ id: created.id, state: 'complete', bytes: created.bytes }] })
  expect(await json('verify')).toMatchObject({ id: created.id, verified: true })
  const to = freshAddress()
  expect(await json('restore', created.id, '--to', to.database)).toMatchObject({ database: to.database, rows: 2 })
  await inDatabase(to, async ({ sql }) => expect(await sql`select count(*) as n from pet`).toEqual([{ n: 2 }]))
})

it('says in words what it did, and never the password', async () => {
  const { run } = await project()
  const { code, stdout, stderr } = await run('create', '--engine', 'built-in')
  expect(code).toBe(0)
  expect(stdout).toMatch(/backed up .* as \d{8}T\d{6}Z-.*\n.*rows: 2.*\n {2}engine: built-in \(asked for\)/)
  expect((await run('list')).stdout).toContain('complete')
  const password = decodeURIComponent(new URL(source.url).password)
  expect(stdout + stderr).not.toContain(password)
})

it.each([
  ['an engine that there is not', ['create', '--engine', 'magic']],
  ['a backup that there is not', ['verify', '20200101T000000Z-nothing']],
  ['a target name that is too long', ['restore', 'latest', '--to', 'x'.repeat(64)]],
  ['a connection string of keywords', ['restore', 'latest', '--to', 'host=db password=open-sesame dbname=x']],
  ['a target URL of another database system', ['restore', 'latest', '--to', 'mysql://localhost/x']],
])('exits with 2 and writes nothing for %s', async (_, args) => {
  const { cwd, run } = await project()
  const { code, stdout, stderr } = await run(...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^error: /m)
  expect(stderr).not.toContain('open-sesame')
  expect(await readdir(cwd)).toEqual([])
})

it('exits with 3 when the server of the target cannot be reached', async () => {
  const { run } = await project()
  await run('create', '--engine', 'built-in')
  const { code, stderr } = await run('restore', 'latest', '--to', 'postgres://127.0.0.1:1/x')
  expect(code).toBe(3)
  expect(stderr).toContain('--to')
})
