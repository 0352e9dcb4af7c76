import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { main } from '../../src/cli.js'
import { observabilitySuites } from '../../src/validators/observability/index.js'
import { listChecks } from '../../src/validators/suites.js'
import { parseXml } from '../reports/xml.js'
import { openTestDatabase } from '../support/database.js'
import { takeDownOutput } from '../support/printed.js'
import { migrateMvp } from '../validators/observability/support.js'

let good: Awaited<ReturnType<typeof openTestDatabase>>
let bad: Awaited<ReturnType<typeof openTestDatabase>>
let folder: string
const printed = takeDownOutput()

beforeAll(async () => {
  good = await openTestDatabase()
  await migrateMvp(good)
  bad = await openTestDatabase()
  await migrateMvp(bad)
  await bad.sql`drop index idx_traces_version`
  folder = await mkdtemp(join(tmpdir(), 'obs-validate-'))
})

afterAll(async () => {
  await good?.close()
  await bad?.close()
  await rm(folder, { recursive: true, force: true })
})

afterEach(() => {
  process.exitCode = undefined
})

/** Runs the command as it is run from a shell, on a database where nothing, or one thing, is wrong. */
function validate(database: { readonly url: string }, ...args: readonly string[]): Promise<number> {
  return main(['validate', ...args, '--database-url', database.url, '--no-color'])
}

describe('obs validate', () => {
  it('exits with 0 and says so in a last plain line when nothing fails', async () => {
    expect(await validate(good)).toBe(0)
    expect(printed.stdout.trimEnd().split('\n').at(-1)).toMatch(/^Passed: 49 of 97 checks passed, 48 skipped \(.+\)\.$/)
  })

  it('exits with 1 when a check of severity error fails, behind the report', async () => {
    expect(await validate(bad, 'schema')).toBe(1)
    expect(printed.stdout).toMatch(/failed +schema\.trace_indexes +1 of 18 missing \(idx_traces_version\)/)
    expect(printed.stdout.trimEnd().split('\n').at(-1)).toMatch(/^Failed: 1 of 16 checks failed/)
    expect(printed.stderr).not.toContain('error:')
  })

  it('exits with 0 when a warning is all there is', async () => {
    await good.sql`insert into traces_rollup_changes (bucket) values ('2026-06-01')`
    expect(await validate(good, 'integrity')).toBe(0)
    await good.sql`delete from traces_rollup_changes`
    expect(printed.stdout).toMatch(/warned +integrity\.rollups_refreshed +hours waiting: 1/)
  })

  it('runs the suites that are named, and only checks that matter enough', async () => {
    expect(await validate(good, 'preservation', 'schema', '--severity', 'error', '--json')).toBe(0)
    const { checks } = JSON.parse(printed.stdout) as { checks: { suite: string; severity: string }[] }
    expect(new Set(checks.map(({ suite }) => suite))).toEqual(new Set(['schema', 'preservation']))
    expect(new Set(checks.map(({ severity }) => severity))).toEqual(new Set(['error']))
  })

  it('prints one JSON document with --json, also when a check fails', async () => {
    expect(await validate(bad, 'schema', '--json')).toBe(1)
    const report = JSON.parse(printed.stdout) as { summary: object; checks: { id: string }[] }
    expect(report.summary).toMatchObject({ failed: 1, passed: 15 })
    expect(report.checks.find(({ id }) => id === 'schema.trace_indexes')).toEqual({
      id: 'schema.trace_indexes',
      suite: 'schema',
      severity: 'error',
      status: 'failed',
      reason: null,
      expected: '18 named indexes on traces',
      observed: '1 of 18 missing',
      rows_failing: 1,
      sample: ['idx_traces_version'],
      duration_ms: expect.any(Number),
    })
  })

  it('prints the same document with --format json', async () => {
    expect(await validate(good, 'schema', '--format', 'json')).toBe(0)
    expect(JSON.parse(printed.stdout)).toMatchObject({ summary: { failed: 0 } })
  })

  it('writes a JUnit report to a folder that it makes, and shows the table', async () => {
    const path = join(folder, 'reports/obs.xml')
    expect(await validate(bad, 'schema', '--format', 'junit', '--output', path)).toBe(1)
    const root = parseXml((await readFile(path, 'utf8')).trimEnd())
    expect(root.attributes).toMatchObject({ tests: '16', failures: '1' })
    expect(printed.stdout).toContain(`Report written to ${path}`)
    expect(printed.stdout).toContain('schema.trace_indexes')
    expect(await readdir(join(folder, 'reports'))).toEqual(['obs.xml'])
  })

  it('writes a file and one JSON document at once', async () => {
    const path = join(folder, 'report.md')
    expect(await validate(good, 'schema', '--format', 'markdown', '--output', path, '--json')).toBe(0)
    expect(JSON.parse(printed.stdout)).toMatchObject({ summary: { failed: 0 } })
    expect(await readFile(path, 'utf8')).toMatch(/^# Validation report\n/)
  })

  it('lists every check without asking the database', async () => {
    expect(await main(['validate', '--list', '--json', '--database-url', 'postgres://nobody@127.0.0.1:1/none'])).toBe(0)
    expect(JSON.parse(printed.stdout)).toEqual(listChecks(observabilitySuites))
  })
})

describe('obs validate, used wrongly,', () => {
  it.each([
    [['integrty'], 'unknown suite "integrty", did you mean "integrity"?'],
    [['--format', 'jnuit'], 'unknown format "jnuit", did you mean "junit"?'],
    [['--severity', 'eror'], 'unknown severity "eror", did you mean "error"?'],
    [['--format', 'junit'], '--json and --format junit both want stdout'],
    [['--output', '.'], '--output names a folder'],
  ])('%j exits with 2 before a connection is made', async (args, message) => {
    const nowhere = ['--database-url', 'postgres://nobody@127.0.0.1:1/none', '--json']
    expect(await main(['validate', ...args, ...nowhere])).toBe(2)
    expect(JSON.parse(printed.stdout)).toMatchObject({
      error: { message: expect.stringContaining(message), hint: expect.stringMatching(/^[A-Z]/) },
    })
  })

  it('refuses to write a report in place of a folder', async () => {
    const path = join(folder, 'taken')
    await mkdir(path)
    expect(await validate(good, '--output', path)).toBe(2)
    expect(printed.stderr).toBe(`error: --output names a folder: ${path}\nhint: Name a file in it.\n`)
  })

  it('says of a pack without suites that it has none', async () => {
    const config = join(folder, 'obs.config.json')
    await writeFile(config, '{"packs":[{"name":"app","migrations":"./migrations","schema":"public"}]}')
    expect(await validate(good, '--config', config)).toBe(2)
    expect(printed.stderr).toContain('error: the pack "app" has no validation suites')
  })
})

it('fails every check that needs what an empty database lacks, and passes none of them', async () => {
  const empty = await openTestDatabase()
  try {
    expect(await validate(empty, '--json')).toBe(1)
  } finally {
    await empty.close()
  }
  const { checks } = JSON.parse(printed.stdout) as { checks: { id: string; status: string }[] }
  expect(checks.filter(({ status }) => status === 'passed').map(({ id }) => id)).toEqual(['schema.platform'])
})
