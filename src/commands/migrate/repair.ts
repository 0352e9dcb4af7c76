import { Command, Option } from 'commander'
import type { Database } from '../../database/connect.js'
import { exitCodes, UsageError } from '../../errors.js'
import type { RepairChoice, RepairOptions, RepairResult } from '../../migrator/recovery/repair.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import {
  addBackupOptions,
  ddlLockTimeoutOption,
  ddlRetryForOption,
  lockTimeoutOption,
  parseCount,
  parseVersion,
  type RunFlags,
  runOptions,
} from './flags.js'
import { findingsJson, findingsText } from './render-repair.js'

interface RepairFlags extends RunFlags {
  readonly resume?: boolean
  readonly resumeAt?: number
  readonly byHand?: boolean
  readonly undo?: boolean
  readonly mark?: 'applied' | 'reverted'
}

export function migrateRepairCommand(): Command {
  return addBackupOptions(new Command('repair').description('explain a half-done migration and settle it'))
    .argument(
      '[version]',
      'the version, as obs migrate status shows it; needed when several are half done',
      parseVersion,
    )
    .option('--resume', 'go on where the catalog says that it stands')
    .option('--resume-at <statement>', 'you looked: this is the first statement that did not take effect', parseCount)
    .option(
      '--by-hand',
      'with --resume-at: believe it against the history, for you took back or ran statements yourself',
    )
    .option('--undo', 'take back what it did so far, if that can be done with certainty')
    .addOption(
      new Option(
        '--mark <state>',
        'you finished it, or took it back, by hand; changes the history and nothing else',
      ).choices(['applied', 'reverted']),
    )
    .addOption(lockTimeoutOption())
    .addOption(ddlLockTimeoutOption())
    .addOption(ddlRetryForOption())
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate repair                      what is half done, what the catalog says, the ways out
  $ obs migrate repair 7 --resume
  $ obs migrate repair 7 --resume-at 3      statements 1 and 2 took effect; the next run begins with 3
  $ obs migrate repair 7 --undo
  $ obs migrate repair 7 --mark reverted    nothing of it is left

Without a choice it changes nothing and exits 5 when something is half done, 0 when nothing is.
Only a migration that runs outside a transaction can be half done, and obs migrate up asks the
catalog by itself: repair is for what the catalog cannot tell, and for taking a migration back.`,
    )
    .action(
      action<RepairFlags, [number | undefined]>(async (invocation, version) => {
        const choice = choiceOf(invocation.options)
        await withTarget(
          invocation,
          (database) =>
            choice ? settle(invocation, database, version, choice) : explain(invocation, database, version),
          { purpose: 'migrate repair' },
        )
      }),
    )
}

function choiceOf({ resume, resumeAt, byHand = false, undo, mark }: RepairFlags): RepairChoice | undefined {
  const choices: RepairChoice[] = []
  if (byHand && resumeAt === undefined) {
    throw new UsageError('--by-hand belongs to --resume-at', {
      hint: 'To say that all of it was finished or taken back by hand, use --mark applied or --mark reverted.',
    })
  }
  if (resume) choices.push({ resume })
  if (resumeAt !== undefined) choices.push({ resumeAt, byHand })
  if (undo) choices.push({ undo })
  if (mark !== undefined) choices.push({ mark })
  if (choices.length < 2) return choices[0]
  throw new UsageError('--resume, --resume-at, --undo and --mark are different ways out', {
    hint: 'Choose one of them; obs migrate repair without any explains each.',
  })
}

async function explain(
  invocation: Invocation<RepairFlags>,
  database: Database,
  version: number | undefined,
): Promise<void> {
  const { settings, context, style } = invocation
  const { explainRepair } = await import('../../migrator/recovery/repair.js')
  const findings = await explainRepair(database, settings.pack, version, optionsOf(invocation, database), context)
  if (findings.length > 0) process.exitCode = exitCodes.dirty
  invocation.answer({ json: findingsJson(findings), text: findingsText(findings, style) })
}

async function settle(
  invocation: Invocation<RepairFlags>,
  database: Database,
  version: number | undefined,
  choice: RepairChoice,
): Promise<void> {
  const { settings, context, terminal, style } = invocation
  const { repairMigration } = await import('../../migrator/recovery/repair.js')
  if ('undo' in choice && terminal.canAsk) await invocation.confirm('Take back what the half-done migration did?')
  const options = optionsOf(invocation, database)
  const result = await repairMigration(database, settings.pack, version, choice, options, context)
  const { ran, backup, next } = result
  const lines = [
    ...ran.map((sql) => `ran: ${sql}`),
    ...(backup ? [`backup: ${style.strong(backup.id)} in ${backup.path}`] : []),
    `settled ${result.version} ${result.name}; go on with ${style.strong(next)}`,
  ]
  invocation.answer({ json: resultJson(result), text: lines.join('\n') })
}

function optionsOf(invocation: Invocation<RepairFlags>, database: Database): RepairOptions {
  return runOptions(invocation, database)
}

function resultJson({ version, name, ran, backup, next }: RepairResult) {
  return { version, name, ran, backup, next }
}
