import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { main } from '../../src/cli.js'
import { quietContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import { withDatabase } from '../../src/database/connect.js'
import { withMigrationLock } from '../../src/migrator/lock/lock.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { takeDownOutput } from '../support/printed.js'

let folder: string
let db: TestDatabase
const printed = takeDownOutput()

beforeEach(async () => {
  db = await testDatabase()
  folder = await mkdtemp(join(tmpdir(), 'obs-migrate-'))
  await files({
    'obs.config.json': JSON.stringify({
      packs: [{ name: 'pets', migrations: '.', schema: 'public' }],
      backups: 'backups',
    }),
    '0001_pet.up.sql': `create table pet (id bigint primary key, name text); insert into pet values (1, 'Rex');`,
    '0001_pet.down.sql': 'drop table pet;',
    '0002_toy.up.sql': 'create table toy (id int);',
    '0002_toy.down.sql': 'drop table toy;',
  })
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function files(content: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(content)) await writeFile(join(folder, name), text)
}

/** Runs `obs migrate …` as it is run from a shell, without a terminal. */
function migrate(...args: readonly string[]): Promise<number> {
  printed.stdout = ''
  printed.stderr = ''
  const config = ['--config', join(folder, 'obs.config.json'), '--database-url', db.url, '--no-color']
  return main(['migrate', ...args, ...config])
}

function answer() {
  return JSON.parse(printed.stdout)
}

describe('obs migrate up', () => {
  it('answers with what it applied, the backup it made and what it compared', async () => {
    expect(await migrate('up', '--to', '1')).toBe(0)
    expect(printed.stdout).toContain('up at version 1')
    expect(await migrate('up', '--json')).toBe(0)
    expect(answer()).toEqual({
      applied: [{ version: 2, name: 'toy', duration_ms: expect.any(Number) }],
      backup: {
        id: expect.any(String),
        path: expect.stringContaining(join(folder, 'backups')),
        restore: expect.stringMatching(/^obs backup restore \S+ --replace /),
      },
      preservation: {
        mode: 'hashes',
        because: expect.stringContaining('the tables hold about'),
        tables: [],
        rows: 0,
        values_identical: true,
        dropped: [],
      },
      duration_ms: expect.any(Number),
    })
    expect(await readdir(join(folder, 'backups'))).toHaveLength(1)
    const [row] = await db.sql`select backup_id from obs.migration_history where version = 2`
    expect(row?.['backup_id']).toBe(answer().backup.id)
  })

  it('makes no backup with --backup none, and says that all is up to date the second time', async () => {
    await migrate('up', '--to', '1')
    expect(await migrate('up', '--backup', 'none')).toBe(0)
    expect(await readdir(folder)).not.toContain('backups')
    expect(await migrate('up')).toBe(0)
    expect(printed.stdout).toBe('pets is up to date\n')
  })

  it('changes nothing with --dry-run', async () => {
    expect(await migrate('up', '--dry-run', '--json')).toBe(0)
    expect(answer()).toMatchObject({ applied: [], planned: [{ version: 1, transactional: true }, { version: 2 }] })
    expect(await readdir(folder)).not.toContain('backups')
    expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual([])
  })

  it('stops before anything when the backup fails, and says how to go on', async () => {
    await migrate('up', '--to', '1')
    const before = await readCatalog(db.sql, ['public', 'obs'])
    await files({ backups: 'a file where the folder should be' })
    expect(await migrate('up')).toBe(1)
    expect(printed.stderr).toContain('no migration was run')
    expect(printed.stderr).toContain('--backup none')
    expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual(before)
  })

  it.each([
    [['--to', 'abc'], '--to'],
    [['--to', '-1'], '--to'],
    [['--to', '9'], 'there is no migration with version 9'],
    [['--backup', 'some'], '--backup'],
    [['--preserve', 'maybe'], '--preserve'],
    [['--lock-timeout', 'long'], '--lock-timeout'],
    [['--lock-timeout', '-1'], '--lock-timeout'],
    [['--ddl-lock-timeout', '1e3'], '--ddl-lock-timeout'],
  ])('refuses %j with exit code 2 and changes nothing', async (flags, named) => {
    expect(await migrate('up', ...flags)).toBe(2)
    expect(printed.stderr).toContain(named)
    expect(printed.stdout).toBe('')
    expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual([])
  })

  it('prints one JSON document about a failure', async () => {
    await files({ '0003_boom.up.sql': 'select 1;\nselect nothing;' })
    expect(await migrate('up', '--json')).toBe(1)
    expect(answer().error).toMatchObject({
      code: 'migration_failed',
      message: expect.stringContaining('column "nothing" does not exist'),
      hint: expect.stringContaining('0003_boom.up.sql'),
      details: {
        migration: '0003_boom',
        applied: ['0001_pet', '0002_toy'],
        line: 2,
        column: 8,
        sqlState: '42703',
        now: 'the database is at version 2; 0003_boom was rolled back',
      },
    })
  })

  it('exits with 4 when another run holds the lock, and names it', async () => {
    const context = quietContext()
    const lock = { schema: 'public', timeoutMs: 0 }
    const code = await withDatabase(
      db.address,
      context,
      (database) => withMigrationLock(database, lock, context, () => migrate('up', '--lock-timeout', '0.2')),
      { purpose: 'colleague' },
    )
    expect(code).toBe(4)
    expect(printed.stderr).toContain('obs colleague')
    expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual([])
  })
})

describe('obs migrate down', () => {
  it('goes back and up again in a script without a question, and backs up first', async () => {
    await migrate('up')
    const before = await readCatalog(db.sql, ['public'])
    expect(await migrate('down', '--to', '1', '--json')).toBe(0)
    expect(answer()).toMatchObject({
      reverted: [{ version: 2, name: 'toy' }],
      backup: { id: expect.any(String) },
      preservation: { dropped: ['toy'] },
    })
    expect(await migrate('up', '--backup', 'none')).toBe(0)
    expect(await readCatalog(db.sql, ['public'])).toEqual(before)
  })

  it('reverts one by default, says when there is nothing left, and keeps to a dry run', async () => {
    await migrate('up')
    expect(await migrate('down', '--dry-run')).toBe(0)
    expect(printed.stdout).toContain('toy')
    expect(await migrate('down', '--backup', 'none')).toBe(0)
    expect(await migrate('down', '--to', '0', '--backup', 'none')).toBe(0)
    expect(await readCatalog(db.sql, ['public'])).toEqual([])
    expect(await migrate('down')).toBe(0)
    expect(printed.stdout).toBe('nothing to revert\n')
  })

  it.each([
    [['--to', '1', '--steps', '1'], '--to and --steps'],
    [['--steps', '0'], '--steps'],
    [['--to', '7'], 'there is no migration with version 7'],
  ])('refuses %j with exit code 2 and reverts nothing', async (flags, named) => {
    await migrate('up')
    expect(await migrate('down', ...flags)).toBe(2)
    expect(printed.stderr).toContain(named)
    await migrate('status', '--json')
    expect(answer().current).toBe(2)
  })
})

describe('obs migrate plan', () => {
  it('prints what up would do, as up --dry-run does, and changes nothing', async () => {
    await migrate('up', '--to', '1')
    const before = await readCatalog(db.sql, ['public', 'obs'])
    expect(await migrate('plan')).toBe(0)
    const plan = printed.stdout
    expect(plan).toContain('pets on postgres')
    expect(plan).toContain('at version 1; this ends at 2')
    expect(plan).toMatch(/0002_toy\.up\.sql:1 +create table/)
    expect(plan).toMatch(/backup: the whole database, up to about \d/)
    expect(plan).toContain('nothing was changed; obs migrate up runs this')
    expect(await migrate('up', '--dry-run')).toBe(0)
    expect(printed.stdout).toBe(plan)
    expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual(before)
    expect(await readdir(folder)).not.toContain('backups')
  })

  it('answers with everything in JSON, and up --dry-run with the same', async () => {
    await migrate('up', '--to', '1')
    await files({ '0002_toy.up.sql': 'create index on pet (name);' })
    expect(await migrate('plan', '--json')).toBe(0)
    const plan = answer()
    expect(plan).toMatchObject({
      pack: 'pets',
      schema: 'public',
      current: 1,
      ends_at: 2,
      planned: [
        {
          version: 2,
          direction: 'up',
          transactional: true,
          statements: [
            {
              number: 1,
              file: join(folder, '0002_toy.up.sql'),
              line: 1,
              kind: 'create index',
              locks: [{ schema: 'public', table: 'pet', mode: 'SHARE', rows: expect.any(Number) }],
              scans: [{ table: 'pet' }],
            },
          ],
          cannot_be_undone: [],
          lint: [{ rule: 'index-blocks-writes', severity: 'error', version: 2 }],
        },
      ],
      backup: { made: true, scope: 'full', engine: expect.any(String), estimated_bytes: expect.any(Number) },
      preservation: { mode: 'hashes', because: expect.any(String) },
    })
    expect(await migrate('up', '--dry-run', '--json')).toBe(0)
    expect(answer()).toEqual({ applied: [], ...plan })
  })

  it('takes a target and a number, and the way down', async () => {
    await migrate('plan', '--steps', '1', '--json')
    expect(answer()).toMatchObject({ ends_at: 1, backup: { made: false, because: 'the database holds nothing' } })
    await migrate('up', '--backup', 'none')
    expect(await migrate('plan', '--down', '--to', '0', '--backup', 'none')).toBe(0)
    expect(printed.stdout).toMatch(/down 2 toy[\s\S]+down 1 pet/)
    expect(printed.stdout).toContain('backup: none, because --backup none')
    expect(printed.stdout).toContain('obs migrate down --to 0 runs this')
    expect(await migrate('plan')).toBe(0)
    expect(printed.stdout).toContain('there is nothing to run')
    expect(await migrate('plan', '--to', '1', '--steps', '1')).toBe(2)
  })
})

describe('obs migrate redo and goto', () => {
  it('redo the newest and go to a version', async () => {
    await migrate('up', '--backup', 'none')
    expect(await migrate('redo', '--backup', 'none', '--json')).toBe(0)
    expect(answer()).toMatchObject({ reverted: [{ version: 2 }], applied: [{ version: 2 }], backup: null })
    expect(await migrate('redo', '2', '--backup', 'none')).toBe(0)
    expect(printed.stdout).toMatch(/2 {2}toy +down[\s\S]+1 {2}pet +down[\s\S]+1 {2}pet +up[\s\S]+2 {2}toy +up/)
    expect(printed.stdout).toContain('redid 2')
    expect(await migrate('goto', '1', '--backup', 'none', '--json')).toBe(0)
    expect(answer()).toMatchObject({ reverted: [{ version: 2 }], applied: [] })
    expect(await migrate('goto', '1')).toBe(0)
    expect(printed.stdout).toBe('the database is at version 1 already\n')
    expect(await migrate('goto', '2', '--backup', 'none')).toBe(0)
    expect(printed.stdout).toContain('at version 2')
  })

  it('show their plan and change nothing with --dry-run', async () => {
    await migrate('up', '--backup', 'none')
    const before = await readCatalog(db.sql, ['public', 'obs'])
    expect(await migrate('redo', '--dry-run', '--json')).toBe(0)
    expect(answer().planned.map((one: { direction: string }) => one.direction)).toEqual(['down', 'up'])
    expect(await migrate('goto', '0', '--dry-run')).toBe(0)
    expect(printed.stdout).toContain('obs migrate goto 0 runs this')
    expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual(before)
  })

  it.each([
    [['redo', '0'], 'count'],
    [['redo', 'all'], 'count'],
    [['goto'], 'version'],
    [['goto', '-1'], '-1'],
    [['goto', '9'], 'there is no migration with version 9'],
  ])('refuse %j with exit code 2', async (flags, named) => {
    expect(await migrate(...flags)).toBe(2)
    expect(printed.stderr).toContain(named)
  })

  it('run a late migration only where that is allowed', async () => {
    await rename(join(folder, '0002_toy.up.sql'), join(folder, '0003_toy.up.sql'))
    await rm(join(folder, '0002_toy.down.sql'))
    await migrate('up', '--backup', 'none')
    await files({ '0002_late.up.sql': 'create table late ();' })
    expect(await migrate('up', '--backup', 'none')).toBe(1)
    expect(printed.stderr).toContain('0002_late is older than 0003_toy, which is applied')
    expect(printed.stderr).toContain('--allow-out-of-order')
    await migrate('status')
    expect(printed.stdout).toContain('came late, below version 3: 2 late')
    expect(await migrate('plan', '--allow-out-of-order')).toBe(0)
    expect(printed.stdout).toContain('up 2 late: in one transaction, out of order')
    expect(await migrate('up', '--backup', 'none', '--allow-out-of-order')).toBe(0)
    expect(printed.stdout).toContain('applied 1 in ')
    await migrate('show', '2')
    expect(printed.stdout).toContain('out of order')
  })
})

describe('obs migrate show', () => {
  it('prints what is known of a migration, and how to get back to before it', async () => {
    await migrate('up', '--to', '1')
    await files({ '0002_toy.up.sql': 'alter table pet add column toy text;' })
    await migrate('up', '--json')
    const { id } = answer().backup
    expect(await migrate('show', '2')).toBe(0)
    expect(printed.stdout).toContain('2 toy of pets on postgres: applied')
    expect(printed.stdout).toMatch(/up {6}.*0002_toy\.up\.sql/)
    expect(printed.stdout).toContain(`back to before it: obs backup restore ${id} --to before_2`)
    expect(printed.stdout).toMatch(/pet +1 +1 +2 +yes/)
    expect(await migrate('show', '2', '--json')).toBe(0)
    expect(answer()).toMatchObject({
      version: 2,
      state: 'applied',
      attempts: [
        {
          direction: 'up',
          state: 'applied',
          backup: { id, restore: `obs backup restore ${id} --to before_2` },
          receipt: {
            mode: 'hashes',
            tables: [{ table: 'pet', rows_before: 1, rows_after: 1, columns: { id: expect.any(String) } }],
          },
        },
      ],
    })
  })

  it('refuses a version that nobody knows with exit code 2', async () => {
    expect(await migrate('show', '9')).toBe(2)
    expect(printed.stderr).toContain('there is no migration with version 9')
    expect(await migrate('show', 'two')).toBe(2)
  })
})

describe('obs migrate status', () => {
  it('shows every migration and the next command', async () => {
    await migrate('up', '--to', '1')
    expect(await migrate('status')).toBe(0)
    expect(printed.stdout).toMatch(/1 {2}pet +applied +\d{4}-/)
    expect(printed.stdout).toMatch(/2 {2}toy +pending/)
    expect(printed.stdout).toContain('1 pending; obs migrate up applies it')
    expect(await migrate('status', '--json')).toBe(0)
    expect(answer()).toEqual({
      pack: 'pets',
      platform: 'postgres',
      current: 1,
      migrations: [
        {
          version: 1,
          name: 'pet',
          state: 'applied',
          applied_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
          reversible: true,
        },
        { version: 2, name: 'toy', state: 'pending', applied_at: null, reversible: true },
      ],
    })
  })

  it('writes nothing to an untouched database', async () => {
    expect(await migrate('status', '--json')).toBe(0)
    expect(answer().current).toBe(0)
    expect(await readCatalog(db.sql, ['public', 'obs'])).toEqual([])
  })

  it('says what is wrong and what to do about it', async () => {
    await migrate('up')
    await rm(join(folder, '0002_toy.up.sql'))
    await rm(join(folder, '0002_toy.down.sql'))
    await files({ '0001_pet.up.sql': 'select 1;' })
    await migrate('status')
    expect(printed.stdout).toMatch(/pet +changed/)
    expect(printed.stdout).toMatch(/toy +missing/)
    expect(printed.stdout).toContain('restore the files')
    expect(printed.stdout).toContain('0001_pet.up.sql:1 (- as applied, + as it is now)\n  - create table pet')
    expect(await migrate('status', '--json')).toBe(0)
    expect(answer().changes).toEqual([
      {
        migration: '0001_pet',
        file: join(folder, '0001_pet.up.sql'),
        line: 1,
        lines: expect.arrayContaining(['+ select 1']),
      },
    ])
  })
})

it('goes on after a statement that failed outside a transaction, and repairs what is not known', async () => {
  await files({ '0003_x.up.sql': '-- obs: no-transaction\ncreate table one ();\nselect 1/0;', '0003_x.down.sql': '' })
  expect(await migrate('up', '--backup', 'none')).toBe(1)
  expect(printed.stderr).toContain('0003_x stopped before statement 2')
  await migrate('status')
  expect(printed.stdout).toContain('x stopped before statement 2; mend the file, then obs migrate up goes on there')
  expect(await migrate('down', '--backup', 'none')).toBe(5)
  expect(await migrate('repair', '3')).toBe(5)
  expect(printed.stdout).toContain('0003_x (up) stopped before statement 2 of 2')
  process.exitCode = undefined
  expect(await migrate('repair', '3', '--resume-at', '1')).toBe(2)
  expect(await migrate('repair', '3', '--by-hand')).toBe(2)
  expect(await migrate('repair', '3', '--resume-at', '3')).toBe(0)
  expect(await migrate('up', '--backup', 'none')).toBe(0)
  await migrate('status', '--json')
  expect(answer()).toMatchObject({ current: 3, migrations: [{}, {}, { state: 'applied' }] })
})

describe('obs migrate create', () => {
  it('writes the next up and down file and never overwrites', async () => {
    expect(await migrate('create', 'Añadir tenants & more', '--json')).toBe(0)
    expect(answer()).toEqual({
      version: 3,
      id: '0003_anadir_tenants_more',
      files: [join(folder, '0003_anadir_tenants_more.up.sql'), join(folder, '0003_anadir_tenants_more.down.sql')],
    })
    expect(await readFile(answer().files[0], 'utf8')).toContain('0003_anadir_tenants_more')
    expect(await migrate('create', 'again')).toBe(0)
    expect(await readdir(folder)).toContain('0004_again.up.sql')
    expect(await migrate('up', '--backup', 'none')).toBe(0)
  })

  it.each(['', '../../etc', '🐶', 'x'.repeat(200)])('makes no file outside the folder from %j', async (name) => {
    const code = await migrate('create', name)
    const made = (await readdir(folder)).filter((file) => file.startsWith('0003'))
    expect(code === 2 ? made : made.sort()).toEqual(code === 2 ? [] : ['0003_etc.down.sql', '0003_etc.up.sql'])
  })

  it('refuses a pack that comes with obs', async () => {
    expect(await migrate('create', 'mine', '--pack', 'observability')).toBe(2)
    expect(printed.stderr).toContain('obs.config')
  })
})
