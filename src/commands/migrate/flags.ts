import { InvalidArgumentError, Option } from 'commander'
import type { Database } from '../../database/connect.js'
import { ObsError, UsageError } from '../../errors.js'
import type { PreservationMode } from '../../migrator/preservation/choose-preservation.js'
import type { BackupReference } from '../../migrator/run/run.js'
import { formatBytes, formatCount } from '../../terminal/format.js'
import type { Invocation } from '../invocation.js'

/** The flags that every run of migrations takes. */
export interface RunFlags {
  readonly backup: 'full' | 'none'
  readonly preserve?: PreservationMode
  readonly lockTimeout: number
  readonly ddlLockTimeout: number
  readonly ddlRetryFor: number
  readonly dryRun?: boolean
}

/** The value of `--to`: 0 stands for the empty database. */
export function parseVersion(text: string): number {
  const version = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(version)) return version
  throw new InvalidArgumentError('It is a version number, as obs migrate status lists them.')
}

export function parseCount(text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && count > 0 && Number.isSafeInteger(count)) return count
  throw new InvalidArgumentError('It is a whole number above 0.')
}

/** Seconds with an optional fraction, as milliseconds; at most a day. */
function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && seconds <= 86_400) return Math.round(seconds * 1000)
  throw new InvalidArgumentError('It is a number of seconds, from 0 to 86400.')
}

export function stepsOption(description: string): Option {
  return new Option('--steps <count>', description).argParser(parseCount)
}

export function outOfOrderOption(): Option {
  return new Option('--allow-out-of-order', 'also run migrations that are older than one that is applied')
}

/** `--to` and `--steps` are two ways to say how far. */
export function refuseBoth({ to, steps }: { readonly to?: number; readonly steps?: number }): void {
  if (to === undefined || steps === undefined) return
  throw new UsageError('--to and --steps say two different things', {
    hint: 'Use one of them; nothing was changed.',
  })
}

export function backupOption(): Option {
  return new Option('--backup <mode>', 'full: back up first when there is data; none: do not')
    .choices(['full', 'none'])
    .default('full')
}

export function preserveOption(): Option {
  return new Option(
    '--preserve <mode>',
    'compare existing data before and after each migration: hashes (every value), counts (rows) or off; ' +
      'by default hashes up to 5 million rows, else counts',
  ).choices(['hashes', 'counts', 'off'])
}

export function lockTimeoutOption(): Option {
  return new Option('--lock-timeout <seconds>', 'how long to wait for another run of obs migrate')
    .argParser(parseSeconds)
    .default(60_000, '60')
}

export function ddlLockTimeoutOption(): Option {
  return new Option(
    '--ddl-lock-timeout <seconds>',
    'how long one attempt may wait for a table that others use, while everybody queues behind it; 0: for ever',
  )
    .argParser(parseSeconds)
    .default(2_000, '2')
}

export function ddlRetryForOption(): Option {
  return new Option(
    '--ddl-retry-for <seconds>',
    'how long to go on trying, with growing pauses, when a table is in use; 0: try once',
  )
    .argParser(parseSeconds)
    .default(60_000, '60')
}

/** Flags as the engine wants them. */
export function runOptions(invocation: Invocation<RunFlags>, database: Database) {
  const { backup, preserve, lockTimeout, ddlLockTimeout, ddlRetryFor } = invocation.options
  return {
    lockTimeoutMs: lockTimeout,
    ddlLockTimeoutMs: ddlLockTimeout,
    ddlRetryForMs: ddlRetryFor,
    ...(preserve ? { preserve } : {}),
    ...(backup === 'full' ? { backup: () => makeBackup(invocation, database) } : {}),
  }
}

/** A backup that fails stops the run before anything was changed, and says so. */
async function makeBackup({ settings, context }: Invocation<unknown>, database: Database): Promise<BackupReference> {
  const { createBackup } = await import('../../backup/create-backup.js')
  try {
    const { id, path, bytes, manifest } = await createBackup(database, { directory: settings.backups }, context)
    context.progress.step(`backed up ${formatCount(manifest.rows)} rows (${formatBytes(bytes)}) as ${id}`)
    return { id, path }
  } catch (error) {
    if (!(error instanceof ObsError)) throw error
    throw new ObsError(`no migration was run, because the backup before it failed: ${error.message}`, {
      code: error.code,
      exitCode: error.exitCode,
      cause: error,
      hint: `${error.hint ?? 'Look at the message above.'} --backup none goes ahead without one.`,
      ...(error.details ? { details: error.details } : {}),
    })
  }
}
