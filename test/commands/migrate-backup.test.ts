import type { ChildProcess } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { main } from '../../src/cli.js'
import { withDatabaseName } from '../../src/database/address.js'
import { quoteIdentifier } from '../../src/database/quote.js'
import { isAlive } from '../../src/is-alive.js'
import { splitWords } from '../../src/words.js'
import { inDatabase } from '../support/backups.js'
import { type CliResult, obs as obsProcess } from '../support/cli.js'
import { onServer, type TestDatabase, testDatabase } from '../support/database.js'
import { takeDownOutput } from '../support/printed.js'

// Each test starts obs several times.
vi.setConfig({ testTimeout: 180_000 })

let folder: string
let db: TestDatabase
const printed = takeDownOutput()

beforeEach(async () => {
  db = await testDatabase()
  folder = await mkdtemp(join(tmpdir(), 'obs-net-'))
  await configure({})
  await files({
    '0001_pet.up.sql': `create table pet (id int primary key); insert into pet values (1); create table toy (pet int references pet)`,
    '0002_name.up.sql': 'alter table toy add column name text;',
  })
  expect(await obs('migrate', 'up', '--to', '1')).toBe(0)
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

function configure(more: object): Promise<void> {
  const config = { packs: [{ name: 'pets', migrations: '.', schema: 'public' }], backups: 'backups', ...more }
  return files({ 'obs.config.json': JSON.stringify(config) })
}

async function files(content: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(content)) await writeFile(join(folder, name), text)
}

async function program(name: string, script: string): Promise<string> {
  await files({ [name]: `#!/bin/sh\n${script}\n` })
  await chmod(join(folder, name), 0o755)
  return join(folder, name)
}

function obs(...args: readonly string[]): Promise<number> {
  printed.stdout = ''
  printed.stderr = ''
  return main([...args, '--config', join(folder, 'obs.config.json'), '--database-url', db.url, '--no-color'])
}

const answer = () => JSON.parse(printed.stdout)
const versions = async () => (await db.sql`select version, backup_id from obs.migration_history order by id`).length
const backups = () => readdir(join(folder, 'backups')).catch(() => [])

/** Runs obs as a process, and presses Ctrl-C as soon as the program that it runs has written down its number. */
async function interruptedObs(...args: readonly string[]): Promise<CliResult> {
  const started = async (child: ChildProcess) => {
    await vi.waitFor(() => readFile(join(folder, 'pid')), { timeout: 30_000 })
    child.kill('SIGINT')
  }
  const env = { DATABASE_URL: db.url }
  const result = await obsProcess(args, { cwd: folder, env, started: (child) => void started(child) })
  expect(isAlive(Number(await readFile(join(folder, 'pid'), 'utf8')))).toBe(false)
  return result
}

const slow = () => `echo $$ > '${folder}/pid.draft'; mv '${folder}/pid.draft' '${folder}/pid'; exec sleep 100`

async function expectRefused(code: number, message: string): Promise<void> {
  expect(printed.stderr).toContain(message)
  expect({ code, versions: await versions(), backups: await backups() }).toEqual({ code, versions: 1, backups: [] })
}

describe('--backup external', () => {
  const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000)

  it('goes on when a file is young enough, and stops when it is too old, empty or gone', async () => {
    const proof = join(folder, 'last-backup')
    const up = (...more: string[]) =>
      obs('migrate', 'up', '--backup', 'external', '--backup-proof-file', proof, ...more)
    await expectRefused(await up(), 'cannot be looked at (ENOENT)')
    await files({ 'last-backup': '' })
    await expectRefused(await up(), 'is empty')
    await files({ 'last-backup': 'done' })
    await utimes(proof, hoursAgo(25), hoursAgo(25))
    await expectRefused(await up(), '25 hours ago; at most 24 hours are allowed')
    await utimes(proof, hoursAgo(-2), hoursAgo(-2))
    await expectRefused(await up(), 'which is yet to come')
    await utimes(proof, hoursAgo(25), hoursAgo(25))
    expect(await up('--backup-max-age', '2d', '--json')).toBe(0)
    expect(answer()).toMatchObject({ applied: [{ version: 2 }], backup: null })
    expect(await backups()).toEqual([])
  })

  it('asks a program, and believes only its exit code and a time', async () => {
    const ask = async (script: string, ...more: string[]) => {
      const path = await program("it's a proof", script)
      return obs(
        'migrate',
        'up',
        '--backup',
        'external',
        '--backup-proof-command',
        `"${path}" --stanza 'my db'`,
        ...more,
      )
    }
    await expectRefused(await ask('echo no backup for "$2" >&2; exit 3'), 'ended with exit code 3: no backup for my db')
    await expectRefused(await ask(`echo ${hoursAgo(30).toISOString()}`), '30 hours ago')
    await expectRefused(await ask('echo yesterday'), 'printed what is not a time')
    await expectRefused(await ask('kill -9 $$'), 'was ended by SIGKILL')
    const at = hoursAgo(2).toISOString()
    expect(await ask(`echo ${at}`)).toBe(0)
    expect(printed.stderr).toContain('relying on the other backup of')
    expect(await versions()).toBe(2)
    const remark = `relied on the backup of another system of ${at}, as it's a proof said`
    const said = await db.sql`select version, remark from obs.migration_history order by id`
    expect(said).toEqual([
      { version: 1, remark: null },
      { version: 2, remark },
    ])
    expect(await obs('migrate', 'show', '2')).toBe(0)
    expect(printed.stdout).toContain(remark)
  })

  it('ends the program on Ctrl-C, and nothing was changed', async () => {
    const proof = await program('proof', slow())
    const stopped = await interruptedObs('migrate', 'up', '--backup', 'external', '--backup-proof-command', proof)
    expect(stopped).toMatchObject({ code: 130, stdout: '', stderr: expect.stringContaining('interrupted') })
    expect({ versions: await versions(), backups: await backups() }).toEqual({ versions: 1, backups: [] })
    expect(await obs('migrate', 'up', '--backup', 'none')).toBe(0)
  })

  it('passes nothing to a shell', async () => {
    const code = await obs(
      'migrate',
      'up',
      '--backup',
      'external',
      '--backup-proof-command',
      `/bin/echo $(touch ${folder}/pwned); true`,
    )
    await expectRefused(code, 'printed what is not a time')
    expect(await readdir(folder)).not.toContain('pwned')
    const missing = await obs('migrate', 'up', '--backup', 'external', '--backup-proof-command', '/nowhere/proof')
    await expectRefused(missing, 'could not be started (ENOENT)')
  })

  it('is a mistake without a word about the proof, or with two, or beside another mode', async () => {
    await expectRefused(await obs('migrate', 'up', '--backup', 'external'), '--backup-proof-command')
    const both = ['--backup-proof-file', 'x', '--backup-proof-command', 'y']
    await expectRefused(await obs('migrate', 'up', '--backup', 'external', ...both), 'two answers')
    await expectRefused(await obs('migrate', 'up', '--backup-proof-file', 'x'), '--backup external alone')
    await expectRefused(await obs('migrate', 'up', '--backup', 'external', '--backup-max-age', 'soon'), 'such as 90s')
    await expectRefused(
      await obs('migrate', 'up', '--backup', 'external', '--backup-proof-command', `it's`),
      'not closed',
    )
  }, 60_000)

  it('comes from the configuration as well, and a plan says what has to be proven without asking', async () => {
    await program('proof', `touch '${folder}/asked'`)
    await configure({ backup: { mode: 'external', proofCommand: [join(folder, 'proof'), 'a b'], maxAge: '36h' } })
    expect(await obs('migrate', 'plan')).toBe(0)
    expect(printed.stdout).toContain(
      `backup: none of its own; ${join(folder, 'proof')} a b has to prove that another one is at most 36 h old`,
    )
    expect(await obs('migrate', 'up', '--dry-run', '--json')).toBe(0)
    expect(answer().backup).toEqual({ made: false, external: `${join(folder, 'proof')} a b`, max_age_ms: 129_600_000 })
    expect(await readdir(folder)).not.toContain('asked')
    expect(await obs('migrate', 'up')).toBe(0)
    expect(printed.stderr).toContain('did not print when the backup was made')
    expect(await readdir(folder)).toContain('asked')
  })

  it('is asked for by the configuration, with problems named by their place', async () => {
    await configure({ backup: { mode: 'most', maxAge: 'long', prooffile: 'x' } })
    expect(await obs('migrate', 'up')).toBe(2)
    expect(printed.stderr).toMatch(/backup\.mode: /)
    expect(printed.stderr).toContain('backup.maxAge: must be a time such as')
    expect(printed.stderr).toContain('backup.prooffile: is not a setting, did you mean proofFile')
  })
})

