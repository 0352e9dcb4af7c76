import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { textChecksum } from '../../src/migrator/checksum/checksum.js'
import { nextVersion } from '../../src/migrator/files/create.js'
import { parseDirectives } from '../../src/migrator/files/directives.js'
import { discover } from '../../src/migrator/files/discover.js'
import { parseName } from '../../src/migrator/files/file-name.js'
import { indexOfPosition, locate } from '../../src/migrator/files/location.js'
import type { Migration } from '../../src/migrator/migration.js'
import { testPack } from '../support/packs.js'

describe('a file name', () => {
  it.each([
    ['0001_pet.up.sql', { version: 1, name: 'pet', script: 'up', variant: null }],
    ['0006_roll.ups.timescaledb.down.sql', { version: 6, name: 'roll.ups', script: 'down', variant: 'timescaledb' }],
    ['20261122093000_a b.verify.sql', { version: 20261122093000, name: 'a b', script: 'verify' }],
    ['7_x.ts', { kind: 'module', version: 7, name: 'x' }],
    ['README.md', { kind: 'other' }],
    ['schema.sql', { kind: 'other' }],
    ['0001_pet.d.ts', { kind: 'other' }],
    ['helpers.ts', { kind: 'other' }],
    ['0001_pet.sql', { kind: 'single', name: 'pet', otherwise: expect.stringContaining('.up.sql, .down.sql or') }],
    ['0001_pet.dwon.sql', { kind: 'single', otherwise: expect.stringContaining('did you mean "down"') }],
    ['12_v1.2-beta.fix-it.up.sql', { version: 12, name: 'v1.2-beta.fix-it', script: 'up', variant: null }],
    ['4_pets.go', { kind: 'foreign', version: 4, language: 'Go' }],
    ['0004-pets.rb', { kind: 'foreign', version: 4, language: 'Ruby' }],
    ['4_pets_test.go', { kind: 'other' }],
    ['migrations.go', { kind: 'other' }],
    ['1_pet.up.sql.orig', { kind: 'other' }],
    ['1_pet.up.pgsql', { message: expect.stringContaining('obs reads .sql and .ts') }],
    ['0001_pet.timescale.up.sql', { message: expect.stringContaining('did you mean "timescaledb"') }],
    ['0001-pet.up.sql', { message: expect.stringContaining('<version>_<name>') }],
    ['pet.up.sql', { message: expect.stringContaining('<version>_<name>') }],
    ['0000_zero.up.sql', { message: expect.stringContaining('version 0') }],
    ['99999999999999999999_big.up.sql', { message: expect.stringContaining('9007199254740991') }],
  ])('%s', (file, expected) => {
    expect(parseName(file)).toMatchObject(expected)
  })
})

