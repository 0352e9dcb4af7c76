import { Command, Option } from 'commander'
import { type ToolName, toolNames } from '../../migrator/import/foreign-history.js'
import type { ImportResult } from '../../migrator/import/import-history.js'
import type { Style } from '../../terminal/style.js'
import { action, withTarget } from '../invocation.js'
import { adoptedJson, adoptedTable, idsJson, idsOf } from './adopted.js'
import { lockTimeoutOption } from './flags.js'

interface Options {
  readonly from?: ToolName
  readonly table?: string
  readonly dryRun?: boolean
  readonly lockTimeout: number
}

export function migrateImportCommand(): Command {
  return new Command('import')
    .description('take over the history of another migration tool')
    .addOption(new Option('--from <tool>', 'whose history it is (default: told by its table)').choices(toolNames))
    .option('--table <name>', 'its table, when it is not called as usual: migrations, or app."Migrations"')
    .addOption(lockTimeoutOption())
    .option('--dry-run', 'show what would be imported and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate import --dry-run            find the other tool's table, show what would be imported
  $ obs migrate import --from goose
  $ obs migrate import --table app.flyway_schema_history --json

Runs no migration: it writes into the history of obs which files are applied already. The
other tool's table stays as it is. Exit codes: 0 imported, 1 the two do not fit together,
2 the table is not clear, 4 another run held the lock.`,
    )
    .action(
      action<Options, []>(async (invocation) => {
        const { options, settings, context, style } = invocation
        const { from, table, dryRun = false, lockTimeout } = options
        const { importHistory } = await import('../../migrator/import/import-history.js')
        const wish = { ...(from ? { tool: from } : {}), ...(table === undefined ? {} : { table }) }
        const result = await withTarget(
          invocation,
          (database) =>
            importHistory(database, settings.pack, { ...wish, dryRun, lockTimeoutMs: lockTimeout }, context),
          { purpose: 'migrate import', readOnly: dryRun },
        )
        invocation.answer({ json: importJson(result, dryRun), text: importText(result, dryRun, style) })
      }),
    )
}

function importJson({ tool, table, imported, late, pending, leftOut }: ImportResult, dryRun: boolean) {
  return {
    tool,
    table,
    dry_run: dryRun,
    imported: adoptedJson(imported),
    late: idsJson(late),
    pending: idsJson(pending),
    left_out: leftOut,
  }
}

function importText(result: ImportResult, dryRun: boolean, style: Style): string {
  const { tool, table, imported, late, pending, leftOut } = result
  if (imported.length === 0) return `${tool} has applied nothing yet, says ${table}; there is nothing to import`
  const count = `${imported.length} ${imported.length === 1 ? 'migration' : 'migrations'}`
  const head = dryRun ? `${count} of ${tool} would be imported` : `${style.good('imported')} ${count} of ${tool}`
  return [
    adoptedTable(imported),
    '',
    `${head}, as ${table} says; none was run`,
    ...(late.length > 0
      ? [
          `${style.notice('late')}: ${idsOf(late)}; obs migrate up --allow-out-of-order runs what is older than the newest`,
        ]
      : []),
    ...(pending.length > 0 ? [`pending: ${idsOf(pending)}`] : []),
    ...(leftOut.length > 0 ? [`${style.notice('left out')}: ${leftOut.join(', ')}; obs has no such thing`] : []),
    dryRun
      ? `nothing was changed; ${style.strong('obs migrate import')} does it`
      : `${table} stays as it is; from now on run obs here, and ${tool} no more`,
  ].join('\n')
}
