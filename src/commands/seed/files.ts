import type { SeedOptions } from '../../generators/request.js'
import type { FilesResult } from '../../generators/sinks/seed-files.js'
import { formatBytes, formatCount, formatDuration } from '../../terminal/format.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'
import type { Invocation } from '../invocation.js'

export interface SinkFlags {
  readonly sink?: string
  readonly output?: string
  readonly gzip?: boolean
}

/** Generates into files instead of a database. */
export async function generateFiles(
  { context }: Invocation<unknown>,
  { sink = 'null', output, gzip }: SinkFlags,
  options: SeedOptions,
): Promise<FilesResult> {
  const { sinkFormat } = await import('../../generators/sinks/sink.js')
  const { seedFiles } = await import('../../generators/sinks/seed-files.js')
  return seedFiles({ ...options, sink: sinkFormat(sink), output, gzip }, context)
}

export function renderFiles(result: FilesResult, style: Style): string {
  const rows = Object.entries(result.tables).map(([table, { rows: count, file, bytes }]) => [
    file ?? table,
    formatCount(count),
    file === null ? '' : formatBytes(bytes),
  ])
  const columns = [
    { title: result.output === null ? 'table' : 'file' },
    { title: 'rows', align: 'right' as const },
    { title: 'size', align: 'right' as const },
  ]
  const from = result.window.from.slice(0, 10)
  return [
    `${style.strong(`Run ${result.run_id}`)}: ${from} to ${result.window.to.slice(0, 10)}, profile ${result.profile}, seed ${result.seed}`,
    result.output === null ? 'Generated and thrown away' : `Written to ${result.output}`,
    '',
    renderTable(columns, rows),
    '',
    `${formatCount(result.rows_total)} rows in ${formatDuration(result.duration_ms)} (${formatCount(result.rows_per_second)} rows/s)`,
  ].join('\n')
}
