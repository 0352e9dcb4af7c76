import { resolve } from 'node:path'
import { Command } from 'commander'
import { doomed, type PrunePlan, planPrune, prune } from '../../backup/prune-backups.js'
import type { RetentionPolicy } from '../../backup/retention.js'
import { UsageError } from '../../errors.js'
import { formatAge, formatBytes } from '../../terminal/format.js'
import { renderTable } from '../../terminal/table.js'
import { action, type Invocation } from '../invocation.js'
import { parseCount } from '../migrate/flags.js'
import { backupsOfNewestMigrations } from './migration-backups.js'
import { duration } from './own-command.js'

interface Options {
  readonly keepLast?: number
  readonly keepDaily?: number
  readonly keepWeekly?: number
  readonly olderThan?: number
  readonly directory?: string
}

export function pruneCommand(): Command {
  return new Command('prune')
    .description('remove old backups by a policy')
    .option('--keep-last <count>', 'keep the newest ones', parseCount)
    .option('--keep-daily <count>', 'keep the newest of each day, for so many days that have one', parseCount)
    .option('--keep-weekly <count>', 'keep the newest of each week, for so many weeks that have one', parseCount)
    .option('--older-than <time>', 'remove only what is older: 30d, 12w', duration)
    .option('--directory <folder>', 'where backups are kept (default: the backups folder of the configuration)')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup prune --keep-last 3 --keep-daily 7 --keep-weekly 8      what would go, and why the rest stays
  $ obs backup prune --keep-daily 14 --older-than 30d --yes            in a pipeline

Databases are looked at one by one. A backup stays when any rule keeps it. Always kept are the newest
one of everything, the newest one that was restored, and the one that the newest migration needs.
Without --yes it asks on a terminal and elsewhere only says what it would do.`,
    )
    .action(
      action<Options, []>(async (invocation) => {
        const { options, settings, context, terminal } = invocation
        const directory = options.directory === undefined ? settings.backups : resolve(options.directory)
        const policy = policyOf(options)
        const plan = await planPrune(directory, policy, await backupsOfNewestMigrations(invocation))
        const count = doomed(plan).length + plan.remains.length
        const isDryRun = count > 0 && !options.yes && !terminal.canAsk
        if (count > 0 && !isDryRun) {
          if (!options.yes) process.stderr.write(`${planTable(plan)}\n`)
          await invocation.confirm(
            `Remove ${doomed(plan).length} backups and ${plan.remains.length} unfinished folders?`,
          )
        }
        const removed = isDryRun || count === 0 ? [] : await prune(plan, context)
        invocation.answer({ json: jsonOf(plan, removed, isDryRun), text: textOf(plan, removed, isDryRun, invocation) })
      }),
    )
}

function policyOf({ keepLast, keepDaily, keepWeekly, olderThan }: Options): RetentionPolicy {
  const policy = {
    ...(keepLast === undefined ? {} : { keepLast }),
    ...(keepDaily === undefined ? {} : { keepDaily }),
    ...(keepWeekly === undefined ? {} : { keepWeekly }),
    ...(olderThan === undefined ? {} : { olderThan }),
  }
  if (Object.keys(policy).length > 0) return policy
  throw new UsageError('nothing says which backups to keep', {
    code: 'no_policy',
    hint: 'Add one or more of --keep-last, --keep-daily, --keep-weekly and --older-than; nothing was removed.',
  })
}

function jsonOf(plan: PrunePlan, removed: readonly string[], isDryRun: boolean) {
  return {
    directory: plan.directory,
    dry_run: isDryRun,
    [isDryRun ? 'would_remove' : 'removed']: isDryRun ? doomed(plan) : removed,
    unfinished: plan.remains,
    kept: plan.verdicts
      .filter(({ keptBecause }) => keptBecause.length > 0)
      .map(({ backup, keptBecause }) => ({ id: backup.id, because: keptBecause })),
    left_alone: plan.leftAlone,
  }
}

function textOf(
  plan: PrunePlan,
  removed: readonly string[],
  isDryRun: boolean,
  { style }: Invocation<Options>,
): string {
  const alone = plan.leftAlone.map((name) => `left alone, look at it: ${name}`)
  if (doomed(plan).length + plan.remains.length === 0) {
    return [...alone, `nothing to remove in ${plan.directory}`].join('\n')
  }
  if (!isDryRun) {
    const more = plan.remains.length > 0 ? ` and ${plan.remains.length} unfinished folders` : ''
    return [...alone, `${style.good('removed')} ${removed.length} backups${more}`].join('\n')
  }
  return [planTable(plan), ...alone, style.notice('nothing was removed; the same with --yes removes this')].join('\n')
}

function planTable({ verdicts, remains }: PrunePlan): string {
  const now = Date.now()
  return renderTable(
    [{ title: 'backup' }, { title: 'age' }, { title: 'size', align: 'right' }, { title: 'what becomes of it' }],
    [
      ...verdicts.map(({ backup, keptBecause }) => [
        backup.id,
        formatAge(now - Date.parse(backup.created_at ?? '')),
        formatBytes(backup.bytes ?? 0),
        keptBecause.length === 0 ? 'removed' : `kept: ${keptBecause.join(', ')}`,
      ]),
      ...remains.map((name) => [name, '', '', 'removed: a run died over it']),
    ],
  )
}
