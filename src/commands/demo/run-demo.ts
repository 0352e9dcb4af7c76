import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type BackupResult, createBackup } from '../../backup/create-backup.js'
import { verifyBackup } from '../../backup/verify-backup.js'
import type { Settings } from '../../config.js'
import type { RunContext } from '../../context.js'
import { describeAddress } from '../../database/address.js'
import { type Database, withDatabase } from '../../database/connect.js'
import { prepareDemoDatabase } from '../../database/demo-database.js'
import { startServer } from '../../database/embedded/server.js'
import { type Fingerprint, fingerprintTable } from '../../database/fingerprint.js'
import { loadCsv } from '../../database/load-csv.js'
import { ObsError } from '../../errors.js'
import { observability } from '../../generators/observability/pack.js'
import type { Incident } from '../../generators/pack.js'
import { type SeedResult, seed } from '../../generators/seed.js'
import { migrateUp } from '../../migrator/run/up.js'
import { packageRoot } from '../../package.js'
import { resolvePack } from '../../packs.js'
import type { Envelope } from '../../queries/envelope.js'
import { parseFilters } from '../../queries/filters.js'
import { type HomeKpis, homeKpis } from '../../queries/observability/home-kpis.js'
import { runKpi } from '../../queries/run.js'
import { reportFormat } from '../../reports/formats.js'
import { writeReport } from '../../reports/write-report.js'
import { formatCount } from '../../terminal/format.js'
import { createStyle } from '../../terminal/style.js'
import type { ValidationResult } from '../../validators/result.js'
import { validate } from '../../validators/validate.js'
import { loadPackValidation } from '../pack-validation.js'
import { Steps, type StepTime } from './steps.js'

export interface DemoOptions {
  /** How much history is generated. */
  readonly days: number
  /** Where the history ends. */
  readonly asOf: Date
}

/** What the demo did, and where the things it made are. */
export interface DemoResult {
  readonly steps: readonly StepTime[]
  /** All traces in the database, those of the MVP included. */
  readonly traces: number
  /** Agents, departments and environments of the generated traces. */
  readonly agents: number
  readonly departments: number
  readonly environments: number
  readonly preserved: { readonly rows: number; readonly values_identical: boolean }
  readonly incidents: readonly Incident[]
  readonly validation: Omit<ValidationResult['summary'], 'duration_ms'>
  readonly backup: { readonly id: string; readonly path: string; readonly engine: string; readonly verified: true }
  /** The validation report, a Markdown file. */
  readonly report: string
  /** The server's URL, password masked. */
  readonly server: string
  readonly kpis: Envelope<HomeKpis>
}

/** The MVP's tables, in `fixtures/mvp` a CSV file each. */
const mvpTables = ['traces', 'events', 'performance_metrics'] as const

const pack = resolvePack('observability', [], packageRoot)

/**
 * Does the whole job once: an MVP database is made, backed up, migrated, proven
 * unharmed, filled with traces, validated and asked for its KPIs.
 *
 * It works on the embedded server, in the database that the commands without
 * configuration use, so that they go on where the demo ends.
 *
 * @throws DemoWouldReplaceDataError when that database holds something else.
 */
export async function runDemo(settings: Settings, options: DemoOptions, context: RunContext): Promise<DemoResult> {
  const steps = new Steps(context)
  const address = await steps.run('start the embedded server', (step) => startServer(settings.stateDirectory, step))
  await steps.run('make an empty database', (step) => prepareDemoDatabase(address, step))
  const work = (database: Database) => transform(database, settings, options, steps)
  const result = await withDatabase(address, context, work, { purpose: 'demo' })
  return { steps: steps.times, ...result, server: describeAddress(address) }
}

