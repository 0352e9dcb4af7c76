import { Command } from 'commander'
import type { UpTarget } from '../../migrator/plan.js'
import type { MigrateUpResult } from '../../migrator/up.js'
import { formatDuration } from '../../terminal/format.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import {
  backupOption,
  ddlLockTimeoutOption,
  ddlRetryForOption,
  lockTimeoutOption,
  outOfOrderOption,
  parseVersion,
  preserveOption,
  type RunFlags,
  refuseBoth,
  runOptions,
  stepsOption,
} from './flags.js'
import { backupLine, migrationsJson, migrationsTable, plannedJson, plannedTable, preservationLines } from './render.js'

interface UpFlags extends RunFlags {
  readonly to?: number
  readonly steps?: number
  readonly allowOutOfOrder?: boolean
}

export function migrateUpCommand(): Command {
  return new Command('up')
    .description('apply pending migrations, oldest first')
    .option('--to <version>', 'stop after this version', parseVersion)
    .addOption(stepsOption('how many to apply (default: all that are pending)'))
    .addOption(outOfOrderOption())
    .addOption(backupOption())
    .addOption(preserveOption())
    .addOption(lockTimeoutOption())
    .addOption(ddlLockTimeoutOption())
    .addOption(ddlRetryForOption())
    .option('--dry-run', 'show what would be applied and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate up                          back up, then apply everything that is pending
  $ obs migrate up --to 4 --backup none
  $ obs migrate up --steps 1
  $ obs migrate up --dry-run --json

Every file is parsed before the first one runs. Each migration commits together with its
history row, or not at all. Exit codes: 0 up to date, 1 a migration failed, 2 a file cannot
be used, 4 another run held the lock, 5 a migration is half done.`,
    )
    .action(
      action<UpFlags, []>(async (invocation) => {
        const { options, settings, context } = invocation
        refuseBoth(options)
        const { migrateUp } = await import('../../migrator/up.js')
        const result = await withTarget(
          invocation,
          (database) => {
            const wanted = { ...runOptions(invocation, database), ...upTarget(options) }
            return migrateUp(database, settings.pack, wanted, context)
          },
          { purpose: 'migrate up' },
        )
        invocation.answer({ json: upJson(result, options.dryRun === true), text: upText(result, invocation) })
      }),
    )
}

function upTarget({ to, steps, allowOutOfOrder }: UpFlags): UpTarget {
  return {
    ...(to === undefined ? {} : { to }),
    ...(steps === undefined ? {} : { steps }),
    ...(allowOutOfOrder ? { allowOutOfOrder } : {}),
  }
}

function upJson({ applied, planned, backup, preservation, durationMs }: MigrateUpResult, dryRun: boolean) {
  return {
    applied: migrationsJson(applied),
    ...(dryRun ? { planned: plannedJson(planned) } : {}),
    backup,
    preservation,
    duration_ms: durationMs,
  }
}

function upText(result: MigrateUpResult, { style, settings, options }: Invocation<UpFlags>): string {
  const { applied, planned, backup, preservation, durationMs } = result
  if (planned.length > 0) {
    return [plannedTable(planned), '', `nothing was changed; ${style.strong('obs migrate up')} applies these`].join(
      '\n',
    )
  }
  if (applied.length === 0)
    return `${settings.pack.name} is up to date${options.to === undefined ? '' : ` to ${options.to}`}`
  return [
    migrationsTable(applied),
    '',
    ...backupLine(backup, style),
    ...preservationLines(preservation),
    `${style.good('up')} at version ${applied.at(-1)?.version} in ${formatDuration(durationMs)}`,
  ].join('\n')
}
