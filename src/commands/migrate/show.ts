import { relative } from 'node:path'
import { Command } from 'commander'
import type { Attempt, ShownMigration } from '../../migrator/history/show.js'
import type { PreservationReceipt, TableReceipt } from '../../migrator/preservation/receipt.js'
import { formatCount, formatDuration, formatTime } from '../../terminal/format.js'
import { printable } from '../../terminal/printable.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'
import { action, withTarget } from '../invocation.js'
import { parseVersion } from './flags.js'

export function migrateShowCommand(): Command {
  return new Command('show')
    .description('show all that is known of one migration')
    .argument('<version>', 'as obs migrate status lists it', parseVersion)
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate show 4
  $ obs migrate show 4 --json | jq '.attempts[-1].receipt'

Its files and what they say cannot be undone, every attempt to apply or revert it (when, who, where, how long, what went wrong),
how to restore the backup that was made before, the receipt of what was compared, and both sides
when the file is no longer what was applied. Only reads.`,
    )
    .action(
      action<object, [number]>(async (invocation, version) => {
        const { settings, style } = invocation
        const { showMigration } = await import('../../migrator/history/show.js')
        const shown = await withTarget(invocation, (database) => showMigration(database, settings.pack, version), {
          connections: 1,
          purpose: 'migrate show',
          readOnly: true,
        })
        invocation.answer({ json: showJson(shown), text: showText(shown, style) })
      }),
    )
}

function showJson({ pack, platform, status, files, declared, attempts, change }: ShownMigration) {
  const { version, name, state, appliedAt, reversible, stoppedAt } = status
  return {
    pack,
    platform,
    version,
    name,
    state,
    applied_at: appliedAt?.toISOString() ?? null,
    reversible,
    ...(stoppedAt ? { stopped_at: stoppedAt } : {}),
    files,
    declared,
    attempts: attempts.map(attemptJson(status.version)),
    change,
  }
}

function attemptJson(version: number) {
  return (attempt: Attempt) => ({
    direction: attempt.direction,
    state: attempt.state,
    started_at: attempt.startedAt.toISOString(),
    duration_ms: attempt.durationMs,
    who: attempt.who,
    host: attempt.host,
    obs_version: attempt.obsVersion,
    checksum: attempt.checksum,
    in_transaction: attempt.inTransaction,
    statement: attempt.statement,
    backup: attempt.backupId && { id: attempt.backupId, restore: restoreCommand(attempt.backupId, version) },
    remark: attempt.remark,
    error: attempt.error,
    receipt: attempt.receipt,
  })
}

/** A backup never goes over the database it came from: it is restored beside it. */
function restoreCommand(id: string, version: number): string {
  return `obs backup restore ${id} --to before_${version}`
}

function showText({ pack, platform, status, files, declared, attempts, change }: ShownMigration, style: Style): string {
  const { version, name, state } = status
  const paint = state === 'applied' ? style.good : state === 'pending' ? style.notice : style.bad
  const receipt = attempts.findLast((attempt) => attempt.receipt && attempt.receipt.tables.length > 0)?.receipt
  return [
    `${style.strong(`${version} ${printable(name)}`)} of ${pack} on ${platform}: ${paint(state)}`,
    '',
    ...fileLines(files),
    ...(declared.length > 0 ? ['', ...declared.map(declaredLine)] : []),
    ...(change ? ['', 'the file is no longer what was applied (- as applied, + as it is now):'] : []),
    ...(change?.lines ?? []).map((line) => `  ${printable(line)}`),
    '',
    ...attemptLines(attempts, version, style),
    ...(receipt ? ['', ...receiptLines(receipt)] : []),
  ].join('\n')
}

function fileLines(files: ShownMigration['files']): readonly string[] {
  if (files.length === 0) return ['its files are gone']
  return files.map(({ kind, file, variant }) => {
    const path = relative(process.cwd(), file)
    return `${kind.padEnd(6)}  ${path.startsWith('..') ? file : path}${variant ? ` (for ${variant})` : ''}`
  })
}

function declaredLine({ directive, reason }: ShownMigration['declared'][number]): string {
  const meaning = directive === 'lossy' ? 'a down does not bring all values back' : 'cannot be undone'
  return `${meaning} (${directive}): ${printable(reason)}`
}

function attemptLines(attempts: readonly Attempt[], version: number, style: Style): readonly string[] {
  if (attempts.length === 0) return ['never applied here']
  const table = renderTable(
    [
      { title: 'started at' },
      { title: 'way' },
      { title: 'what came of it' },
      { title: 'took', align: 'right' },
      { title: 'who' },
      { title: 'backup' },
    ],
    attempts.map((attempt) => [
      formatTime(attempt.startedAt),
      attempt.direction,
      outcome(attempt, style),
      attempt.durationMs === null ? '' : formatDuration(attempt.durationMs),
      printable(`${attempt.who} on ${attempt.host}`),
      attempt.backupId ?? 'none',
    ]),
  )
  const backup = attempts.findLast((attempt) => attempt.backupId)?.backupId
  return [table, ...(backup ? ['', `back to before it: ${style.strong(restoreCommand(backup, version))}`] : [])]
}

function outcome({ state, statement, inTransaction, remark, error }: Attempt, style: Style): string {
  const at = inTransaction || statement === null ? '' : ` at statement ${statement}`
  const words: Record<Attempt['state'], string> = {
    applied: style.good('done'),
    failed: style.bad(`failed${at}`),
    running: style.bad(`broke off, or is running,${at}`),
    settled: `settled${at}`,
  }
  const more = [remark, error].filter((text) => text !== null).flatMap((text) => text.split('\n').slice(0, 3))
  return [words[state], ...more.map(printable)].join('\n')
}

function receiptLines({ mode, tables }: PreservationReceipt): readonly string[] {
  const table = renderTable(
    [
      { title: 'table' },
      { title: 'rows before', align: 'right' },
      { title: 'after', align: 'right' },
      { title: 'columns compared', align: 'right' },
      { title: 'identical' },
      { title: 'declared' },
      { title: 'dropped' },
    ],
    tables.map(receiptRow),
  )
  return [`what was there before, compared by ${mode}:`, table]
}

function receiptRow(one: TableReceipt): readonly string[] {
  return [
    printable(one.table),
    formatCount(one.rows_before),
    one.rows_after === null ? 'gone' : formatCount(one.rows_after),
    String(one.columns_compared),
    one.identical ? 'yes' : 'no',
    printable(one.declared.join(', ')),
    printable(one.dropped.join(', ')),
  ]
}
