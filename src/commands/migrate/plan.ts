import { Command } from 'commander'
import type { UpTarget } from '../../migrator/plan/plan.js'
import { action } from '../invocation.js'
import { addBackupOptions, outOfOrderOption, parseVersion, preserveOption, refuseBoth, stepsOption } from './flags.js'
import { answerPreview, type PreviewFlags } from './preview.js'

interface PlanFlags extends PreviewFlags {
  readonly to?: number
  readonly steps?: number
  readonly down?: boolean
  readonly allowOutOfOrder?: boolean
}

export function migratePlanCommand(): Command {
  return addBackupOptions(new Command('plan').description('show what up, or down, would do, statement by statement'))
    .option('--to <version>', 'end at this version', parseVersion)
    .addOption(stepsOption('how many migrations (default: up: all that are pending; down: 1)'))
    .option('--down', 'the way down')
    .addOption(outOfOrderOption())
    .addOption(preserveOption())
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate plan
  $ obs migrate plan --steps 1 --json | jq '.planned[].statements[].locks'
  $ obs migrate plan --down --to 4

For each statement: where it stands, what it is, which locks it takes on which tables and how
many rows those hold by the planner's statistics, and whether it reads or writes a table from
end to end. Then what cannot be undone, the backup and the comparison of existing data. Takes
no lock that anybody would notice and changes nothing; up --dry-run, down --dry-run, redo
--dry-run and goto --dry-run print the same. Exit codes as for up.`,
    )
    .action(
      action<PlanFlags, []>(async (invocation) => {
        const { options } = invocation
        refuseBoth(options)
        const { planDown, planUp } = await import('../../migrator/plan/plan.js')
        const { to, steps } = options
        const far = farWords(options)
        if (options.down) {
          const target = to === undefined ? { steps: steps ?? 1 } : { to }
          await answerPreview(invocation, (situation) => planDown(situation, target), `obs migrate down${far}`)
        } else {
          const target = upTarget(options)
          await answerPreview(invocation, (situation) => planUp(situation, target), `obs migrate up${far}`)
        }
      }),
    )
}

/** The flags that say how far up, as the engine wants them. */
export function upTarget({ to, steps, allowOutOfOrder }: Omit<PlanFlags, 'backup'>): UpTarget {
  return {
    ...(to === undefined ? {} : { to }),
    ...(steps === undefined ? {} : { steps }),
    ...(allowOutOfOrder ? { allowOutOfOrder } : {}),
  }
}

/** The flags that say how far, as they are written on a command line. */
export function farWords({ to, steps, allowOutOfOrder }: Omit<PlanFlags, 'backup'>): string {
  return [
    to === undefined ? '' : ` --to ${to}`,
    steps === undefined ? '' : ` --steps ${steps}`,
    allowOutOfOrder ? ' --allow-out-of-order' : '',
  ].join('')
}
