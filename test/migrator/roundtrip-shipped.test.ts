import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { quietContext } from '../../src/context.js'
import { createSampler } from '../../src/generators/samples/sampler.js'
import { type RoundtripResult, verifyRoundtrip } from '../../src/migrator/roundtrip/verify-roundtrip.js'
import { packageRoot } from '../../src/package.js'
import { resolvePack } from '../../src/packs.js'
import { testDatabase } from '../support/database.js'

const context = quietContext()

/** The tables of the MVP with the rows they have in the field, as somebody adopts them. */
function mvp(): string {
  const copies = ['traces', 'events', 'performance_metrics'].map((table) => {
    const csv = readFileSync(join(packageRoot, `fixtures/mvp/${table}.csv`), 'utf8')
    const columns = csv.slice(0, csv.indexOf('\n')).trim()
    return `copy ${table} (${columns}) from stdin with (format csv, header);\n${csv.trimEnd()}\n\\.\n`
  })
  const tables = readFileSync(join(packageRoot, 'src/migrations/observability/0001_mvp_baseline.up.sql'), 'utf8')
  return `${tables}\n${copies.join('\n')}`
}

async function roundTrip(options: { readonly sample?: string } = {}): Promise<RoundtripResult> {
  const database = await testDatabase()
  const sampler = createSampler({ rows: 20, seed: 1, signal: context.signal })
  return verifyRoundtrip(database, resolvePack('observability', [], '/'), sampler, options, context)
}

const lossless = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => [from + i, 'lossless', true, []])

const shown = ({ migrations }: RoundtripResult) =>
  migrations.map(({ version, label, ok, notes }) => [version, label, ok, notes])

it('the shipped migrations are lossless on generated rows, but for the baseline, which says why', {
  timeout: 300_000,
}, async () => {
  const result = await roundTrip()
  expect(shown(result)).toEqual([[1, 'irreversible', true, []], ...lossless(2, 10)])
  expect(result.migrations[0]?.declared?.reason).toContain('dropped only while they are empty')
  expect(result.shortTables).toEqual([])
})

it('they are so on the rows of an MVP that is adopted', { timeout: 300_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'obs-sample-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const sample = join(folder, 'mvp.sql')
  await writeFile(sample, mvp())
  const result = await roundTrip({ sample })
  expect(shown(result)).toEqual([[1, 'irreversible', true, []], ...lossless(2, 10)])
  expect(result.migrations[0]?.reasons).toEqual([
    expect.stringContaining('hold rows: traces, events, performance_metrics'),
  ])
  expect(result.migrations[3]?.lostOnDown).toContain('traces.department_id')
})
