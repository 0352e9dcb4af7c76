import { basename, relative } from 'node:path'
import type { Finding } from '../../migrator/lint/rule.js'
import type { StatementPreview } from '../../migrator/preview/describe-step.js'
import type { Preview } from '../../migrator/preview/preview.js'
import type { TableState } from '../../migrator/preview/table-book.js'
import { formatAge, formatBytes, formatCount } from '../../terminal/format.js'
import { printable } from '../../terminal/printable.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'
import { describeScope } from './safety-net.js'

/** The JSON form of a plan. */
export function previewJson(preview: Preview) {
  const { pack, schema, platform, serverVersion, current, endsAt, migrations, backup, preservation } = preview
  return {
    pack,
    schema,
    platform,
    server_version: serverVersion,
    current,
    ends_at: endsAt,
    planned: migrations.map(stepJson),
    backup: backupJson(backup),
    preservation,
  }
}

type PlannedStep = Preview['migrations'][number]

function stepJson(step: PlannedStep) {
  const { version, name, direction, file, transactional, resumeAt, remark, verify, statements, cannotBeUndone } = step
  return {
    version,
    name,
    direction,
    file,
    transactional,
    resume_at: resumeAt,
    remark,
    verify,
    statements,
    cannot_be_undone: cannotBeUndone,
    lint: step.lint,
  }
}

function backupJson(backup: Preview['backup']) {
  if ('none' in backup) return { made: false, because: backup.none }
  if ('impossible' in backup) return { made: false, fails: true, because: backup.impossible }
  if ('external' in backup) return { made: false, external: backup.external, max_age_ms: backup.maxAge }
  const { scope, scopeReason, tables, engine, reason, directory, tableBytes, estimatedBytes } = backup
  return {
    made: true,
    scope,
    scope_because: scopeReason,
    tables,
    engine,
    because: reason,
    directory,
    table_bytes: tableBytes,
    estimated_bytes: estimatedBytes,
  }
}

/** A plan for people: one table a migration, then what keeps the data safe; `next` is the command that runs it. */
export function previewText(preview: Preview, style: Style, next: string): string {
  const { pack, platform, serverVersion, current, endsAt, migrations, preservation } = preview
  const head = `${style.strong(pack)} on ${platform} ${serverVersion}, at version ${current}`
  if (migrations.length === 0) return `${head}; there is nothing to run`
  return [
    `${head}; this ends at ${endsAt}`,
    '',
    ...migrations.flatMap((step) => [...stepLines(step, preview, style), '']),
    backupLine(preview),
    preservation.mode === 'off'
      ? `existing data would not be compared because ${preservation.because}`
      : `existing data would be compared by ${preservation.mode} because ${preservation.because}`,
    `nothing was changed; ${style.strong(next)} runs this`,
  ].join('\n')
}

function stepLines(step: PlannedStep, { schema }: Preview, style: Style): readonly string[] {
  const { direction, version, name, transactional, resumeAt, remark, verify, statements, cannotBeUndone } = step
  const how = [
    transactional ? 'in one transaction' : 'statement by statement',
    ...(resumeAt > 1 ? [`from statement ${resumeAt} on`] : []),
    ...(verify ? ['verified before it commits'] : []),
    ...(remark ? [remark] : []),
  ]
  return [
    `${direction} ${style.strong(`${version} ${name}`)}: ${how.join(', ')}`,
    statements.length === 0 ? '  no statements' : indent(statementTable(statements, schema)),
    ...cannotBeUndone.map((what) => style.notice(`  cannot be undone: ${printable(what)}`)),
    ...step.lint.map((finding) => lintLine(finding, style)),
  ]
}

function lintLine({ rule, severity, message, location }: Finding, style: Style): string {
  const paint = severity === 'error' ? style.bad : severity === 'warning' ? style.notice : style.faint
  return paint(`  lint ${severity} ${rule}: ${printable(message)} (${basename(location.file)}:${location.line})`)
}

function statementTable(statements: readonly StatementPreview[], schema: string): string {
  return renderTable(
    [
      { title: 'where' },
      { title: 'statement' },
      { title: 'locks' },
      { title: 'on' },
      { title: 'rows', align: 'right' },
    ],
    statements.map((one) => statementRow(one, schema)),
  )
}

function statementRow(statement: StatementPreview, schema: string): readonly string[] {
  const { file, line, kind, locks, opaque } = statement
  const unseen = opaque ? ['what it touches shows only when it runs'] : []
  const lines = <T>(list: readonly T[], text: (one: T) => string) => list.map(text).join('\n')
  return [
    `${basename(file)}:${line}`,
    [kind, ...costs(statement, schema), ...unseen].map(printable).join('\n  '),
    lines(locks, ({ mode }) => mode),
    lines(locks, (table) => printable(nameOf(table, schema))),
    lines(locks, rowsOf),
  ]
}

function costs({ rewrites, scans }: StatementPreview, schema: string): readonly string[] {
  const names = (tables: readonly TableState[]) => tables.map((table) => nameOf(table, schema)).join(', ')
  return [
    ...(rewrites.length > 0 ? [`writes ${names(rewrites)} anew`] : []),
    ...(scans.length > 0 ? [`reads all of ${names(scans)}`] : []),
  ]
}

/** The schema is named where it is not the pack's. */
function nameOf({ schema, table }: TableState, own: string): string {
  return schema === own ? table : `${schema}.${table}`
}

function rowsOf({ origin, rows }: TableState): string {
  if (origin === 'unknown') return 'not there yet'
  if (rows === null) return origin === 'new' ? 'new, filled' : 'unknown'
  if (origin === 'new') return rows === 0 ? 'new' : `new, ${formatCount(rows)}`
  return `about ${formatCount(rows)}`
}

function backupLine({ backup }: Preview): string {
  if ('none' in backup) return `backup: none, because ${backup.none}`
  if ('impossible' in backup) return `backup: it would fail, and the run with it: ${backup.impossible}`
  if ('external' in backup) {
    return `backup: none of its own; ${printable(backup.external)} has to prove that another one is at most ${formatAge(backup.maxAge)} old`
  }
  const { scopeReason, engine, reason, directory, estimatedBytes } = backup
  const size = estimatedBytes === null ? 'size unknown' : `up to about ${formatBytes(estimatedBytes)}`
  const folder = relative(process.cwd(), directory)
  const place = folder.startsWith('..') ? directory : folder
  return `backup: ${describeScope(backup)}, ${size} (${scopeReason}), by the ${engine} engine (${reason}), in ${place}`
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}
