import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { checkAgainstBase } from '../../../src/migrator/check/check.js'
import type { Pack } from '../../../src/packs.js'

const run = promisify(execFile)

let template: string
let root: string
let pack: Pack

/** A repository is made once and copied, because starting git takes most of the time. */
beforeAll(async () => {
  template = await mkdtemp(join(tmpdir(), 'obs-check-'))
  useFolder(template)
  await git('init', '--quiet', '--initial-branch=main')
  await write({
    '0001_pet.up.sql': 'create table pet (id int);\n',
    '0001_pet.down.sql': 'drop table pet;\n',
    '0002_toy.up.sql': 'create table toy (id int);\n',
    '0002_toy.down.sql': 'drop table toy;\n',
    'README.md': 'not a migration',
  })
  await commit('main')
  await git('checkout', '--quiet', '-b', 'feature')
})

beforeEach(async () => {
  useFolder(await mkdtemp(join(tmpdir(), 'obs-check-')))
  await cp(template, root, { recursive: true })
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(root, { recursive: true, force: true })
})

afterAll(() => rm(template, { recursive: true, force: true }))

function useFolder(folder: string): void {
  root = folder
  const migrations = join(root, 'services/app db/migrations')
  pack = { name: 'app', migrations, schema: 'public', historySchema: 'obs', shipped: false }
}

async function git(...args: readonly string[]): Promise<string> {
  const who = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', '-c', 'commit.gpgsign=false']
  const { stdout } = await run('git', ['-C', root, ...who, ...args])
  return stdout.trim()
}

async function commit(message: string): Promise<void> {
  await git('add', '--all')
  await git('commit', '--quiet', '--allow-empty', '-m', message)
}

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(pack.migrations, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
}

async function remove(...names: readonly string[]): Promise<void> {
  for (const name of names) await rm(join(pack.migrations, name))
}

/** Adds files to main while this branch goes on without them. */
async function onMain(files: Readonly<Record<string, string>>): Promise<void> {
  await commit('feature so far')
  await git('checkout', '--quiet', 'main')
  await write(files)
  await commit('main goes on')
  await git('checkout', '--quiet', 'feature')
}

async function found(ref = 'main'): Promise<string[]> {
  const { findings } = await checkAgainstBase(pack, ref)
  return findings.map(({ severity, id, version, file }) => `${severity} ${id} ${version} ${file}`)
}

describe('a branch that is fit to merge', () => {
  it('passes without a difference, and with a new migration on top', async () => {
    expect(await checkAgainstBase(pack, 'main')).toMatchObject({
      base: { ref: 'main', commit: await git('rev-parse', 'main'), migrations: 2 },
      migrations: 2,
      findings: [],
      passed: true,
    })
    await write({ '0003_new.up.sql': 'create table new ();', '0003_new.down.sql': 'drop table new;' })
    expect(await found()).toEqual([])
    await commit('new')
    expect(await found()).toEqual([])
  })

  it('passes when the base went on with versions below its new ones', async () => {
    await write({ '0005_new.up.sql': 'create table new ();', '0005_new.down.sql': 'drop table new;' })
    await onMain({ '0003_theirs.up.sql': 'create table theirs ();', '0003_theirs.down.sql': 'drop table theirs;' })
    expect(await found()).toEqual([])
  })

  it('passes for the first migrations of a folder that the base does not have', async () => {
    const other = { ...pack, migrations: join(root, 'other') }
    await mkdir(other.migrations)
    await writeFile(join(other.migrations, '0001_x.up.sql'), 'select 1')
    await writeFile(join(other.migrations, '0001_x.down.sql'), 'select 1')
    expect(await checkAgainstBase(other, 'main')).toMatchObject({ base: { migrations: 0 }, findings: [], passed: true })
  })

  it('passes after it has merged the base, edits of the base included', async () => {
    await onMain({ '0002_toy.up.sql': 'create table toy (id bigint);\n', '0003_t.up.sql': 'select 1' })
    await git('merge', '--quiet', '--no-edit', 'main')
    await write({ '0004_new.up.sql': 'select 1', '0004_new.down.sql': 'select 1' })
    expect(await found()).toEqual([])
  })
})

describe('a late version', () => {
  it('is one below the newest of the base, and the base is named', async () => {
    await write({ '0003_mine.up.sql': 'create table mine ();', '0003_mine.down.sql': 'drop table mine;' })
    await onMain({ '0004_theirs.up.sql': 'create table theirs ();', '0004_theirs.down.sql': 'drop table theirs;' })
    const { findings, passed } = await checkAgainstBase(pack, 'main')
    expect(findings).toEqual([
      expect.objectContaining({
        id: 'late',
        severity: 'error',
        version: 3,
        message: 'version 3 comes late: main is at 4 already (0004_theirs.up.sql)',
        hint: expect.stringContaining('above 4'),
      }),
    ])
    expect(passed).toBe(false)
  })
})

