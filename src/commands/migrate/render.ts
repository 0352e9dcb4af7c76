import type { Applied } from '../../migrator/apply/apply.js'
import type { PreservationSummary } from '../../migrator/preservation/summarise.js'
import type { BothWaysResult } from '../../migrator/run/both-ways.js'
import type { BackupReference } from '../../migrator/run/run.js'
import { formatCount, formatDuration } from '../../terminal/format.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'

/** The JSON form of migrations that ran. */
export function migrationsJson(migrations: readonly Applied[]) {
  return migrations.map(({ version, name, durationMs }) => ({ version, name, duration_ms: durationMs }))
}

/** The JSON form of a run that may go both ways. */
export function bothWaysJson({ reverted, applied, backup, preservation, durationMs }: BothWaysResult) {
  return {
    reverted: migrationsJson(reverted),
    applied: migrationsJson(applied),
    backup,
    preservation,
    duration_ms: durationMs,
  }
}

/** What a run that may go both ways did, for people; `done` is its last line. */
export function bothWaysText(result: BothWaysResult, style: Style, done: string): string {
  const { reverted, applied, backup, preservation, durationMs } = result
  return [
    directedTable([...reverted, ...applied]),
    '',
    ...backupLine(backup, style),
    ...preservationLines(preservation),
    `${style.good(done)} in ${formatDuration(durationMs)}`,
  ].join('\n')
}

function directedTable(migrations: readonly Applied[]): string {
  return renderTable(
    [{ title: 'version', align: 'right' }, { title: 'name' }, { title: 'way' }, { title: 'took', align: 'right' }],
    migrations.map(({ version, name, direction, durationMs }) => [
      String(version),
      name,
      direction,
      formatDuration(durationMs),
    ]),
  )
}

export function migrationsTable(migrations: readonly Applied[]): string {
  return renderTable(
    [{ title: 'version', align: 'right' }, { title: 'name' }, { title: 'took', align: 'right' }],
    migrations.map(({ version, name, durationMs }) => [String(version), name, formatDuration(durationMs)]),
  )
}

export function backupLine(backup: BackupReference | null, style: Style): readonly string[] {
  return backup ? [`backup: ${style.strong(backup.id)} in ${backup.path}`] : []
}

/** What the comparison of existing data showed, in words. */
export function preservationLines({
  mode,
  because,
  tables,
  rows,
  values_identical,
  dropped,
}: PreservationSummary): readonly string[] {
  if (mode === 'off') return [`existing data was not compared because ${because}`]
  if (tables.length === 0) return []
  const gone = dropped.length > 0 ? [`dropped: ${dropped.join(', ')}`] : []
  if (rows === 0) return gone
  const held = `${formatCount(rows)} existing rows in ${tables.length} ${tables.length === 1 ? 'table' : 'tables'}`
  const how = `compared by ${mode} because ${because}`
  if (mode === 'counts')
    return [`compared: ${held}, by number only (--preserve hashes compares every value)`, how, ...gone]
  if (values_identical) return [`compared: ${held}, every value as it was`, how, ...gone]
  const changed = tables
    .filter((table) => !table.identical && !dropped.includes(table.table))
    .map((table) => table.table)
  const declared = changed.length > 0 ? [`changed as declared: ${changed.join(', ')}`] : []
  return [`compared: ${held}`, how, ...declared, ...gone]
}