async function transform(
  database: Database,
  settings: Settings,
  options: DemoOptions,
  steps: Steps,
): Promise<Omit<DemoResult, 'server' | 'steps'>> {
  await steps.run('install the MVP schema', (step) => migrateUp(database, pack, { to: 1 }, step))
  const rows = await steps.run('load the MVP data', (step) => loadMvp(database, step))
  await forgetHistory(database)
  const before = await fingerprints(database)
  const backup = await steps.run('back up', (step) => createBackup(database, { directory: settings.backups }, step))
  await steps.run('check the backup', () => verifyBackup(settings.backups, backup.id))
  await steps.run('migrate to the newest version', (step) =>
    migrateUp(database, pack, { preserve: 'hashes', backup: async () => backup }, step),
  )
  await steps.run(`prove that ${formatCount(rows)} rows survived with every value`, () =>
    proveUnharmed(database, before, backup),
  )
  const seeded = await steps.runSplit(`seed ${options.days} days`, (step) => seedDays(database, options, step))
  const report = join(settings.stateDirectory, 'reports', `${backup.id}.md`)
  const validation = await steps.run('validate', (step) => validateInto(report, database, step))
  const kpis = await steps.run('ask for the home KPIs', (step) => askHomeKpis(database, seeded, step))
  return {
    traces: await countTraces(database),
    agents: seeded.tables['agents']?.rows ?? 0,
    departments: seeded.tables['departments']?.rows ?? 0,
    environments: seeded.tables['environments']?.rows ?? 0,
    preserved: { rows: before.get('traces')?.rows ?? 0, values_identical: true },
    incidents: seeded.incidents,
    validation,
    backup: { id: backup.id, path: backup.path, engine: backup.engine, verified: backup.verified },
    report,
    kpis,
  }
}

/** An MVP database in the field was not made by obs, and is adopted by the first migration. */
async function forgetHistory({ sql }: Database): Promise<void> {
  await sql`drop schema ${sql(pack.historySchema)} cascade`
}

async function loadMvp({ sql }: Database, context: RunContext): Promise<number> {
  let rows = 0
  for (const table of mvpTables) {
    const file = join(packageRoot, 'fixtures/mvp', `${table}.csv`)
    rows += await loadCsv(sql, { schema: pack.schema, table }, file, context)
  }
  return rows
}

type Fingerprints = ReadonlyMap<string, Fingerprint>

async function fingerprints({ sql }: Database): Promise<Fingerprints> {
  const prints = new Map<string, Fingerprint>()
  for (const table of mvpTables) prints.set(table, await fingerprintTable(sql, { schema: pack.schema, table }))
  return prints
}

/** The engine has compared each step for itself; this compares the ends, over the columns that the MVP had. */
async function proveUnharmed({ sql }: Database, before: Fingerprints, backup: BackupResult): Promise<void> {
  for (const [table, expected] of before) {
    const request = { schema: pack.schema, table, columns: Object.keys(expected.columns), identity: expected.identity }
    const found = await fingerprintTable(sql, request)
    if (!isDeepStrictEqual(found, expected)) throw new DemoLostDataError(table, backup)
  }
}

/** A value that the MVP database held is not the same after the migrations. */
export class DemoLostDataError extends ObsError {
  constructor(table: string, backup: BackupResult) {
    super(`the rows of ${table} are not what they were before the migrations`, {
      code: 'preservation_failed',
      hint: `Compare with the backup: obs backup restore ${backup.id} --to obs_before`,
      details: { table, backup: backup.id },
    })
  }
}

function seedDays(database: Database, { days, asOf }: DemoOptions, context: RunContext): Promise<SeedResult> {
  return seed(database, { generators: observability, schema: pack.schema, days, asOf }, context)
}

async function validateInto(
  path: string,
  database: Database,
  context: RunContext,
): Promise<Omit<ValidationResult['summary'], 'duration_ms'>> {
  const { suites, facts } = await loadPackValidation(pack)
  const result = await validate(database, suites, { schema: pack.schema, facts }, context)
  await writeReport(path, reportFormat('markdown').render(result, createStyle(false)))
  const { passed, failed, warned, skipped } = result.summary
  return { passed, failed, warned, skipped }
}

function askHomeKpis(database: Database, seeded: SeedResult, context: RunContext): Promise<Envelope<HomeKpis>> {
  const filters = parseFilters({ range: '30d', asOf: seeded.as_of, workspace: seeded.workspace_id })
  return runKpi(database, homeKpis, filters, context, { schema: pack.schema })
}

async function countTraces({ sql }: Database): Promise<number> {
  const [row] = await sql<{ traces: number }[]>`select count(*) as traces from traces`
  return row?.traces ?? 0
}
