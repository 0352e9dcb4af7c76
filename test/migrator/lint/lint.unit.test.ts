import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { discover } from '../../../src/migrator/files/discover.js'
import { chooseVersions } from '../../../src/migrator/lint/choose-versions.js'
import { type DatabaseFacts, lintMigrations } from '../../../src/migrator/lint/lint-migrations.js'
import { packageRoot } from '../../../src/package.js'
import { existing, ids, lintNext, migrations } from './support.js'

it('finds nothing in the migrations that obs ships, on any platform and version', async () => {
  const shipped = await discover(join(packageRoot, 'src/migrations/observability'))
  for (const serverVersion of [150000, 180000]) {
    const { findings, migrations: count } = await lintMigrations(shipped, { serverVersion })
    expect(findings.map(({ rule, location }) => `${rule} ${location.file}:${location.line}`)).toEqual([])
    expect(count).toBe(shipped.length)
  }
})

describe('a finding', () => {
  it('names the statement from its first to its last character', async () => {
    const [finding] = await lintNext('-- obs: irreversible why\nselect 1;\n  truncate\n  pet;\n')
    expect(finding).toMatchObject({
      rule: 'truncate',
      severity: 'error',
      version: 2,
      migration: '0002_step',
      direction: 'up',
      location: { file: '/pack/0002_step.up.sql', line: 3, column: 3, endLine: 4, endColumn: 6 },
    })
  })

  it('is not repeated for a file that several platforms share', async () => {
    const [first, second] = migrations(existing, 'truncate pet')
    const variant = { ...second?.up[0], variant: 'timescaledb' as const, file: '/pack/0002_step.timescaledb.up.sql' }
    const both = [first, { ...second, up: [...(second?.up ?? []), variant] }] as never
    const { findings } = await lintMigrations(both)
    expect(findings.filter((one) => one.rule === 'truncate').map((one) => one.location.file)).toEqual([
      '/pack/0002_step.timescaledb.up.sql',
      '/pack/0002_step.up.sql',
    ])
    expect(findings.filter((one) => one.rule === 'foreign-key-validates')).toEqual([])
    expect(findings.filter((one) => one.version === 1 && one.rule === 'missing-down')).toHaveLength(1)
  })
})

describe('a comment that allows', () => {
  it('is for the statement below it', async () => {
    const text = 'select 1;\n-- obs: allow truncate a log\ntruncate pet;\ntruncate owner;'
    const findings = (await lintNext(text)).filter((one) => one.rule === 'truncate')
    expect(findings.map((one) => one.location.line)).toEqual([4])
  })

  it('is for the statement it stands in', async () => {
    const text = 'select 1;\nalter table pet\n  -- obs: allow drop-column nobody reads it\n  drop column n;'
    expect(ids(await lintNext(text))).not.toContain('drop-column')
  })

  it('is for the whole file above the first statement', async () => {
    expect(ids(await lintNext('-- obs: allow truncate logs\n\ntruncate pet;\ntruncate owner;'))).toEqual([
      'missing-down',
    ])
  })

  it('silences no other rule, and none without a reason', async () => {
    expect(ids(await lintNext('-- obs: allow cascade why not\ntruncate pet'))).toEqual(
      expect.arrayContaining(['truncate', 'unused-allow']),
    )
    const findings = await lintNext('-- obs: allow trunkate why\ntruncate pet')
    expect(findings.find((one) => one.rule === 'bad-allow')?.message).toContain('did you mean "truncate"?')
    expect(ids(findings)).toContain('truncate')
    expect(ids(await lintNext('-- obs: allow truncate\ntruncate pet'))).toEqual(
      expect.arrayContaining(['truncate', 'bad-allow']),
    )
  })

  it('says nothing of the other direction', async () => {
    const next = {
      up: '-- obs: allow cascade why\ncreate table new (n int primary key)',
      down: 'drop table new cascade',
    }
    expect(ids(await lintNext(next))).toEqual(['unused-allow', 'cascade'])
  })
})

describe('tables that are made and used in one run', () => {
  const two = migrations(existing, 'create table new (n int primary key)', 'create index on new (n)')

  it('hold no rows yet when the run is one', async () => {
    const rules = async (together: boolean) =>
      ids((await lintMigrations(two, { versions: new Set([2, 3]), together })).findings)
    expect(await rules(true)).not.toContain('index-blocks-writes')
    expect(await rules(false)).toContain('index-blocks-writes')
  })
})

describe('what a database says', () => {
  const facts = (rows: number | undefined): DatabaseFacts => ({ rows: () => rows })

  it('silences what is said of tables without rows', async () => {
    expect(ids(await lintNext('create index on pet (n)', { database: facts(0) }))).toEqual(['missing-down'])
  })

  it('is told with the number of rows', async () => {
    const [finding] = await lintNext('create index on pet (n)', { database: facts(350_000) })
    expect(finding?.message).toBe('building this index blocks every write to pet (350,000 rows)')
  })
})

it('states what the version of the server does', async () => {
  const safer = async (serverVersion: number) =>
    (await lintNext('alter table pet alter name set not null', { serverVersion })).find(
      (one) => one.rule === 'set-not-null-scans',
    )?.safer
  expect(await safer(170000)).toContain('check (name is not null) not valid')
  expect(await safer(180000)).toContain('not null name not valid')
})

it('takes timestamp and timestamptz for the same where the sessions have UTC', async () => {
  const next = async (utc: boolean) => {
    const all = migrations('create table t (at timestamp)', 'alter table t alter at type timestamptz')
    return ids(
      (await lintMigrations(all, { versions: new Set([2]), database: { utc, rows: () => undefined } })).findings,
    )
  }
  expect(await next(true)).not.toContain('column-type-rewrite')
  expect(await next(false)).toContain('column-type-rewrite')
})

describe('the versions to look at', () => {
  const all = migrations('select 1', 'select 2', 'select 3')

  it('are named by number or id, or all above one', () => {
    expect(chooseVersions(all, { versions: [] })).toBeUndefined()
    expect(chooseVersions(all, { versions: ['2', '0003_step'] })).toEqual(new Set([2, 3]))
    expect(chooseVersions(all, { versions: [], since: 1 })).toEqual(new Set([2, 3]))
    expect(chooseVersions(all, { versions: [], since: 3 })).toEqual(new Set())
  })

  it('have to exist', () => {
    expect(() => chooseVersions(all, { versions: ['9'] })).toThrow('no migration is called "9"')
    expect(() => chooseVersions(all, { versions: ['0003_stop'] })).toThrow('did you mean 0003_step?')
  })
})
