import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { main } from '../../src/cli.js'
import { readCatalog } from '../../src/database/catalog.js'
import { tables } from '../migrator/import/tools.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { takeDownOutput } from '../support/printed.js'

let folder: string
let db: TestDatabase
const printed = takeDownOutput()

beforeEach(async () => {
  db = await testDatabase()
  folder = await mkdtemp(join(tmpdir(), 'obs-adopt-'))
  const config = { packs: [{ name: 'pets', migrations: '.', schema: 'public' }] }
  const files = {
    'obs.config.json': JSON.stringify(config),
    '1_pet.up.sql': 'create table pet (id int);',
    '2_toy.up.sql': 'create table toy (id int);',
    '3_vet.up.sql': 'create table vet (id int);',
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  await db.sql.unsafe('create table pet (id int)')
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** Runs `obs migrate …` as it is run from a shell, without a terminal. */
function migrate(...args: readonly string[]): Promise<number> {
  printed.stdout = ''
  printed.stderr = ''
  const config = ['--config', join(folder, 'obs.config.json'), '--database-url', db.url, '--no-color']
  return main(['migrate', ...args, ...config])
}

async function historyIsThere(): Promise<boolean> {
  return (await readCatalog(db.sql, ['obs'])).length > 0
}

describe('obs migrate import', () => {
  beforeEach(async () => {
    await db.sql.unsafe(tables.goose)
    await db.sql`insert into goose_db_version (version_id, is_applied, tstamp) values (1, true, '2026-01-01 10:00')`
  })

  it('answers with what it took over and what is left', async () => {
    await db.sql`insert into goose_db_version (version_id, is_applied, tstamp) values (3, true, '2026-01-03 10:00')`
    expect(await migrate('import', '--from', 'goose', '--json')).toBe(0)
    expect(JSON.parse(printed.stdout)).toEqual({
      tool: 'goose',
      table: 'public.goose_db_version',
      dry_run: false,
      imported: [
        { version: 1, name: 'pet', applied_at: '2026-01-01T10:00:00.000Z' },
        { version: 3, name: 'vet', applied_at: '2026-01-03T10:00:00.000Z' },
      ],
      late: [{ version: 2, name: 'toy' }],
      pending: [],
      left_out: [],
    })
    expect(await migrate('up', '--backup', 'none')).toBe(1)
    expect(printed.stderr).toContain('2_toy')
    expect(await migrate('up', '--backup', 'none', '--allow-out-of-order')).toBe(0)
    expect(await db.sql`select from pg_tables where tablename = 'toy'`).toHaveLength(1)
  })

  it('says in words what it did, and that the other table stays', async () => {
    expect(await migrate('import')).toBe(0)
    expect(printed.stdout.split('\n')).toEqual([
      'version  name  applied at',
      '      1  pet   2026-01-01 10:00:00Z',
      '',
      'imported 1 migration of goose, as public.goose_db_version says; none was run',
      'pending: 2_toy, 3_vet',
      'public.goose_db_version stays as it is; from now on run obs here, and goose no more',
      '',
    ])
    expect(await db.sql`select * from goose_db_version`).toHaveLength(2)
  })

  it('changes nothing with --dry-run', async () => {
    expect(await migrate('import', '--dry-run')).toBe(0)
    expect(printed.stdout).toContain('1 migration of goose would be imported')
    expect(printed.stdout).toContain('nothing was changed')
    expect(await historyIsThere()).toBe(false)
  })

  it('refuses a tool and a table that it does not know, with exit code 2', async () => {
    expect(await migrate('import', '--from', 'sqitch')).toBe(2)
    expect(printed.stderr).toContain('golang-migrate, dbmate, goose, flyway, node-pg-migrate, kysely, knex')
    expect(await migrate('import', '--table', 'nowhere', '--json')).toBe(2)
    expect(JSON.parse(printed.stdout)).toMatchObject({ error: { code: 'no_foreign_history' } })
    expect(await historyIsThere()).toBe(false)
  })
})

describe('obs migrate baseline', () => {
  it('answers with the version it found and what it recorded', async () => {
    expect(await migrate('baseline', '--json')).toBe(0)
    expect(JSON.parse(printed.stdout)).toEqual({
      version: 1,
      dry_run: false,
      compared: true,
      differences: { missing: [], extra: [] },
      recorded: [{ version: 1, name: 'pet' }],
      pending: [
        { version: 2, name: 'toy' },
        { version: 3, name: 'vet' },
      ],
    })
    expect(await migrate('up', '--backup', 'none')).toBe(0)
    expect(printed.stdout).toContain('up at version 3')
  })

  it('refuses what differs, and names the command that accepts it', async () => {
    expect(await migrate('baseline', '--to', '2')).toBe(1)
    expect(printed.stderr).toContain('only in the migrations: table public.toy')
    expect(printed.stderr).toContain('obs migrate baseline --to 2 --accept-differences')
    expect(await historyIsThere()).toBe(false)
    expect(await migrate('baseline', '--to', '2', '--accept-differences', '--dry-run')).toBe(0)
    expect(printed.stdout).toContain('obs migrate baseline --to 2 --accept-differences records it')
    expect(await historyIsThere()).toBe(false)
    expect(await migrate('baseline', '--to', '2', '--accept-differences')).toBe(0)
    expect(printed.stdout).toContain('recorded as applied, none was run: 1_pet, 2_toy')
  })

  it('refuses flags that contradict each other, with exit code 2', async () => {
    expect(await migrate('baseline', '--no-compare')).toBe(2)
    expect(printed.stderr).toContain('--no-compare needs the version to record')
    expect(await migrate('baseline', '--to', 'x')).toBe(2)
    expect(await migrate('baseline', '--to', '2', '--no-compare', '--json')).toBe(0)
    expect(JSON.parse(printed.stdout)).toMatchObject({ compared: false, differences: null })
  })
})
