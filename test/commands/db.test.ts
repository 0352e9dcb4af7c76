import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { parseDatabaseUrl, type ServerAddress } from '../../src/database/address.js'
import { withDatabase, withSession } from '../../src/database/connect.js'
import { stopServer } from '../../src/database/embedded/server.js'
import { exitCodes } from '../../src/errors.js'
import { obs } from '../support/cli.js'

let cwd: string

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'obs-db-'))
  if (process.getuid?.() === 0) await promisify(execFile)('chmod', ['711', cwd])
})

afterAll(async () => {
  await stopServer(join(cwd, '.obs'))
  await rm(cwd, { recursive: true, force: true })
})

describe('obs db', () => {
  it('has nothing to say about a server that was never started', async () => {
    expect(await json('status')).toMatchObject({ state: 'absent', pid: null, in_use: true })
    expect(await json('stop')).toEqual({ stopped: false })
    expect(existsSync(join(cwd, '.obs'))).toBe(false)
  })

  it('starts one server for commands that start at the same time, and it outlives them', async () => {
    const starts = await Promise.all([json('start'), json('start')])
    const status = await json('status')
    expect(status).toMatchObject({ state: 'running', version: '18' })
    expect(starts.map((start) => start['pid'])).toEqual([status['pid'], status['pid']])
    expect(JSON.stringify([starts, status])).not.toContain(await password())
  })

  it('keeps out of git', async () => {
    await promisify(execFile)('git', ['init', '--quiet'], { cwd })
    const { stdout } = await promisify(execFile)('git', ['status', '--porcelain'], { cwd })
    expect(stdout).toBe('')
  })

  it('pipes a URL that any client can use', async () => {
    const { stdout, stderr, code } = await obs(['db', 'url'], { cwd })
    expect({ code, lines: stdout.trimEnd().split('\n').length }).toEqual({ code: 0, lines: 1 })
    expect(stderr).not.toContain(await password())
    const address = parseDatabaseUrl(stdout.trim(), 'obs db url')
    const rows = await withDatabase(address, quietContext(), ({ sql }) => sql`select current_database() as name`.then())
    expect([...rows]).toEqual([{ name: 'obs' }])
    expect(await json('url')).toEqual({ url: stdout.trim(), complete: true })
  })

  it.skipIf(!existsSync('/usr/bin/script'))('masks the password on a terminal, unless told otherwise', async () => {
    const masked = await onTerminal('db url')
    expect(masked).toMatch(/postgres:\/\/obs:\*\*\*@127\.0\.0\.1:\d+\/obs/)
    expect(masked).toContain('--show-password shows the password')
    expect(masked).not.toContain(await password())
    expect(await onTerminal('db url --show-password')).toContain(await password())
  })

  it('leaves the embedded server alone while another one is named', async () => {
    const env = { DATABASE_URL: inject('serverUrl') }
    for (const verb of ['start', 'stop', 'reset']) {
      const { code, stderr } = await obs(['db', verb, '--yes'], { cwd, env })
      expect(code).toBe(exitCodes.usage)
      expect(stderr).toContain(`obs db ${verb} concerns the embedded server only, and DATABASE_URL names another one`)
    }
    expect(await json('status')).toMatchObject({ state: 'running' })
    const url = await obs(['db', 'url'], { cwd, env })
    expect(parseDatabaseUrl(url.stdout.trim(), 'obs db url').port).toBe(Number(new URL(env.DATABASE_URL).port))
  })

  it('deletes nothing without an answer, nor while others are connected', async () => {
    const unanswered = await obs(['db', 'reset'], { cwd })
    expect(unanswered).toMatchObject({ code: exitCodes.usage, stderr: expect.stringContaining('--yes') })
    await connected(async () => {
      const refused = await obs(['db', 'reset', '--yes'], { cwd })
      expect(refused.code).toBe(exitCodes.failed)
      expect(refused.stderr).toMatch(/others are connected to the embedded server: obs guest #\w+ in obs \(pid \d+\)/)
      expect(refused.stderr).toContain('--force')
    })
    expect(await json('status')).toMatchObject({ state: 'running' })
  })

  it('says in full what the doctor finds', async () => {
    const report = await json('doctor')
    expect(report['findings']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id: 'connection', status: 'ok', observed: expect.stringContaining('obs:***@') }),
        expect.objectContaining({ id: 'rights', status: 'ok' }),
        expect.objectContaining({ id: 'writes', status: 'ok' }),
        expect.objectContaining({ id: 'migrations', status: 'warn', remedy: 'Run obs migrate up.' }),
      ]),
    )
    expect(report['summary']).toMatchObject({ fail: 0 })
  })

  it('is found out by the doctor when its password is gone', async () => {
    const file = join(cwd, '.obs/server/password')
    await rename(file, `${file}.away`)
    const { code, stdout } = await obs(['doctor', '--json'], { cwd }).finally(() => rename(`${file}.away`, file))
    expect(code).toBe(exitCodes.failed)
    expect(JSON.parse(stdout).findings).toContainEqual(
      expect.objectContaining({ id: 'connection', status: 'fail', observed: expect.stringContaining('password file') }),
    )
  })

  it('stops the server and keeps its data, then deletes both', async () => {
    expect(await json('stop')).toEqual({ stopped: true })
    expect(await json('stop')).toEqual({ stopped: false })
    expect(await json('status')).toMatchObject({ state: 'stopped', version: '18' })
    expect(await json('doctor')).toMatchObject({ summary: { fail: 0 } })
    expect(await json('status')).toMatchObject({ state: 'stopped' })
    expect(await json('reset', '--yes')).toMatchObject({ deleted: true, stopped: false })
    expect(await json('status')).toMatchObject({ state: 'absent' })
  })
})