describe('a duplicate version', () => {
  it('is one that the base has gained under another name', async () => {
    await write({ '0003_mine.up.sql': 'create table mine ();', '0003_mine.down.sql': 'drop table mine;' })
    await onMain({ '0003_theirs.up.sql': 'create table theirs ();', '0003_theirs.down.sql': 'drop table theirs;' })
    expect(await found()).toEqual(['error duplicate 3 0003_mine.up.sql'])
  })

  it('is one that stands in the folder twice, in any form', async () => {
    await write({ '3_a.up.sql': 'select 1', '003_b.sql': '-- migrate:up\nselect 1;\n-- migrate:down\nselect 1;' })
    expect(await found()).toContainEqual(expect.stringMatching(/^error duplicate 3 /))
  })

  it('is not a form for another platform, nor a down whose title differs', async () => {
    await write({
      '0003_a.up.sql': 'select 1',
      '0003_a.timescaledb.up.sql': 'select 2',
      '0003_a_back.down.sql': 'select 1',
    })
    expect(await found()).toEqual([])
  })
})

describe('an edited migration', () => {
  it('is one whose statements changed, with both sides and the line', async () => {
    await write({ '0002_toy.up.sql': '-- toys\ncreate table toy (id bigint);\n' })
    const { findings } = await checkAgainstBase(pack, 'main')
    expect(findings).toEqual([
      expect.objectContaining({ id: 'edited', severity: 'error', version: 2, file: '0002_toy.up.sql', line: 2 }),
    ])
    expect(findings[0]?.change?.lines).toEqual(['- create table toy (id int)', '+ create table toy (id bigint)'])
  })

  it('is not one that was only formatted, which is said', async () => {
    await write({ '0002_toy.up.sql': '-- toys\nCREATE TABLE toy\n(\n  id int\n)\n' })
    expect(await found()).toEqual(['note reformatted 2 0002_toy.up.sql'])
    expect((await checkAgainstBase(pack, 'main')).passed).toBe(true)
  })

  it('is not one with other line endings', async () => {
    await write({ '0002_toy.up.sql': '\uFEFFcreate table toy (id int);\r\n' })
    expect(await found()).toEqual([])
  })

  it('is not one whose down changed, which is said', async () => {
    await write({ '0002_toy.down.sql': 'drop table if exists toy;' })
    expect(await found()).toEqual(['note down_edited 2 0002_toy.down.sql'])
  })

  it('is one that changed in a commit, too, and in either half of a file', async () => {
    const single = (type: string, back: string) =>
      `-- migrate:up\ncreate table s (id ${type});\n-- migrate:down\n${back};`
    await write({ '0003_s.sql': single('int', 'drop table s') })
    await commit('single')
    await git('branch', '--force', 'main', 'feature')
    await write({ '0003_s.sql': single('int', 'drop table if exists s') })
    await commit('down')
    expect(await found()).toEqual(['note down_edited 3 0003_s.sql'])
    await write({ '0003_s.sql': single('bigint', 'drop table s') })
    await commit('up')
    expect(await found()).toEqual(['error edited 3 0003_s.sql'])
  })

  it('is code that changed at all', async () => {
    await write({ '0003_c.ts': 'export async function up() {}\nexport async function down() {}' })
    await commit('code')
    await git('branch', '--force', 'main', 'feature')
    expect(await found()).toEqual([])
    await write({ '0003_c.ts': 'throw new Error("never run")\nexport async function up() {}\nexport const down = up' })
    expect(await found()).toContainEqual('error edited 3 0003_c.ts')
  })
})

