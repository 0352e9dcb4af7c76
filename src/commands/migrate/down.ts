import { Command } from 'commander'
import type { Database } from '../../database/connect.js'
import type { DownTarget, Situation } from '../../migrator/plan/plan.js'
import type { MigrateDownOptions, MigrateDownResult } from '../../migrator/run/down.js'
import { formatDuration } from '../../terminal/format.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { confirmPlan } from './confirm-plan.js'
import { addRunOptions, parseVersion, type RunFlags, refuseBoth, runOptions, stepsOption } from './flags.js'
import { farWords } from './plan.js'
import { answerPreview } from './preview.js'
import { backupLine, migrationsJson, migrationsTable, preservationLines } from './render.js'

interface DownFlags extends RunFlags {
  readonly to?: number
  readonly steps?: number
}

export function migrateDownCommand(): Command {
  return addRunOptions(
    new Command('down')
      .description('revert migrations, the one applied last first')
      .option('--to <version>', 'end at this version; 0 reverts everything', parseVersion)
      .addOption(stepsOption('how many to revert (default: 1)')),
    'show what would be reverted',
  )
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
        const { options } = invocation
        refuseBoth(options)
        if (options.dryRun) {
          const { planDown } = await import('../../migrator/plan/plan.js')
          const plan = (situation: Situation) => planDown(situation, targetOf(options))
          return answerPreview(invocation, plan, `obs migrate down${farWords(options)}`, { reverted: [] })
        }
        const result = await withTarget(invocation, (database) => revert(invocation, database), {
          purpose: 'migrate down',
        })
        invocation.answer({ json: downJson(result), text: downText(result, invocation) })
      }),
    )
}

function targetOf({ to, steps }: DownFlags): DownTarget {
  return to === undefined ? { steps: steps ?? 1 } : { to }
}

async function revert(invocation: Invocation<DownFlags>, database: Database): Promise<MigrateDownResult> {
  const { options, settings, context } = invocation
  const { migrateDown } = await import('../../migrator/run/down.js')
  const wanted: MigrateDownOptions = { ...runOptions(invocation, database), target: targetOf(options) }
  const run = (more: Partial<MigrateDownOptions>) =>
    migrateDown(database, settings.pack, { ...wanted, ...more }, context)
  return run(await confirmPlan(invocation, () => run({ dryRun: true })))
}

function downJson({ reverted, backup, preservation, durationMs }: MigrateDownResult) {
  return {
    reverted: migrationsJson(reverted),
    backup,
    preservation,
    duration_ms: durationMs,
  }
}

function downText(result: MigrateDownResult, { style }: Invocation<DownFlags>): string {
  const { reverted, backup, preservation, durationMs } = result
  if (reverted.length === 0) return 'nothing to revert'
  return [
    migrationsTable(reverted),
    '',
    ...backupLine(backup, style),
    ...preservationLines(preservation),
    `${style.good('reverted')} ${reverted.length} in ${formatDuration(durationMs)}; ${style.strong('obs migrate up')} applies them again`,
  ].join('\n')
}
