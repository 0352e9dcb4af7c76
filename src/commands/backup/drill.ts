import { resolve } from 'node:path'
import { Command } from 'commander'
import { findBackup } from '../../backup/find-backup.js'
import { listBackups } from '../../backup/list-backups.js'
import { type Manifest, readManifest } from '../../backup/manifest.js'
import { type Proven, proveByRestoring } from '../../backup/prove-backup.js'
import type { Database } from '../../database/connect.js'
import { exitCodes, InterruptedError, ObsError, UsageError } from '../../errors.js'
import { type ReportFormat, reportFormat, reportFormats } from '../../reports/formats.js'
import { formatAge, formatBytes, formatCount, formatDuration } from '../../terminal/format.js'
import type { CheckResult, ValidationResult } from '../../validators/result.js'
import { action, type Invocation, targetAddress } from '../invocation.js'
import { loadPackValidation } from '../pack-validation.js'
import { answerReport, chooseOutput } from '../report-output.js'
import { decryptionOf, identityOption } from './decryption.js'
import { addressOf } from './target.js'

interface Options {
  readonly on?: string
  readonly directory?: string
  readonly identity?: readonly string[]
  readonly pgRestore?: string
  readonly format?: ReportFormat
  readonly output?: string
}

export function drillCommand(): Command {
  return new Command('drill')
    .description('restore the newest backup for practice, validate it, and report how long recovery takes')
    .argument('[id]', 'the backup, or latest: the newest one of a whole database', 'latest')
    .option(
      '--on <url-or-name>',
      'a server to restore on (default: the one obs works on); its databases are not touched',
    )
    .addOption(identityOption())
    .option('--pg-restore <path>', 'the pg_restore to use instead of the one on the PATH')
    .option('--directory <folder>', 'where backups are kept (default: the backups folder of the configuration)')
    .option(
      '--format <format>',
      `the form of the report: ${reportFormats.map(({ name }) => name).join(', ')}`,
      reportFormat,
    )
    .option('--output <file>', 'write the report to a file as well, whole or not at all')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup drill
  $ obs backup drill --format junit --output reports/drill.xml      every week, in a pipeline
  $ obs backup drill latest --on postgres://drill@standby.example.com/postgres --json

The backup's files are checked, it is restored into a database of its own, rows and definitions are
compared with what was backed up, the validation suites of the pack run on it, and it is dropped again.
When all of that holds the backup is proven (see obs backup list). Exits 1 when anything does not.`,
    )
    .action(action(runDrill))
}

async function runDrill(invocation: Invocation<Options>, id: string): Promise<void> {
  const { options, settings } = invocation
  const directory = options.directory === undefined ? settings.backups : resolve(options.directory)
  const output = await chooseOutput(options, reportFormat)
  const manifest = await readManifest(await chosenBackup(directory, id))
  const drill = await carryOut(invocation, directory, manifest)
  const result = resultOf(manifest, drill)
  const json = { drill: factsOf(manifest, drill), ...result }
  await answerReport(invocation, { report: result, json, output, formatCalled: reportFormat })
  if (result.summary.failed > 0) process.exitCode = exitCodes.failed
}

/** `latest` is the newest one of everything: a drill of three tables would prove little. */
async function chosenBackup(directory: string, id: string): Promise<string> {
  if (id !== 'latest') return findBackup(directory, id)
  const whole = (await listBackups(directory)).find(({ state, scope }) => state === 'complete' && scope === 'full')
  return whole?.path ?? findBackup(directory, id)
}

interface Drill {
  /** Undefined when it could not be restored, or was not what had been backed up. */
  readonly proven: Proven | undefined
  /** What the pack's suites found; undefined where they did not run. */
  readonly validation: ValidationResult | undefined
  /** Why it was not restored. */
  readonly failure: ObsError | undefined
  readonly totalMs: number
}

/** Thrown to keep a backup whose data is not valid from being recorded as proven. */
class InvalidDataError extends ObsError {
  constructor(failed: number) {
    super(`${failed} checks of the pack failed on the restored database`, { code: 'validation_failed' })
  }
}

async function carryOut(invocation: Invocation<Options>, directory: string, manifest: Manifest): Promise<Drill> {
  const { options, context } = invocation
  const decrypt = await decryptionOf(invocation)
  const on = options.on === undefined ? await targetAddress(invocation) : await addressOf(options.on, invocation)
  const started = performance.now()
  let validation: ValidationResult | undefined
  const inspect = async (database: Database) => {
    validation = await validateRestored(invocation, manifest, database)
    if (validation && validation.summary.failed > 0) throw new InvalidDataError(validation.summary.failed)
  }
  const wanted = { directory, id: manifest.id, on, by: 'drill', inspect, ...decrypt }
  const more = options.pgRestore ? { pgRestore: options.pgRestore } : {}
  const elapsed = () => Math.round(performance.now() - started)
  try {
    const proven = await proveByRestoring({ ...wanted, ...more }, context)
    return { proven, validation, failure: undefined, totalMs: elapsed() }
  } catch (error) {
    if (!(error instanceof ObsError) || error instanceof InterruptedError || isMistake(error)) throw error
    return { proven: undefined, validation, failure: error, totalMs: elapsed() }
  }
}

/** What a person typed is wrong, or nothing could be reached: that says nothing about the backup. */
function isMistake(error: ObsError): boolean {
  return error instanceof UsageError || error.exitCode === exitCodes.connection
}

async function validateRestored(
  { settings, context }: Invocation<Options>,
  { scope }: Manifest,
  database: Database,
): Promise<ValidationResult | undefined> {
  if (scope !== 'full') return undefined
  const loaded = await loadPackValidation(settings.pack).catch((error: unknown) => {
    if (error instanceof ObsError && error.code === 'no_suites') return undefined
    throw error
  })
  if (!loaded) return undefined
  const { validate } = await import('../../validators/validate.js')
  return validate(database, loaded.suites, { schema: settings.pack.schema, facts: loaded.facts }, context)
}

/** The drill as a validation: one check for the recovery, and those of the pack. */
function resultOf(manifest: Manifest, { proven, validation, failure, totalMs }: Drill): ValidationResult {
  const restored = proven !== undefined || failure instanceof InvalidDataError
  const recovery: CheckResult = {
    id: 'recovery.restored',
    suite: 'recovery',
    severity: 'error',
    status: restored ? 'passed' : 'failed',
    reason: restored ? null : (failure?.message ?? 'it was not restored'),
    expected: 'the backup is restored, and rows and definitions are those that were backed up',
    observed: restored
      ? `${formatCount(manifest.rows)} rows (${formatBytes(manifest.bytes)}) of ${manifest.id} in ${formatDuration(totalMs)}`
      : null,
    rows_failing: null,
    sample: [],
    duration_ms: totalMs - (validation?.summary.duration_ms ?? 0),
  }
  const checks = [recovery, ...(validation?.checks ?? [])]
  const count = (status: CheckResult['status']) => checks.filter((check) => check.status === status).length
  return {
    summary: {
      passed: count('passed'),
      failed: count('failed'),
      warned: count('warned'),
      skipped: count('skipped'),
      duration_ms: totalMs,
    },
    checks,
  }
}

function factsOf(manifest: Manifest, { proven, validation, totalMs }: Drill) {
  const { id, created_at, database, engine, scope, tables, rows, bytes } = manifest
  return {
    id,
    database: database.name,
    created_at,
    age: formatAge(Date.now() - Date.parse(created_at)),
    engine,
    scope,
    tables: tables.length,
    rows,
    bytes,
    proven: proven !== undefined,
    recovery_ms: totalMs - (validation?.summary.duration_ms ?? 0),
    validation_ms: validation?.summary.duration_ms ?? null,
    total_ms: totalMs,
  }
}