describe('obs doctor', () => {
  it('exits 1 when the server does not answer, and says what to do', async () => {
    const env = { DATABASE_URL: 'postgres://obs:open-sesame-8461@127.0.0.1:1/obs' }
    const { code, stdout, stderr } = await obs(['doctor'], { cwd, env })
    expect(code).toBe(exitCodes.failed)
    expect(stdout).toMatch(/fail +connection +cannot reach a PostgreSQL server at 127\.0\.0\.1:1/)
    expect(stdout).toContain('Check that the server runs and that DATABASE_URL names it')
    expect(stdout + stderr).not.toContain('open-sesame-8461')
  })

  it('exits 1 when others can read the password', async () => {
    const folder = join(cwd, 'open/.obs/server')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'password'), 'x', { mode: 0o644 })
    const { code, stdout } = await obs(['doctor'], { cwd: join(cwd, 'open') })
    expect(code).toBe(exitCodes.failed)
    expect(stdout).toMatch(/state-directory: Run chmod 600 .*password/)
  })
})

/** What a command answers with --json; `doctor` is not one of `obs db`, but looks at the same server. */
async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const command = args[0] === 'doctor' ? args : ['db', ...args]
  const { stdout, stderr, code } = await obs([...command, '--json'], { cwd })
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

function password(): Promise<string> {
  return readFile(join(cwd, '.obs/server/password'), 'utf8')
}

/** Runs obs on a pseudo-terminal, through the `script` of util-linux. */
async function onTerminal(command: string): Promise<string> {
  const executable = join(import.meta.dirname, '../../bin/obs.js')
  const line = `${JSON.stringify(process.execPath)} ${JSON.stringify(executable)} ${command}`
  const { stdout } = await promisify(execFile)('script', ['-qec', line, '/dev/null'], { cwd })
  return stdout
}

async function connected(work: () => Promise<void>): Promise<void> {
  const { stdout } = await obs(['db', 'url'], { cwd })
  const address: ServerAddress = parseDatabaseUrl(stdout.trim(), 'obs db url')
  await withDatabase(address, quietContext(), ({ sql }) => withSession(sql, work), { purpose: 'guest' })
}