describe('--after-success', () => {
  it('runs on the whole backup before the first migration, and stops the run when it fails', async () => {
    const hook = await program(
      'hook',
      `echo "taking $1 $OBS_BACKUP_ID"; ls "$OBS_BACKUP_PATH" > '${folder}/seen'; exit 7`,
    )
    const code = await obs('migrate', 'up', '--after-success', `'${hook}' away`)
    expect(code).toBe(1)
    const [id = ''] = await backups()
    expect(printed.stderr).toContain(`taking away ${id}`)
    expect(printed.stdout).toBe('')
    expect(printed.stderr).toContain(`hook (--after-success) ended with exit code 7; the backup ${id} itself is whole`)
    expect(printed.stderr).toContain('no migration was run')
    expect(await versions()).toBe(1)
    expect(await readdir(folder)).toContain('seen')
  })

  it('is ended when it takes too long, and then no migration is run', async () => {
    await configure({ backup: { afterSuccess: [await program('hook', slow())], afterSuccessTimeout: '2s' } })
    expect(await obs('migrate', 'up')).toBe(1)
    const [id = ''] = await backups()
    expect(printed.stderr).toContain(
      `hook (--after-success) took too long and was ended; the backup ${id} itself is whole`,
    )
    expect(printed.stdout).toBe('')
    expect(await versions()).toBe(1)
    expect(isAlive(Number(await readFile(join(folder, 'pid'), 'utf8')))).toBe(false)
    expect(await obs('backup', 'verify', id)).toBe(0)
  })

  it('is ended by Ctrl-C, which leaves the backup and runs no migration', async () => {
    const stopped = await interruptedObs('migrate', 'up', '--after-success', await program('hook', slow()))
    const [id = ''] = await backups()
    const message = `interrupted while hook ran; the backup ${id} itself is whole`
    expect(stopped).toMatchObject({ code: 130, stdout: '', stderr: expect.stringContaining(message) })
    expect(await versions()).toBe(1)
    expect(await obs('backup', 'verify', id)).toBe(0)
  })
})

