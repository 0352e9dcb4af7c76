import { Command } from 'commander'
import type { Situation } from '../../migrator/plan/plan.js'
import type { MigrateUpResult } from '../../migrator/run/up.js'
import { formatDuration } from '../../terminal/format.js'
import type { Style } from '../../terminal/style.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import {
  addRunOptions,
  outOfOrderOption,
  parseVersion,
  type RunFlags,
  refuseBoth,
  runOptions,
  stepsOption,
} from './flags.js'
import { farWords, upTarget } from './plan.js'
import { answerPreview } from './preview.js'
import { backupLine, migrationsJson, migrationsTable, preservationLines } from './render.js'

interface UpFlags extends RunFlags {
  readonly to?: number
  readonly steps?: number
  readonly allowOutOfOrder?: boolean
  readonly besideOtherTool?: boolean
}

export function migrateUpCommand(): Command {
  return addRunOptions(
    new Command('up')
      .description('apply pending migrations, oldest first')
      .option('--to <version>', 'stop after this version', parseVersion)
      .addOption(stepsOption('how many to apply (default: all that are pending)'))
      .addOption(outOfOrderOption())
      .option('--beside-other-tool', 'run although another tool has applied migrations of these versions here'),
    'show what would be applied',
  )
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
        if (options.dryRun) {
          const { planUp } = await import('../../migrator/plan/plan.js')
          const plan = (situation: Situation) => planUp(situation, upTarget(options))
          return answerPreview(invocation, plan, `obs migrate up${farWords(options)}${besideWords(options)}`, {
            applied: [],
          })
        }
        const { migrateUp } = await import('../../migrator/run/up.js')
        const result = await withTarget(
          invocation,
          (database) => {
            const beside = options.besideOtherTool ? { besideOtherTool: true } : {}
            const wanted = { ...runOptions(invocation, database), ...upTarget(options), ...beside }
            return migrateUp(database, settings.pack, wanted, context)
          },
          { purpose: 'migrate up' },
        )
        invocation.answer({ json: upJson(result), text: upText(result, invocation) })
      }),
    )
}

function besideWords({ besideOtherTool }: UpFlags): string {
  return besideOtherTool ? ' --beside-other-tool' : ''
}

function upJson({ applied, backup, preservation, durationMs }: MigrateUpResult) {
  return {
    applied: migrationsJson(applied),
    backup,
    preservation,
    duration_ms: durationMs,
  }
}

function upText(result: MigrateUpResult, { style, settings, options }: Invocation<UpFlags>): string {
  const { applied, backup, preservation, durationMs } = result
  if (applied.length === 0)
    return `${settings.pack.name} is up to date${options.to === undefined ? '' : ` to ${options.to}`}`
  return [
    migrationsTable(applied),
    '',
    ...backupLine(backup, style),
    ...preservationLines(preservation),
    `${reached(applied, options, style)} in ${formatDuration(durationMs)}`,
  ].join('\n')
}

/** What came late does not say where the database stands. */
function reached(applied: MigrateUpResult['applied'], { allowOutOfOrder }: UpFlags, style: Style): string {
  if (allowOutOfOrder) return `${style.good('applied')} ${applied.length}`
  return `${style.good('up')} at version ${applied.at(-1)?.version}`
}
