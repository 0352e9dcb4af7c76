import { Command } from 'commander'
import type { BaselineResult } from '../../migrator/baseline/baseline.js'
import { countOf, type Difference, describeDifference, sizeOf } from '../../migrator/baseline/difference.js'
import type { Style } from '../../terminal/style.js'
import { action, withTarget } from '../invocation.js'
import { idsJson, idsOf } from './adopted.js'
import { lockTimeoutOption, parseVersion } from './flags.js'

interface Options {
  readonly to?: number
  readonly acceptDifferences?: boolean
  /** False with --no-compare. */
  readonly compare: boolean
  readonly dryRun?: boolean
  readonly lockTimeout: number
}

export function migrateBaselineCommand(): Command {
  return new Command('baseline')
    .description('adopt a database that has no history: record migrations as applied without running them')
    .option('--to <version>', 'the version it stands at (default: the one whose schema it has)', parseVersion)
    .option('--accept-differences', 'record the version though the database differs from it')
    .option('--no-compare', 'record the version without building it in a scratch database and comparing')
    .addOption(lockTimeoutOption())
    .option('--dry-run', 'compare, show what would be recorded, and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate baseline --dry-run          find the version whose schema the database has
  $ obs migrate baseline --to 12
  $ obs migrate baseline --to 12 --accept-differences --json

Builds what the migrations say in a scratch database on the same server, for which the role
needs the right to create one, and compares. Exit codes: 0 recorded, 1 it is not that
version, 2 there is no such version, 4 another run held the lock.`,
    )
    .action(
      action<Options, []>(async (invocation) => {
        const { options, settings, context, style } = invocation
        const { to, acceptDifferences = false, compare, dryRun = false, lockTimeout } = options
        const { baseline } = await import('../../migrator/baseline/baseline.js')
        const wish = { acceptDifferences, compare, dryRun, lockTimeoutMs: lockTimeout }
        const result = await withTarget(
          invocation,
          (database) => baseline(database, settings.pack, { ...wish, ...(to === undefined ? {} : { to }) }, context),
          { purpose: 'migrate baseline', readOnly: dryRun },
        )
        invocation.answer({ json: baselineJson(result, dryRun), text: baselineText(result, dryRun, style) })
      }),
    )
}

function baselineJson({ migration, adopted, pending, difference }: BaselineResult, dryRun: boolean) {
  return {
    version: migration.version,
    dry_run: dryRun,
    compared: difference !== null,
    differences: difference === null ? null : { missing: difference.missing, extra: difference.extra },
    recorded: idsJson(adopted.map((one) => one.migration)),
    pending: idsJson(pending),
  }
}

function baselineText(result: BaselineResult, dryRun: boolean, style: Style): string {
  const { migration, adopted, pending, difference } = result
  const ids = idsOf(adopted.map((one) => one.migration))
  return [
    verdict(result, style),
    `${dryRun ? 'would be recorded' : style.good('recorded')} as applied, none was run: ${ids}`,
    ...(pending.length > 0 ? [`pending: ${idsOf(pending)}`] : []),
    dryRun
      ? `nothing was changed; ${style.strong(`obs migrate baseline --to ${migration.version}${flagsFor(difference)}`)} records it`
      : `${style.strong('obs migrate up')} goes on from here`,
  ].join('\n')
}

function verdict({ migration, difference }: BaselineResult, style: Style): string {
  if (difference === null) return `${style.notice('not compared')} with what the migrations up to ${migration.id} build`
  if (sizeOf(difference) === 0) return `the database has exactly the schema of ${migration.id}`
  return `${style.notice(countOf(difference))} from ${migration.id} accepted:\n${describeDifference(difference)}`
}

/** What makes the same decision again. */
function flagsFor(difference: Difference | null): string {
  if (difference === null) return ' --no-compare'
  return sizeOf(difference) === 0 ? '' : ' --accept-differences'
}
