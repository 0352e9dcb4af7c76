import { Command, Option } from 'commander'
import { UsageError } from '../../errors.js'
import type { Finding } from '../../migrator/repair.js'
import { action, withTarget } from '../invocation.js'
import { lockTimeoutOption, parseCount, parseVersion } from './flags.js'

interface Options {
  readonly resumeAt?: number
  readonly nowIs?: 'applied' | 'reverted'
  readonly lockTimeout: number
}

export function migrateRepairCommand(): Command {
  return new Command('repair')
    .description('tell the history what became of a half-done migration')
    .argument('<version>', 'the dirty version, as obs migrate status shows it', parseVersion)
    .option('--resume-at <statement>', 'the first statement that did not take effect', parseCount)
    .addOption(
      new Option('--now-is <state>', 'you finished it, or took it back, by hand').choices(['applied', 'reverted']),
    )
    .addOption(lockTimeoutOption())
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate repair 7 --resume-at 3      statements 1 and 2 took effect; the next run begins with 3
  $ obs migrate repair 7 --now-is reverted  nothing of it is left

Only a migration that runs outside a transaction can be half done. Changes the history and
nothing else.`,
    )
    .action(
      action<Options, [number]>(async (invocation, version) => {
        const { options, settings, context, style } = invocation
        const finding = findingOf(options)
        const { repairMigration } = await import('../../migrator/repair.js')
        const result = await withTarget(
          invocation,
          (database) => repairMigration(database, settings.pack, version, finding, context, options.lockTimeout),
          { purpose: 'migrate repair' },
        )
        invocation.answer({
          json: result,
          text: `settled ${result.version} ${result.name}; go on with ${style.strong(result.next)}`,
        })
      }),
    )
}

function findingOf({ resumeAt, nowIs }: Options): Finding {
  if (resumeAt !== undefined && nowIs === undefined) return { resumeAt }
  if (nowIs !== undefined && resumeAt === undefined) return { nowIs }
  throw new UsageError('say either --resume-at or --now-is', {
    hint: 'Look into the database first: --resume-at <statement> names the first statement that did not take effect.',
  })
}