describe('a folder', () => {
  const problemsOf = async (files: Readonly<Record<string, string | Uint8Array>>) => {
    const pack = await testPack(files)
    const error = await discover(pack.migrations).catch((thrown: unknown) => thrown)
    return (error as { problems: { message: string }[] }).problems.map((problem) => problem.message)
  }

  it('reports every problem at once', async () => {
    const problems = await problemsOf({
      '0001_a.up.sql': '-- obs: chnages pet.name\nselect 1',
      '0002_b.down.sql': 'select 1',
      '0003_c.ups.sql': 'select 1',
      '0004_d.js': 'export const down = 1',
      '0005_e.js': 'this is not JavaScript',
      '0006_f.up.sql': new Uint8Array([0xff, 0xfe]),
    })
    expect(problems).toHaveLength(6)
    expect(problems).toContain('0006_f.up.sql: the file is not UTF-8 text')
    expect(problems.join('\n')).toContain('did you mean "changes"')
    expect(problems.join('\n')).toContain('there is no 0002_b.up.sql')
    expect(problems.join('\n')).toContain('0004_d.js: it exports no function up')
  })

  it('names a file that cannot be read', async () => {
    const pack = await testPack({ '0001_a.up.sql': 'select 1' })
    await symlink('nowhere', join(pack.migrations, '0002_b.up.sql'))
    await expect(discover(pack.migrations)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('0002_b.up.sql: ENOENT'),
    })
  })

  it.each([
    [['0001_a.up.sql', '0001_b.up.sql', '0001_a.down.sql'], '0001_a.up.sql and 0001_b.up.sql'],
    [['0001_a.up.sql', '1_a.up.sql'], '0001_a.up.sql and 1_a.up.sql'],
    [['0001_a.up.sql', '0001_b.timescaledb.up.sql'], '0001_a.up.sql and 0001_b.timescaledb.up.sql'],
    [['0001_a.up.sql', '0001_a.down.sql', '1_b.down.sql'], '0001_a.down.sql and 1_b.down.sql'],
    [
      ['0001_a.up.sql', '0001_a.verify.sql', '0001_a.postgres.up.sql', '01_a.verify.sql'],
      '0001_a.verify.sql and 01_a.verify.sql',
    ],
  ])('names both files of a version that exists twice: %j', async (files, named) => {
    expect(await problemsOf(Object.fromEntries(files.map((file) => [file, 'select 1'])))).toEqual([
      `version 1 exists twice: ${named}`,
    ])
  })

  it('pairs an up and a down by their version, and takes the name of the up', async () => {
    const pack = await testPack({
      '3_add_users.up.sql': 'select 1',
      '3_remove_users.down.sql': 'select 2',
      '04_b.down.sql': 'select 2',
      '4_a.up.sql': 'select 1',
    })
    const migrations = await discover(pack.migrations)
    expect(migrations.map(({ version, id, name, down }) => [version, id, name, down.length])).toEqual([
      [3, '3_add_users', 'add_users', 1],
      [4, '4_a', 'a', 1],
    ])
  })

  it('passes over what is in folders, whatever numbers it reuses', async () => {
    const pack = await testPack({ '1_a.up.sql': 'select 1' })
    await mkdir(join(pack.migrations, 'archive'))
    await mkdir(join(pack.migrations, '2_folder.up.sql'))
    await writeFile(join(pack.migrations, 'archive', '1_a.up.sql'), 'this is not SQL')
    expect((await discover(pack.migrations)).map((one) => one.id)).toEqual(['1_a'])
  })

  it('names versions that only another tool can run, and no others', async () => {
    const files = {
      '1_a.up.sql': 'select 1',
      '1_a.go': 'package migrations',
      '0004_x.go': 'package migrations',
      '5_y.py': 'pass',
      '6_z.rb': '',
      '7_z.php': '',
      'main.go': 'package main',
    }
    expect(await problemsOf(files)).toEqual([
      '0004_x.go: version 4 is written in Go only, which obs cannot run; write it in SQL or TypeScript',
      '5_y.py: version 5 is written in Python only, which obs cannot run; write it in SQL or TypeScript',
      '6_z.rb: version 6 is written in Ruby only, which obs cannot run; write it in SQL or TypeScript',
      '7_z.php: version 7 is written in PHP only, which obs cannot run; write it in SQL or TypeScript',
    ])
  })

  it('names a NUL character, which the server would take for the end', async () => {
    const pack = await testPack({ '1_a.up.sql': 'select 1;\n\0drop table x;' })
    await expect(discover(pack.migrations)).rejects.toMatchObject({
      exitCode: 2,
      problems: [{ message: expect.stringContaining('NUL'), location: { line: 2, column: 1 } }],
    })
  })

  it('of thousands of files is read in order, however slowly they come', async () => {
    const files = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`${i + 1}_t.up.sql`, `select ${i + 1}`]))
    const pack = await testPack(files)
    const migrations = await discover(pack.migrations)
    expect(migrations.map(({ version, up }) => [version, up[0]?.text])).toEqual(
      Array.from({ length: 2000 }, (_, i) => [i + 1, `select ${i + 1}`]),
    )
  })

  it('names a migration that exists as SQL and as a module', async () => {
    const files = { '0001_a.up.sql': 'select 1', '0001_a.js': 'export const up = async () => {}' }
    expect(await problemsOf(files)).toEqual(['version 1 exists twice: 0001_a.js and 0001_a.up.sql'])
  })

  it('that does not exist is named', async () => {
    await expect(discover('/nowhere/at/all')).rejects.toMatchObject({ code: 'migrations_unreadable', exitCode: 2 })
  })
})

describe('the checksum of a text', () => {
  it('does not depend on line endings, a byte order mark or spaces at the end of a line', () => {
    const plain = textChecksum('select 1;\nselect 2;\n')
    for (const same of ['select 1;\r\nselect 2;', '\uFEFFselect 1; \nselect 2;\t\n\n', 'select 1;\rselect 2;']) {
      expect(textChecksum(same)).toBe(plain)
    }
  })

  it('depends on everything else', () => {
    const all = ['select 1;', 'select  1;', 'select 2;', 'select 1;\n\nselect 1;', ' select 1;'].map(textChecksum)
    expect(new Set(all).size).toBe(all.length)
  })
})