describe('a backup by size', () => {
  it('is of the whole database while that is small, and says so', async () => {
    expect(await obs('migrate', 'up', '--dry-run', '--json')).toBe(0)
    expect(answer().backup).toMatchObject({
      made: true,
      scope: 'full',
      scope_because: expect.stringMatching(/^it holds .*KiB/),
    })
    expect(await obs('migrate', 'up')).toBe(0)
    expect(printed.stderr).toContain('backing up the whole database: it holds')
  })

  it('is of the tables that the plan can alter where that is asked for', async () => {
    expect(await obs('migrate', 'plan', '--backup', 'tables', '--json')).toBe(0)
    expect(answer().backup).toMatchObject({ scope: 'tables', tables: [{ schema: 'public', name: 'toy' }] })
    expect(await obs('migrate', 'plan', '--backup', 'tables')).toBe(0)
    expect(printed.stdout).toContain('backup: the table public.toy with what they reference')
    await files({ '0003_any.up.sql': 'do $$ begin delete from pet; end $$;' })
    expect(await obs('migrate', 'plan', '--backup', 'tables', '--json')).toBe(0)
    expect(answer().backup).toMatchObject({
      scope: 'full',
      scope_because: expect.stringContaining('3_any runs do $$ begin'),
    })
  })
})

it('names the command that brings the backup back when a migration fails after a commit point, and it works', async () => {
  await files({
    '0002_name.up.sql': '-- obs: no-transaction\ndelete from toy;\ndelete from pet;\nselect 1/0;',
  })
  expect(await obs('migrate', 'up', '--backup', 'full')).toBe(1)
  expect(await db.sql`select from pet`).toHaveLength(0)
  const [, command = ''] = /this brings it back: (obs .*)/.exec(printed.stderr) ?? []
  const password = decodeURIComponent(new URL(db.url).password)
  expect(command).not.toContain(password)
  const env = process.env['PGPASSWORD']
  process.env['PGPASSWORD'] = password
  onTestFinished(() => {
    if (env === undefined) delete process.env['PGPASSWORD']
    else process.env['PGPASSWORD'] = env
  })
  expect(await main([...splitWords(command, 'the message').slice(1), '--yes', '--json']), printed.stderr).toBe(0)
  const { kept } = JSON.parse(printed.stdout.slice(printed.stdout.indexOf('{')))
  onTestFinished(() =>
    onServer(async (sql) => void (await sql.unsafe(`drop database ${quoteIdentifier(kept)} with (force)`))),
  )
  await inDatabase(db.address, async ({ sql }) => expect(await sql`select from pet`).toHaveLength(1))
  await inDatabase(withDatabaseName(db.address, kept), async ({ sql }) =>
    expect(await sql`select from pet`).toHaveLength(0),
  )
})
