import { type Command, InvalidArgumentError, Option } from 'commander'
import { type BackupMode, backupModes } from '../../backup-settings.js'
import type { Database } from '../../database/connect.js'
import { UsageError } from '../../errors.js'
import type { PreservationMode } from '../../migrator/preservation/choose-preservation.js'
import type { MakeBackupFlags } from '../backup/make-backup.js'
import { afterSuccessOption, commandWords, duration, encryptToOption } from '../backup/own-command.js'
import type { Invocation } from '../invocation.js'
import { safetyNet } from './safety-net.js'

/** The flags that say what to rely on when a migration goes wrong. */
export interface BackupFlags extends MakeBackupFlags {
  /** Undefined: what the configuration says, else chosen by size. */
  readonly backup?: BackupMode
  readonly backupProofCommand?: readonly string[]
  readonly backupProofFile?: string
  readonly backupMaxAge?: number
}

/** The flags that every run of migrations takes. */
export interface RunFlags extends BackupFlags {
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

/** Adds the flags that say what is backed up first, or whose backup is relied on. */
export function addBackupOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--backup <mode>',
        'what to back up first when there is data: full, tables (those the plan can alter), schema, ' +
          'external (demand proof of another backup) or none; by default obs chooses by size',
      ).choices([...backupModes]),
    )
    .addOption(
      new Option(
        '--backup-proof-command <command>',
        'for external: a program that ends with 0 when there is a backup and may print its time (ISO 8601)',
      ).argParser(commandWords('--backup-proof-command')),
    )
    .option('--backup-proof-file <path>', 'for external: a file that the other system writes with every backup')
    .addOption(
      new Option('--backup-max-age <time>', 'for external: how old the backup may be (default: 24h)').argParser(
        duration,
      ),
    )
    .addOption(encryptToOption())
    .addOption(afterSuccessOption())
}

/** Adds the flags that every run of migrations takes; `dryRun` says what a dry run shows. */
export function addRunOptions(command: Command, dryRun: string): Command {
  return addBackupOptions(command)
    .addOption(preserveOption())
    .addOption(lockTimeoutOption())
    .addOption(ddlLockTimeoutOption())
    .addOption(ddlRetryForOption())
    .option('--dry-run', `${dryRun} and change nothing`)
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
  const { preserve, lockTimeout, ddlLockTimeout, ddlRetryFor } = invocation.options
  const backup = safetyNet(invocation)
  return {
    lockTimeoutMs: lockTimeout,
    ddlLockTimeoutMs: ddlLockTimeout,
    ddlRetryForMs: ddlRetryFor,
    ...(preserve ? { preserve } : {}),
    ...(backup ? { backup: backup.make(database) } : {}),
  }
}
