import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadPackValidation } from '../../src/commands/pack-validation.js'
import { quietContext } from '../../src/context.js'
import type { Database } from '../../src/database/connect.js'
import { type FaultManifest, parseFaultManifest } from '../../src/fault-manifest.js'
import { chooseFaults } from '../../src/generators/faults/fault.js'
import { faultCatalogue } from '../../src/generators/observability/faults.js'
import { observability } from '../../src/generators/observability/pack.js'
import { seed } from '../../src/generators/seed.js'
import { packageRoot } from '../../src/package.js'
import { resolvePack } from '../../src/packs.js'
import { faultDigest } from '../../src/validators/observability/seed-runs.js'
import { scoreChecks } from '../../src/validators/score.js'
import { selectSuites } from '../../src/validators/suites.js'
import { openTestDatabase } from '../support/database.js'
import { installObservability } from '../support/observability.js'

const options = { generators: observability, days: 21, scale: 0.06, asOf: new Date('2026-11-22T00:00:00Z') }
const asked = 'all=0.03,gaps=0.01,skew=0.5,skew-environments=1,skew-failures=0.3,skew-latencies=1'

let clean: Awaited<ReturnType<typeof openTestDatabase>>
let faulty: Awaited<ReturnType<typeof openTestDatabase>>
let manifest: FaultManifest
let text = ''
let tracesAtRecord = -1

beforeAll(async () => {
  clean = await openTestDatabase()
  faulty = await openTestDatabase()
  for (const { sql } of [clean, faulty]) await installObservability(sql)
  await seed(clean, options, quietContext())
  const faults = {
    settings: chooseFaults(faultCatalogue, asked),
    async record(written: string) {
      text = written
      const [row] = await faulty.sql<{ traces: number }[]>`select count(*) as traces from traces`
      tracesAtRecord = row?.traces ?? -1
    },
  }
  await seed(faulty, { ...options, faults }, quietContext())
  manifest = parseFaultManifest(JSON.parse(text)) as FaultManifest
}, 240_000)

afterAll(async () => {
  await clean?.close()
  await faulty?.close()
})

function planted(name: string) {
  const fault = manifest.faults.find((candidate) => candidate.name === name)
  if (!fault) throw new Error(`${name} is not in the manifest`)
  return fault
}

/** Keys of rows of a table that are not the same in both databases, row numbers and marks left aside. */
async function changedKeys(table: string, key: string): Promise<ReadonlySet<string>> {
  const rows = async ({ sql }: Database) =>
    new Map(
      (
        await sql.unsafe<{ key: string; hash: string }[]>(
          `select ${key}::text as key, md5((to_jsonb(t) - 'id' || jsonb_build_object('key', ${key}))::text) as hash from ${table} t`,
        )
      ).map((row) => [row.key, row.hash]),
    )
  const [before, after] = [await rows(clean), await rows(faulty)]
  const keys = new Set([...before.keys(), ...after.keys()])
  return new Set([...keys].filter((one) => before.get(one) !== after.get(one)))
}