describe('a migration that is gone', () => {
  it('is an error, unless the base never had it where the branches parted', async () => {
    await onMain({ '0003_theirs.up.sql': 'select 1', '0003_theirs.down.sql': 'select 1' })
    expect(await found()).toEqual([])
    await remove('0002_toy.up.sql', '0002_toy.down.sql')
    expect(await found()).toEqual(['error deleted 2 0002_toy.up.sql'])
  })

  it('is no error when the base dropped it, too', async () => {
    await remove('0002_toy.up.sql', '0002_toy.down.sql')
    await commit('gone here')
    await git('checkout', '--quiet', 'main')
    await remove('0002_toy.up.sql', '0002_toy.down.sql')
    await commit('gone there')
    await git('checkout', '--quiet', 'feature')
    expect(await found()).toEqual([])
  })

  it('is called renamed when another file has its version or its statements', async () => {
    const at = (name: string) => join(pack.migrations, name)
    await rename(at('0002_toy.up.sql'), at('0002_toys.up.sql'))
    expect(await found()).toEqual(['error renamed 2 0002_toys.up.sql'])
    await rename(at('0002_toys.up.sql'), at('0007_toy.up.sql'))
    await rename(at('0002_toy.down.sql'), at('0007_toy.down.sql'))
    const { findings } = await checkAgainstBase(pack, 'main')
    expect(findings).toEqual([
      expect.objectContaining({ id: 'renamed', version: 2, message: expect.stringContaining('would run it again') }),
    ])
  })

  it('is a warning for a down alone', async () => {
    await remove('0002_toy.down.sql')
    expect(await found()).toEqual(['warning deleted 2 0002_toy.down.sql'])
  })
})

describe('a new migration without a down', () => {
  it('is a warning, once, unless the file says why', async () => {
    await write({ '0003_a.up.sql': 'select 1', '0003_a.timescaledb.up.sql': 'select 1' })
    await write({ '0004_b.up.sql': '-- obs: irreversible it deletes what was old\nselect 1' })
    const { findings, passed } = await checkAgainstBase(pack, 'main')
    expect(findings.map((one) => `${one.severity} ${one.id} ${one.version}`)).toEqual(['warning missing_down 3'])
    expect(passed).toBe(true)
  })
})

describe('the base', () => {
  it.each(['main', 'main~0', 'refs/heads/main', 'HEAD', 'origin/main'])('may be called %s', async (ref) => {
    await git('update-ref', 'refs/remotes/origin/main', 'main')
    expect(await found(ref)).toEqual([])
  })

  it.each([
    ['--upload-pack=touch /tmp/x', 'invalid_ref'],
    ['--all', 'invalid_ref'],
    ['-h', 'invalid_ref'],
    ['', 'invalid_ref'],
    ['main\nmain', 'invalid_ref'],
    ['no-such-branch', 'unknown_ref'],
    ['main..feature', 'unknown_ref'],
    ['main:services', 'unknown_ref'],
    ['$(id)', 'unknown_ref'],
    ['main; id', 'unknown_ref'],
  ])('may not be %j', async (ref, code) => {
    await expect(checkAgainstBase(pack, ref)).rejects.toMatchObject({ exitCode: 2, code })
  })

  it('is looked for in the repository of the folder, whatever a hook says', async () => {
    vi.stubEnv('GIT_DIR', '.git')
    vi.stubEnv('GIT_INDEX_FILE', '/nowhere')
    expect(await found()).toEqual([])
  })

  it('may hold symbolic links, names of any kind and no file at all', async () => {
    await symlink('0001_pet.up.sql', join(pack.migrations, '0009_link.up.sql'))
    await write({ '0003_tab\there "ü".up.sql': 'select 1;', '0003_tab\there "ü".down.sql': '' })
    await commit('odd')
    await git('branch', '--force', 'main', 'feature')
    expect((await found()).filter((line) => !line.includes('link'))).toEqual([])
  })

  it('is compared as a whole in a clone without its history', async () => {
    await write({ '0002_toy.up.sql': 'create table toy (id bigint);' })
    await commit('edit')
    const clone = await mkdtemp(join(tmpdir(), 'obs-clone-'))
    await run('git', ['clone', '--quiet', '--depth', '1', '--no-single-branch', `file://${root}`, clone])
    const there = { ...pack, migrations: join(clone, 'services/app db/migrations') }
    const { findings } = await checkAgainstBase(there, 'origin/main')
    await rm(clone, { recursive: true })
    expect(findings.map((one) => one.id)).toEqual(['edited'])
  })
})

describe('the check is refused', () => {
  it('outside a repository, and for a folder that is not there', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'obs-outside-'))
    await expect(checkAgainstBase({ ...pack, migrations: outside }, 'main')).rejects.toMatchObject({
      code: 'not_a_repository',
      exitCode: 2,
    })
    await rm(outside, { recursive: true })
    await expect(checkAgainstBase({ ...pack, migrations: join(root, 'nowhere') }, 'main')).rejects.toMatchObject({
      code: 'migrations_unreadable',
      exitCode: 2,
    })
  })

  it('without a git on the PATH', async () => {
    vi.stubEnv('PATH', join(root, 'empty'))
    await expect(checkAgainstBase(pack, 'main')).rejects.toMatchObject({ code: 'git_missing', exitCode: 2 })
  })
})
