import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { main } from '../../src/cli.js'
import { githubAnnotation } from '../../src/reports/github.js'
import { takeDownOutput } from '../support/printed.js'

let root: string
const printed = takeDownOutput()

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'obs-check-'))
  const pack = { name: 'app', migrations: 'db', schema: 'public' }
  await writeFile(join(root, 'obs.config.json'), JSON.stringify({ packs: [pack] }))
  await mkdir(join(root, 'db'))
  await writeFile(join(root, 'db/0001_a.up.sql'), 'create table a (id int);')
  await writeFile(join(root, 'db/0001_a.down.sql'), 'drop table a;')
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', root, '-c', 'user.name=T', '-c', 'user.email=t@example.com', ...args])
  git('init', '--quiet', '--initial-branch=main')
  git('add', '--all')
  git('commit', '--quiet', '-m', 'one')
  await writeFile(join(root, 'db/0001_a.up.sql'), 'create table a (id bigint);')
  await writeFile(join(root, 'db/0002_b.up.sql'), 'create table b ();')
})

afterEach(() => {
  process.exitCode = undefined
})

afterAll(() => rm(root, { recursive: true, force: true }))

function check(...args: readonly string[]): Promise<number> {
  return main(['migrate', 'check', '--config', join(root, 'obs.config.json'), '--no-color', ...args])
}

it('prints what it found and both sides, and exits with 1', async () => {
  expect(await check('--base', 'main')).toBe(1)
  expect(printed.stdout).toMatch(/error edited +0001_a\.up\.sql:1/)
  expect(printed.stdout).toContain('- create table a (id int)')
  expect(printed.stdout).toContain('+ create table a (id bigint)')
  expect(printed.stdout).toMatch(/warning missing_down +0002_b\.up\.sql:1/)
  expect(printed.stdout).toMatch(/2 migrations compared with main \([0-9a-f]{7}\): 1 error, 1 warning\n$/)
})

it('answers in JSON, and exits with 1 all the same', async () => {
  expect(await check('--base', 'main', '--json')).toBe(1)
  expect(JSON.parse(printed.stdout)).toMatchObject({
    pack: 'app',
    base: { ref: 'main', migrations: 1 },
    migrations: 2,
    passed: false,
    findings: [
      { id: 'edited', severity: 'error', version: 1, file: '0001_a.up.sql', line: 1, hint: expect.any(String) },
      { id: 'missing_down', severity: 'warning', version: 2 },
    ],
  })
})

it('annotates the files for GitHub', async () => {
  expect(await check('--base', 'main', '--format', 'github')).toBe(1)
  const [first = '', second = ''] = printed.stdout.split('\n')
  expect(first).toMatch(
    /^::error file=.*db\/0001_a\.up\.sql,line=1,title=migrate check%3A edited::0001_a\.up\.sql says .*%0A/,
  )
  expect(second).toMatch(/^::warning file=.*0002_b\.up\.sql,/)
})

it('needs a base and one form of answer, and no database', async () => {
  expect(await check()).toBe(2)
  expect(printed.stderr).toContain('--base')
  expect(await check('--base', 'main', '--json', '--format', 'github')).toBe(2)
  expect(await check('--base=--upload-pack=x')).toBe(2)
  expect(printed.stderr).toContain('names no git ref')
  expect(await check('--base', 'main', '--database-url', 'postgres://nobody@127.0.0.1:1/none')).toBe(1)
})

it('lets no text end an annotation or begin another', () => {
  const message = 'a %0A b\r\n::error::c'
  expect(githubAnnotation({ level: 'notice', file: 'a,b:c.sql', line: 3, column: 2, title: 't', message })).toBe(
    '::notice file=a%2Cb%3Ac.sql,line=3,col=2,title=t::a %250A b%0D%0A::error::c',
  )
})