describe('planted faults', () => {
  it('are written down before the first row is loaded, and the ledger knows the file', async () => {
    expect(tracesAtRecord).toBe(0)
    const digest = createHash('sha256').update(text).digest('hex')
    expect(await faultDigest(faulty.sql, manifest.run_id)).toBe(digest)
    expect(await faultDigest(clean.sql, manifest.run_id)).toBeNull()
    expect(await faultDigest(clean.sql, 'nothing')).toBeUndefined()
  })

  it('each exist', () => {
    expect(manifest.faults.map(({ name }) => name)).toEqual(faultCatalogue.faults.map(({ name }) => name))
    expect(manifest.faults.filter((fault) => fault.planted === 0).map(({ name }) => name)).toEqual([])
    for (const { keys, planted: count, seen_in } of manifest.faults)
      if (seen_in === 'rows') expect(keys).toHaveLength(count)
  })

  it('leave every other row as it is without them', async () => {
    const changed = await changedKeys('traces', 'trace_id')
    const listed = new Set(
      manifest.faults.filter(({ table, key }) => table === 'traces' && key === 'trace_id').flatMap(({ keys }) => keys),
    )
    const mixes = manifest.faults
      .filter(({ seen_in }) => seen_in === 'mix')
      .reduce((sum, fault) => sum + fault.planted, 0)
    const [row] = await clean.sql<{ traces: number }[]>`
      select count(*) as traces from traces
      where agent_id || ' ' || to_char(timestamp at time zone 'UTC', 'YYYY-MM-DD') = any (${planted('gaps').keys}::text[])`
    expect([...listed].filter((key) => !changed.has(key))).toEqual([])
    expect(changed.size).toBe(listed.size + mixes + (row?.traces ?? 0))
  })

  it('change evaluations that are listed, or whose trace is', async () => {
    const changed = await changedKeys('evaluations', 'id')
    const listed = manifest.faults.filter(({ table }) => table === 'evaluations').flatMap(({ keys }) => keys)
    expect(listed.filter((key) => !changed.has(key))).toEqual([])
    const [row] = await clean.sql<{ evaluations: number }[]>`
      select count(*) as evaluations from evaluations
      where trace_id = any (${planted('orphan-agents').keys}::text[])
         or agent_id || ' ' || to_char(trace_timestamp at time zone 'UTC', 'YYYY-MM-DD') = any (${planted('gaps').keys}::text[])`
    expect(changed.size).toBe(listed.length + (row?.evaluations ?? 0))
  })
})

describe('the score of the checks', () => {
  it('is perfect, row by row, with every check', async () => {
    const score = await scored(['integrity', 'distribution'], 1)
    const missed = score.faults.filter(({ recall }) => recall !== 1).map(({ name }) => name)
    // The shape of latency is looked at in groups that so small a history has not.
    expect({ missed, unexpected: score.unexpected }).toEqual({ missed: ['skew-latencies'], unexpected: [] })
    expect(score.faults.find(({ name }) => name === 'skew-latencies')?.checks).toMatchObject([{ status: 'skipped' }])
    expect(score.rows).toMatchObject({ recall: 1, precision: 1 })
    expect(score.passed).toBe(false)
  })

  it('is nothing with checks that look elsewhere', async () => {
    const score = await scored(['schema'], 0.5)
    expect(score.rows).toMatchObject({ found: 0, recall: 0, flagged: 0, precision: null })
    expect(score.mixes.noticed).toBe(0)
    expect(score.passed).toBe(false)
  })

  it('counts what nobody planted against the check that names it', async () => {
    const listed = manifest.faults.flatMap(({ keys }) => keys)
    const [ids] = await faulty.sql<{ ids: string[] }[]>`
      select array_agg(trace_id) as ids from (select trace_id from traces where trace_id <> all (${listed}::text[]) order by 1 limit 3) t`
    await faulty.sql`update traces set tokens_total = tokens_total + 1 where trace_id = any (${ids?.ids ?? []}::text[])`
    const score = await scored(['integrity'], 0.99)
    await faulty.sql`update traces set tokens_total = tokens_total - 1 where trace_id = any (${ids?.ids ?? []}::text[])`
    const check = score.checks.find(({ id }) => id === 'integrity.tokens_sum')
    expect(check).toMatchObject({
      flagged: planted('token-drift').planted + 3,
      planted: planted('token-drift').planted,
    })
    expect(score.rows.precision).toBeLessThan(1)
  })
})

it.each([
  ['duplicatse', 'unknown fault "duplicatse", did you mean "duplicates"?'],
  ['duplicates=2', '--faults duplicates=2: a rate is a number above 0 and up to 1'],
  ['', 'unknown fault ""'],
])('--faults %s is refused', (list, message) => {
  expect(() => chooseFaults(faultCatalogue, list)).toThrow(message)
})

async function scored(names: readonly string[], threshold: number) {
  const pack = resolvePack('observability', [], packageRoot)
  const { suites, facts } = await loadPackValidation(pack)
  return scoreChecks(
    faulty,
    selectSuites(suites, names),
    manifest,
    { schema: 'public', facts, threshold },
    quietContext(),
  )
}
