import { Command } from 'commander'
import type { Database } from '../../database/connect.js'
import type { MigrateDownOptions, MigrateDownResult } from '../../migrator/down.js'
import { formatDuration } from '../../terminal/format.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { confirmPlan } from './confirm-plan.js'
import {
  backupOption,
  ddlLockTimeoutOption,
  ddlRetryForOption,
  lockTimeoutOption,
  parseVersion,
  preserveOption,
  type RunFlags,
  refuseBoth,
  runOptions,
  stepsOption,
} from './flags.js'
import { backupLine, migrationsJson, migrationsTable, plannedJson, plannedTable, preservationLines } from './render.js'

interface DownFlags extends RunFlags {
  readonly to?: number
  readonly steps?: number
}

export function migrateDownCommand(): Command {
  return new Command('down')
    .description('revert migrations, the one applied last first')
    .option('--to <version>', 'end at this version; 0 reverts everything', parseVersion)
    .addOption(stepsOption('how many to revert (default: 1)'))
    .addOption(backupOption())
    .addOption(preserveOption())
    .addOption(lockTimeoutOption())
    .addOption(ddlLockTimeoutOption())
    .addOption(ddlRetryForOption())
    .option('--dry-run', 'show what would be reverted and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate down                        the newest migration
  $ obs migrate down --to 1                 back to version 1
  $ obs migrate down --to 0 --dry-run

What a migration made is dropped with it, so a backup is taken first. On a terminal it asks
before it begins (--yes answers) and runs exactly what was confirmed; in a script the backup is
the guard. Exit codes as for up.`,
    )
    .action(
      action<DownFlags, []>(async (invocation) => {
        refuseBoth(invocation.options)
        const result = await withTarget(invocation, (database) => revert(invocation, database), {
          purpose: 'migrate down',
        })
        invocation.answer({
          json: downJson(result, invocation.options.dryRun === true),
          text: downText(result, invocation),
        })
      }),
    )
}

async function revert(invocation: Invocation<DownFlags>, database: Database): Promise<MigrateDownResult> {
  const { options, settings, context } = invocation
  const { migrateDown } = await import('../../migrator/down.js')
  const target = options.to === undefined ? { steps: options.steps ?? 1 } : { to: options.to }
  const wanted: MigrateDownOptions = { ...runOptions(invocation, database), target }
  const run = (more: Partial<MigrateDownOptions>) =>
    migrateDown(database, settings.pack, { ...wanted, ...more }, context)
  return run(await confirmPlan(invocation, () => run({ dryRun: true })))
}

function downJson({ reverted, planned, backup, preservation, durationMs }: MigrateDownResult, dryRun: boolean) {
  return {
    reverted: migrationsJson(reverted),
    ...(dryRun ? { planned: plannedJson(planned) } : {}),
    backup,
    preservation,
    duration_ms: durationMs,
  }
}

function downText(result: MigrateDownResult, { style }: Invocation<DownFlags>): string {
  const { reverted, planned, backup, preservation, durationMs } = result
  if (planned.length > 0) {
    return [plannedTable(planned), '', 'nothing was changed; without --dry-run these are reverted'].join('\n')
  }
  if (reverted.length === 0) return 'nothing to revert'
  return [
    migrationsTable(reverted),
    '',
    ...backupLine(backup, style),
    ...preservationLines(preservation),
    `${style.good('reverted')} ${reverted.length} in ${formatDuration(durationMs)}; ${style.strong('obs migrate up')} applies them again`,
  ].join('\n')
}
