import { Command } from 'commander'
import type { Database } from '../../database/connect.js'
import type { BothWaysResult } from '../../migrator/both-ways.js'
import type { MigrateRedoOptions } from '../../migrator/redo.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { confirmPlan } from './confirm-plan.js'
import {
  backupOption,
  ddlLockTimeoutOption,
  lockTimeoutOption,
  parseCount,
  preserveOption,
  type RunFlags,
  runOptions,
} from './flags.js'
import { bothWaysJson, bothWaysText, plannedTable } from './render.js'

export function migrateRedoCommand(): Command {
  return new Command('redo')
    .description('revert the migrations applied last and apply them again')
    .argument('[count]', 'how many (default: 1)', parseCount)
    .addOption(backupOption())
    .addOption(preserveOption())
    .addOption(lockTimeoutOption())
    .addOption(ddlLockTimeoutOption())
    .option('--dry-run', 'show what would be done and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate redo                        the newest migration, while you are writing it
  $ obs migrate redo 3 --backup none

What the migrations made is dropped and made again, empty. A file that changed since it was
applied is applied as it is now. On a terminal it asks first. Exit codes as for up.`,
    )
    .action(
      action<RunFlags, [number | undefined]>(async (invocation, count = 1) => {
        const result = await withTarget(invocation, (database) => redo(invocation, database, count), {
          purpose: 'migrate redo',
        })
        const { options, style } = invocation
        invocation.answer({ json: bothWaysJson(result, options.dryRun === true), text: textOf(result, style) })
      }),
    )
}

async function redo(invocation: Invocation<RunFlags>, database: Database, count: number): Promise<BothWaysResult> {
  const { settings, context } = invocation
  const { migrateRedo } = await import('../../migrator/redo.js')
  const wanted: MigrateRedoOptions = { ...runOptions(invocation, database), count }
  const run = (more: Partial<MigrateRedoOptions>) =>
    migrateRedo(database, settings.pack, { ...wanted, ...more }, context)
  return run(await confirmPlan(invocation, () => run({ dryRun: true })))
}

function textOf(result: BothWaysResult, style: Invocation<RunFlags>['style']): string {
  const { planned, applied } = result
  if (planned.length > 0) return [plannedTable(planned), '', 'nothing was changed'].join('\n')
  if (applied.length === 0) return 'nothing is applied, so there is nothing to redo'
  return bothWaysText(result, style, `redid ${applied.length}`)
}
