import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { obsVersion } from '../../src/package.js'
import { obs } from '../support/cli.js'

let cwd: string

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'obs-cli-'))
})

afterAll(() => rm(cwd, { recursive: true, force: true }))

it('prints its version', async () => {
  expect(await obs(['--version'], { cwd })).toEqual({ code: 0, stdout: `${obsVersion()}\n`, stderr: '' })
})

it('lists its commands and exit codes in the help', async () => {
  const { code, stdout } = await obs(['--help'], { cwd })
  expect(code).toBe(0)
  for (const name of ['migrate', 'backup', 'seed', 'validate', 'query', 'db', 'demo', 'doctor']) {
    expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
  }
  expect(stdout).toContain('130 interrupted')
})

it.each(['migrate', 'backup', 'seed', 'validate', 'query', 'db', 'demo', 'doctor'])(
  'shows examples in the help of %s',
  async (name) => {
    const { code, stdout } = await obs([name, '--help'], { cwd })
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`\\$ obs ${name}`))
  },
)

it('suggests the nearest command and exits with 2', async () => {
  const { code, stdout, stderr } = await obs(['migrtae'], { cwd })
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain("unknown command 'migrtae'")
  expect(stderr).toContain('Did you mean migrate?')
})

it('suggests the nearest option and exits with 2', async () => {
  const { code, stderr } = await obs(['seed', '--dayz', '3'], { cwd })
  expect(code).toBe(2)
  expect(stderr).toContain("unknown option '--dayz'")
  expect(stderr).toContain('--days')
})

it('reports every bad setting at once', async () => {
  const { code, stderr } = await obs(['migrate', 'status', '--log-format', 'xml'], {
    cwd,
    env: { OBS_LOG_LEVEL: 'loud', OBS_WORKSPACE: 'mine' },
  })
  expect(code).toBe(2)
  for (const name of ['--log-format', 'OBS_LOG_LEVEL', 'OBS_WORKSPACE']) expect(stderr).toContain(name)
})

it('prints errors as one JSON document with --json', async () => {
  const { code, stdout, stderr } = await obs(['query', 'home-kpi', '--json'], { cwd })
  expect(code).toBe(2)
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: expect.any(String), message: expect.stringContaining('home-kpi') },
  })
  expect(stderr).toBe('')
})

it('prints one JSON document with --json also where no command was named', async () => {
  for (const args of [['--json'], ['migrate', '--json']]) {
    const { code, stdout } = await obs(args, { cwd })
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'no_command' } })
  }
})

it('masks a password in every part of an error', async () => {
  const url = 'postgres://me:correct-horse@db.example.com/traces'
  const { stdout } = await obs(['migrate', 'status', '--json', '--pack', url], { cwd })
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'unknown_pack' } })
  expect(stdout).not.toContain('correct-horse')
})

it('does not mind a reader that closes the pipe', async () => {
  const { code, stderr } = await obs(['query', '--list'], { cwd, started: ({ stdout }) => stdout?.destroy() })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})

it('writes its log as JSON and as much of it as was asked for', async () => {
  const doctor = (...flags: string[]) => obs(['doctor', '--log-format', 'json', ...flags], { cwd })
  const lines = (await doctor('--verbose')).stderr.trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['settings', expect.stringContaining('looking around')])
  expect((await doctor('--log-level', 'warn')).stderr).toBe('')
})

it('leaves nothing behind when it was used wrongly', async () => {
  expect(await readdir(cwd)).toEqual([])
})
