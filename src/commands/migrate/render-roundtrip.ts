import type { RoundtripResult, TrippedMigration } from '../../migrator/roundtrip/verify-roundtrip.js'
import { formatDuration } from '../../terminal/format.js'
import { printable } from '../../terminal/printable.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'

/** A result and what it was asked with. */
export interface ShownRoundtrip extends RoundtripResult {
  readonly pack: string
  readonly rows: number
  readonly seed: number
}

export function roundtripJson(result: ShownRoundtrip) {
  const { pack, platform, rows, seed, migrations, shortTables, durationMs } = result
  const count = (label: TrippedMigration['label']) => migrations.filter((one) => one.label === label).length
  return {
    pack,
    platform,
    rows,
    seed,
    passed: migrations.every((one) => one.ok),
    labels: { lossless: count('lossless'), schema_only: count('schema-only'), irreversible: count('irreversible') },
    migrations: migrations.map((one) => ({
      version: one.version,
      name: one.name,
      label: one.label,
      ok: one.ok,
      declared: one.declared ?? null,
      reasons: one.reasons,
      differences: one.differences,
      values_lost_on_down: one.lostOnDown,
      notes: one.notes,
      duration_ms: one.durationMs,
    })),
    short_tables: shortTables.map(({ table, version, rows: filled, reason }) => ({
      table,
      version,
      rows: filled,
      reason,
    })),
    duration_ms: durationMs,
  }
}

export function roundtripText(result: ShownRoundtrip, style: Style): string {
  const { pack, platform, rows, seed, migrations, shortTables, durationMs } = result
  if (migrations.length === 0) return `${pack} has no migrations yet; obs migrate create writes the first`
  return [
    `${style.strong(pack)} on ${platform}, up to ${rows} generated rows a table (seed ${seed})`,
    '',
    tripTable(migrations, style),
    '',
    ...migrations.flatMap((one) => details(one, style)),
    ...shortLines(shortTables, style),
    `${verdict(migrations, style)} in ${formatDuration(durationMs)}`,
  ].join('\n')
}

function tripTable(migrations: readonly TrippedMigration[], style: Style): string {
  return renderTable(
    [
      { title: 'version', align: 'right' },
      { title: 'name' },
      { title: 'label' },
      { title: 'what down takes away of later rows and values' },
    ],
    migrations.map((one) => [String(one.version), one.name, paint(one, style), abridged(one.lostOnDown)]),
  )
}

const shownNames = 4

function abridged(names: readonly string[]): string {
  const more = names.length - shownNames
  return printable([...names.slice(0, shownNames), ...(more > 0 ? [`and ${more} more`] : [])].join(', '))
}

function paint({ label, ok, declared }: TrippedMigration, style: Style): string {
  if (!ok) return style.bad(label)
  return declared ? style.notice(`${label}, as it says`) : style.good(label)
}

const shownDifferences = 10

function details({ id, ok, declared, reasons, differences, notes, label }: TrippedMigration, style: Style): string[] {
  if (reasons.length === 0 && notes.length === 0) return []
  const more = differences.length - shownDifferences
  const refused = reasons.some((reason) => reason.startsWith('obs migrate up refuses'))
  return [
    style.strong(id),
    ...reasons.map((reason) => `  ${ok ? '' : style.bad('✗ ')}${indent(reason)}`),
    ...differences.slice(0, shownDifferences).map((line) => `    ${indent(line)}`),
    ...(more > 0 ? [`    and ${more} more; --json shows all`] : []),
    ...notes.map((note) => `  note: ${indent(note)}`),
    ...(declared ? [`  it says: ${declared.directive} ${printable(declared.reason)}`] : []),
    ...(ok || refused
      ? []
      : [`  if it is meant: -- obs: ${label === 'schema-only' ? 'lossy' : 'irreversible'} <reason>`]),
    '',
  ]
}

function indent(text: string): string {
  return text.split('\n').map(printable).join('\n      ')
}

function shortLines(tables: RoundtripResult['shortTables'], style: Style): readonly string[] {
  if (tables.length === 0) return []
  return [
    style.notice('tables with fewer generated rows than were asked for:'),
    ...tables.map(({ table, version, rows, reason }) =>
      printable(`  ${table} (version ${version}): ${rows} ${rows === 1 ? 'row' : 'rows'}; ${reason}`),
    ),
    '',
  ]
}

function verdict(migrations: readonly TrippedMigration[], style: Style): string {
  const failed = migrations.filter((one) => !one.ok).length
  if (failed > 0) return style.bad(`${failed} of ${migrations.length} do not come back as they were`)
  const declared = migrations.filter((one) => one.declared).length
  const lossless = migrations.length - declared
  return style.good(`${lossless} of ${migrations.length} lossless${declared > 0 ? `, ${declared} as declared` : ''}`)
}
