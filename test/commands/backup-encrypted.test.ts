import { execFile, spawnSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { backupDirectory, databaseNames, freshAddress, inDatabase, nativeObstacle } from '../support/backups.js'
import { obs } from '../support/cli.js'
import { openTestDatabase } from '../support/database.js'

// Each test starts obs several times.
vi.setConfig({ testTimeout: 180_000 })

const run = promisify(execFile)
/** The name of a table, which the manifest tells, and a value in it, which nothing may. */
const table = 'xyzzy'
const secretWord = 'frobozz'
let source: Awaited<ReturnType<typeof openTestDatabase>>

beforeAll(async () => {
  source = await openTestDatabase()
  await source.sql.unsafe(`
    create table ${table} (id int primary key, word text default '${secretWord}');
    insert into ${table} select g, '${secretWord}' from generate_series(1, 1000) g`)
})
afterAll(() => source.close())

async function project() {
  const cwd = await backupDirectory()
  const backup = (...args: string[]) => obs(['backup', ...args], { cwd, env: { DATABASE_URL: source.url } })
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await backup(...args, '--json')
    expect(code, stderr).toBe(0)
    return JSON.parse(stdout)
  }
  const { recipient } = await json('key', 'key.txt')
  return { cwd, backup, json, recipient }
}

/** The files of a backup that hold `word`, whatever they are compressed with. */
async function filesWith(path: string, word: string): Promise<string[]> {
  const found: string[] = []
  const { gunzipSync } = await import('node:zlib')
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const content = await readFile(join(entry.parentPath, entry.name))
    const plain = content[0] === 0x1f && content[1] === 0x8b ? gunzipSync(content) : content
    if (plain.includes(word)) found.push(entry.name)
  }
  return found
}

describe.each(['built-in', 'native'])('an encrypted backup of the %s engine', (engine) => {
  it('is readable with the key alone, and is verified without it', async ({ skip }) => {
    if (engine === 'native') skip(...(await nativeObstacle(source)))
    const { cwd, backup, json, recipient } = await project()
    const { id, path, encryption } = await json('create', '--engine', engine, '--encrypt-to', recipient)
    expect(encryption).toBe('age')
    expect(await filesWith(path, secretWord)).toEqual([])
    expect(await json('verify')).toMatchObject({ id, verified: true })
    expect(await json('list')).toMatchObject({ backups: [{ id, encryption: 'age' }] })

    await json('key', 'other.txt')
    const to = freshAddress()
    const restore = (...args: string[]) => backup('restore', 'latest', '--to', to.database, ...args)
    for (const [args, message] of [
      [[], '--identity'],
      [['--identity', 'other.txt'], 'the key does not open this backup'],
      [['--identity', 'missing.txt'], 'cannot be read'],
    ] as const) {
      const refused = await restore(...args)
      expect({ ...refused, stderr: refused.stderr.includes(message) ? message : refused.stderr }).toMatchObject({
        code: 2,
        stderr: message,
      })
      expect(await databaseNames()).not.toContain(to.database)
    }
    const secret =
      (await readFile(join(cwd, 'key.txt'), 'utf8')).split('\n').find((line) => line.startsWith('AGE-')) ?? '-'
    const done = await restore('--identity', 'other.txt', '--identity', 'key.txt')
    expect(done, done.stderr).toMatchObject({ code: 0 })
    expect(done.stdout + done.stderr).not.toContain(secret)
    await inDatabase(to, async ({ sql }) => expect(await sql`select from ${sql(table)}`).toHaveLength(1000))
  })
})

it('can be opened by hand with age', async ({ skip }) => {
  const missing = spawnSync('age', ['--version']).error !== undefined
  if (missing) console.log('skipped: age is not on the PATH')
  skip(missing, 'age is not on the PATH')
  const { cwd, json } = await project()
  const { path } = await json('create', '--engine', 'built-in', '--encrypt-to', 'key.txt')
  const { stdout } = await run('age', ['--decrypt', '--identity', join(cwd, 'key.txt'), join(path, 'pre-data.sql.age')])
  expect(stdout).toContain(`CREATE TABLE public.${table}`)
})

it('refuses keys that are none before anything is written', async () => {
  const { cwd, backup } = await project()
  for (const recipient of ['age1nonsense', 'no-such-file', 'backups']) {
    expect(await backup('create', '--encrypt-to', recipient)).toMatchObject({ code: 2, stdout: '' })
  }
  expect(await readdir(cwd)).toEqual(['key.txt'])
})
