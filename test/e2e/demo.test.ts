import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { parseDatabaseUrl, withDatabaseName } from '../../src/database/address.js'
import { readCatalog } from '../../src/database/catalog.js'
import { type Database, withDatabase } from '../../src/database/connect.js'
import { type Fingerprint, fingerprintTable } from '../../src/database/fingerprint.js'
import { loadCsv } from '../../src/database/load-csv.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import { packageRoot } from '../../src/package.js'
import { resolvePack } from '../../src/packs.js'
import { type CliResult, obs } from '../support/cli.js'
import { testDatabase } from '../support/database.js'

const pack = resolvePack('observability', [], packageRoot)
let cwd: string

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'obs-demo-'))
  // The account that runs the server has to reach the folder when the tests run as root.
  await chmod(cwd, 0o711)
})

afterAll(async () => {
  await obs(['db', 'reset', '--yes', '--force'], { cwd })
  await rm(cwd, { recursive: true, force: true })
})

describe('obs demo', { timeout: 300_000 }, () => {
  let first: { backup: { id: string; path: string }; traces: number }

  it('does the whole job and says so in one JSON document', async () => {
    const result = await demo()
    expect(JSON.parse(result.stdout)).toMatchObject({
      agents: expect.any(Number),
      departments: 10,
      environments: 3,
      preserved: { rows: 2000, values_identical: true },
      validation: { failed: 0 },
      backup: { verified: true },
    })
    first = JSON.parse(result.stdout)
    expect(first.traces).toBeGreaterThan(2000 + 7 * 1000)
    expect(result.stdout + result.stderr).not.toContain(await password())
  })

  it('names its steps with their times, and a report that is there', async () => {
    const { steps, report } = JSON.parse((await demo()).stdout)
    expect(steps.length).toBeGreaterThan(8)
    for (const step of steps) expect(step).toEqual({ name: expect.any(String), duration_ms: expect.any(Number) })
    expect((await stat(report)).size).toBeGreaterThan(1000)
    expect(await readFile(report, 'utf8')).toContain('# Validation report')
  })

  it('makes a backup that, restored into a new database, holds the MVP traces exactly', async () => {
    expect(await obs(['backup', 'restore', first.backup.id, '--to', 'before_demo'], { cwd })).toMatchObject({ code: 0 })
    const restored = await onDemoServer('before_demo', fingerprintTraces)
    expect(restored).toEqual(await fixturePrint())
    expect(restored.rows).toBe(2000)
  })

  it('goes down to the MVP and up again with the same schema and every MVP trace', async () => {
    const before = await onDemoServer('obs', catalog)
    const traces = await onDemoServer('obs', countTraces)
    expect(await obs(['migrate', 'down', '--to', '1'], { cwd })).toMatchObject({ code: 0 })
    expect(await onDemoServer('obs', catalog)).not.toEqual(before)
    expect(await obs(['migrate', 'up'], { cwd })).toMatchObject({ code: 0 })
    expect(await onDemoServer('obs', catalog)).toEqual(before)
    expect(await onDemoServer('obs', countTraces)).toBe(traces)
    expect(await onDemoServer('obs', fingerprintLegacyTraces)).toEqual(await fixturePrint())
  })

  it('replaces what an earlier demo made, and nothing else', async () => {
    await onDemoServer('obs', ({ sql }) => sql.unsafe(`comment on database obs is 'mine'`))
    const { code, stderr } = await obs(['demo', '--days', '7'], { cwd })
    expect(code).toBe(1)
    expect(stderr).toContain('holds data that obs demo did not make')
    expect(await onDemoServer('obs', countTraces)).toBe(first.traces)
  })
})

function demo(): Promise<CliResult> {
  return obs(['demo', '--days', '7', '--json'], { cwd })
}

async function onDemoServer<T>(name: string, work: (database: Database) => Promise<T>): Promise<T> {
  const { stdout } = await obs(['db', 'url'], { cwd })
  const address = withDatabaseName(parseDatabaseUrl(stdout.trim(), 'obs db url'), name)
  return withDatabase(address, quietContext(), work)
}

async function password(): Promise<string> {
  const { stdout } = await obs(['db', 'url'], { cwd })
  return new URL(stdout.trim()).password
}

function catalog({ sql }: Database): Promise<readonly string[]> {
  return readCatalog(sql, ['public'])
}

async function countTraces({ sql }: Database): Promise<number> {
  const [row] = await sql<{ traces: number }[]>`select count(*) as traces from traces`
  return row?.traces ?? 0
}

/** The columns of the MVP, in which its rows can be compared in every version. */
const columns = ['id', ...header('traces.csv')]

function header(file: string): readonly string[] {
  const [line = ''] = readFileSync(join(packageRoot, 'fixtures/mvp', file), 'utf8').split('\n', 1)
  return line.split(',')
}

function fingerprintTraces({ sql }: Database): Promise<Fingerprint> {
  return fingerprintTable(sql, { schema: 'public', table: 'traces', columns })
}

function fingerprintLegacyTraces({ sql }: Database): Promise<Fingerprint> {
  const where = `metadata->>'obs_run' is null`
  return fingerprintTable(sql, { schema: 'public', table: 'traces', columns, where })
}

/** What the fixture itself looks like, loaded into a database that obs demo has never seen. */
async function fixturePrint(): Promise<Fingerprint> {
  const database = await testDatabase()
  await migrateUp(database, pack, { to: 1 }, quietContext())
  const file = join(packageRoot, 'fixtures/mvp/traces.csv')
  await loadCsv(database.sql, { schema: 'public', table: 'traces' }, file, quietContext())
  return fingerprintTraces(database)
}