describe('directives', () => {
  it('keep the reason for what cannot be taken back', () => {
    const text = '-- obs: lossy the old prices are rounded\n-- obs: irreversible an enum keeps its values\nselect 1'
    expect(parseDirectives('/f.sql', text).directives).toMatchObject({
      lossy: 'the old prices are rounded',
      irreversible: 'an enum keeps its values',
    })
  })

  it('are read from the header, names folded as SQL folds them', () => {
    const text =
      '/* intro */\n-- obs: no-transaction\r\n--obs: changes Traces.Cost_USD\n-- obs: drops "Odd ""Name"""."x.y"\n\n-- obs: requires vector\nselect 1'
    expect(parseDirectives('/f.sql', text)).toEqual({
      directives: {
        noTransaction: true,
        changes: [{ table: 'traces', column: 'cost_usd' }],
        drops: [{ table: 'Odd "Name"', column: 'x.y' }],
        requires: ['vector'],
      },
      problems: [],
    })
  })

  it.each([
    ['-- obs: no-transactions', 'unknown directive "no-transactions", did you mean "no-transaction"?'],
    ['-- obs: lossy', 'the directive lossy says why: -- obs: lossy <reason>'],
    ['-- obs: irreversible', 'the directive irreversible says why: -- obs: irreversible <reason>'],
    ['-- obs: fly', 'unknown directive "fly"'],
    ['-- obs: changes', 'names a table or table.column'],
    ['-- obs: changes a.b.c', 'names a table or table.column'],
    ['-- obs: no-transaction please', 'takes nothing after it'],
    ['-- obs: requires', 'names no extension'],
  ])('%s is a problem', (line, message) => {
    const { problems } = parseDirectives('/f.sql', `-- header\n${line}\nselect 1`)
    expect(problems).toEqual([
      { message: expect.stringContaining(message), location: expect.objectContaining({ line: 2, column: 4 }) },
    ])
  })

  it.each(['no-transaction', 'lossy the old names are gone', 'irreversible the old names are gone'])(
    '%s below the first statement is a problem, and has no effect',
    (directive) => {
      const nothing = parseDirectives('/f.sql', 'select 1;\n').directives
      const { directives, problems } = parseDirectives('/f.sql', `select 1;\n-- obs: ${directive}\n`)
      expect(directives).toEqual(nothing)
      expect(problems).toMatchObject([{ message: expect.stringContaining('move it above'), location: { line: 2 } }])
    },
  )

  it('leave to lint what lint is told to allow, anywhere in the file', () => {
    const { problems } = parseDirectives('/f.sql', '-- obs: allow x why\nselect 1;\n-- obs: allow\nselect 2;')
    expect(problems).toEqual([])
  })
})

describe('a place in a file', () => {
  it('is counted in characters from 1, with a caret below', () => {
    const text = 'a\r\n\tb 🐶 c\n'
    expect(locate('/x.sql', text, text.indexOf('c'))).toEqual({
      file: '/x.sql',
      line: 2,
      column: 6,
      snippet: '2 |  b 🐶 c\n  |      ^',
    })
  })

  it('stays readable in a very long line', () => {
    const text = `${'x'.repeat(5000)}!${'y'.repeat(5000)}`
    const { column, snippet } = locate('/x.sql', text, 5000)
    const [shown = '', caret = ''] = snippet.split('\n')
    expect(column).toBe(5001)
    expect(shown.length).toBeLessThan(200)
    expect(shown[caret.indexOf('^')]).toBe('!')
  })

  it('is found from PostgreSQL positions, which count a character outside the BMP once', () => {
    expect(indexOfPosition("select '🐶', x", 13)).toBe(13)
    expect(indexOfPosition('abc', 1)).toBe(0)
    expect(indexOfPosition('abc', 99)).toBe(3)
  })
})

describe('the next version', () => {
  const newest = (version: number, id: string) =>
    [{ version, id, name: 'x', up: [], down: [], verify: [] }] satisfies Migration[]
  const now = new Date('2026-11-22T09:30:00Z')

  it('follows the folder', () => {
    expect(nextVersion([], {})).toBe('0001')
    expect(nextVersion(newest(9, '0009_x'), {})).toBe('0010')
    expect(nextVersion(newest(99, '99_x'), {})).toBe('100')
    expect(nextVersion(newest(20250101000000, '20250101000000_x'), { now })).toBe('20261122093000')
  })

  it('is a timestamp when asked for, and always above the newest', () => {
    expect(nextVersion(newest(9, '0009_x'), { timestamp: true, now })).toBe('20261122093000')
    expect(nextVersion(newest(20991231000000, '20991231000000_x'), { now })).toBe('20991231000001')
  })
})
