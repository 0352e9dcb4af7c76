import { Command } from 'commander'
import type { Database } from '../../database/connect.js'
import type { Situation } from '../../migrator/plan/plan.js'
import type { BothWaysResult } from '../../migrator/run/both-ways.js'
import type { MigrateGotoOptions } from '../../migrator/run/goto.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { confirmPlan } from './confirm-plan.js'
import { addRunOptions, outOfOrderOption, parseVersion, type RunFlags, runOptions } from './flags.js'
import { farWords } from './plan.js'
import { answerPreview } from './preview.js'
import { bothWaysJson, bothWaysText } from './render.js'

interface GotoFlags extends RunFlags {
  readonly allowOutOfOrder?: boolean
}

export function migrateGotoCommand(): Command {
  return addRunOptions(
    new Command('goto')
      .description('bring the database to a version, up or down')
      .argument('<version>', 'the version to end at; 0 reverts everything', parseVersion)
      .addOption(outOfOrderOption()),
    'show what would be done',
  )
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate goto 4
  $ obs migrate goto 4 --dry-run            which way it is, and what runs

It is one plan: all files are parsed before the first one runs. What was applied out of order
after a version that has to go is reverted too and applied again. On a terminal it asks before
it reverts anything. Exit codes as for up.`,
    )
    .action(
      action<GotoFlags, [number]>(async (invocation, to) => {
        const { options, style } = invocation
        if (options.dryRun) {
          const { planGoto } = await import('../../migrator/plan/plan.js')
          const plan = (situation: Situation) => planGoto(situation, to, options.allowOutOfOrder)
          return answerPreview(invocation, plan, `obs migrate goto ${to}${farWords(late(options))}`, {
            reverted: [],
            applied: [],
          })
        }
        const result = await withTarget(invocation, (database) => go(invocation, database, to), {
          purpose: 'migrate goto',
        })
        invocation.answer({ json: bothWaysJson(result), text: textOf(result, to, style) })
      }),
    )
}

function late({ allowOutOfOrder }: GotoFlags): { readonly allowOutOfOrder?: true } {
  return allowOutOfOrder ? { allowOutOfOrder } : {}
}

async function go(invocation: Invocation<GotoFlags>, database: Database, to: number): Promise<BothWaysResult> {
  const { options, settings, context } = invocation
  const { migrateGoto } = await import('../../migrator/run/goto.js')
  const wanted: MigrateGotoOptions = { ...runOptions(invocation, database), to, ...late(options) }
  const run = (more: Partial<MigrateGotoOptions>) =>
    migrateGoto(database, settings.pack, { ...wanted, ...more }, context)
  return run(await confirmPlan(invocation, () => run({ dryRun: true })))
}

function textOf(result: BothWaysResult, to: number, style: Invocation<GotoFlags>['style']): string {
  const { applied, reverted } = result
  if (applied.length + reverted.length === 0) return `the database is at version ${to} already`
  return bothWaysText(result, style, `at version ${to}`)
}
