import { Command } from 'commander'
import type { Database } from '../../database/connect.js'
import type { Situation } from '../../migrator/plan/plan.js'
import type { BothWaysResult } from '../../migrator/run/both-ways.js'
import type { MigrateRedoOptions } from '../../migrator/run/redo.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { confirmPlan } from './confirm-plan.js'
import { addRunOptions, parseCount, type RunFlags, runOptions } from './flags.js'
import { answerPreview } from './preview.js'
import { bothWaysJson, bothWaysText } from './render.js'

export function migrateRedoCommand(): Command {
  return addRunOptions(
    new Command('redo')
      .description('revert the migrations applied last and apply them again')
      .argument('[count]', 'how many (default: 1)', parseCount),
    'show what would be done',
  )
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
        if (invocation.options.dryRun) {
          const { planRedo } = await import('../../migrator/plan/plan.js')
          const plan = (situation: Situation) => planRedo(situation, count)
          return answerPreview(invocation, plan, `obs migrate redo ${count}`, { reverted: [], applied: [] })
        }
        const result = await withTarget(invocation, (database) => redo(invocation, database, count), {
          purpose: 'migrate redo',
        })
        invocation.answer({ json: bothWaysJson(result), text: textOf(result, invocation.style) })
      }),
    )
}

async function redo(invocation: Invocation<RunFlags>, database: Database, count: number): Promise<BothWaysResult> {
  const { settings, context } = invocation
  const { migrateRedo } = await import('../../migrator/run/redo.js')
  const wanted: MigrateRedoOptions = { ...runOptions(invocation, database), count }
  const run = (more: Partial<MigrateRedoOptions>) =>
    migrateRedo(database, settings.pack, { ...wanted, ...more }, context)
  return run(await confirmPlan(invocation, () => run({ dryRun: true })))
}

function textOf(result: BothWaysResult, style: Invocation<RunFlags>['style']): string {
  const { applied } = result
  if (applied.length === 0) return 'nothing is applied, so there is nothing to redo'
  return bothWaysText(result, style, `redid ${applied.length}`)
}
