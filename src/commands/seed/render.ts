import type { SeedResult } from '../../generators/seed.js'
import { formatBytes, formatCount, formatDuration } from '../../terminal/format.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'

export function renderSeed(result: SeedResult, style: Style): string {
  const rows = Object.entries(result.tables).map(([table, { rows, inserted }]) => [
    table,
    formatCount(rows),
    inserted === rows ? '' : `${formatCount(rows - inserted)} of them were there`,
  ])
  const gone = Object.entries(result.replaced).map(([table, count]) => `${formatCount(count)} ${table}`)
  const days = `${result.window.from.slice(0, 16).replace('T', ' ')} to ${result.window.to.slice(0, 16).replace('T', ' ')} UTC`
  return [
    `${style.strong(`Run ${result.run_id}`)}: ${days}, profile ${result.profile}, seed ${result.seed}`,
    ...(/^[0-]+$/.test(result.workspace_id) ? [] : [`Workspace ${result.workspace_id}`]),
    ...(gone.length > 0 ? [`In the place of ${gone.join(', ')}`] : []),
    '',
    renderTable([{ title: 'table' }, { title: 'rows', align: 'right' }, { title: '' }], rows),
    '',
    `Proven: ${result.shards} parts read back and compared, ${Object.values(result.proof.tables)
      .map(({ bytes }) => formatBytes(bytes))
      .join(' + ')}`,
    `${formatCount(result.rows_total)} new rows in ${formatDuration(result.duration_ms)} (${formatCount(result.rows_per_second)} rows/s)`,
    ...(result.incidents.length > 0 ? ['', style.strong('What happened in these days:')] : []),
    ...result.incidents.map(({ summary }) => `  ${summary}`),
  ].join('\n')
}
