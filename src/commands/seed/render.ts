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
    ...(/^[0-]+$/.test(result.workspace_id) ? [] : [workspacesInWords(result.workspaces)]),
    ...(gone.length > 0 ? [`In the place of ${gone.join(', ')}`] : []),
    '',
    renderTable([{ title: 'table' }, { title: 'rows', align: 'right' }, { title: '' }], rows),
    '',
    `Proven: ${result.shards} parts read back and compared, ${Object.values(result.proof.tables)
      .map(({ bytes }) => formatBytes(bytes))
      .join(' + ')}`,
    `${formatCount(result.rows_total)} new rows in ${formatDuration(result.duration_ms)} (${formatCount(result.rows_per_second)} rows/s)`,
    ...incidentLines(result, style),
  ].join('\n')
}

function workspacesInWords([first = '', ...others]: readonly string[]): string {
  return others.length === 0 ? `Workspace ${first}` : `Workspace ${first} and ${others.length} smaller ones`
}

/** Of several workspaces the incidents of the first; the others have theirs in the JSON. */
function incidentLines({ incidents, workspace_id, workspaces }: SeedResult, style: Style): string[] {
  const shown = incidents.filter((incident) => (incident.workspace_id ?? workspace_id) === workspace_id)
  if (shown.length === 0) return []
  const where = workspaces.length > 1 ? ` in workspace ${workspace_id}` : ''
  return ['', style.strong(`What happened in these days${where}:`), ...shown.map(({ summary }) => `  ${summary}`)]
}
