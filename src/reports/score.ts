import { formatCount } from '../terminal/format.js'
import type { Style } from '../terminal/style.js'
import { renderTable } from '../terminal/table.js'
import type { FaultScore, Score } from '../validators/score.js'

/** How well checks found what was planted, for a terminal of `width` columns. */
export function scoreText(score: Score, style: Style, width: number): string {
  const blocks = [faultTable(score, style, width), checkTable(score), impossible(score), unexpected(score, style)]
  return [...blocks.filter(Boolean), verdict(score, style)].join('\n\n')
}

function faultTable({ faults }: Score, style: Style, width: number): string {
  const hasRoom = width >= 110
  const columns = [
    { title: 'FAULT' },
    { title: 'PLANTED', align: 'right' as const },
    { title: 'FOUND', align: 'right' as const },
    { title: 'RECALL', align: 'right' as const },
    { title: 'CHECKS' },
    ...(hasRoom ? [{ title: 'WHAT' }] : []),
  ]
  const rows = faults.map((fault) => [
    fault.name,
    formatCount(fault.planted),
    foundText(fault),
    paintRecall(fault, style),
    fault.checks.map(({ id, status }) => `${id} ${status}`).join('\n'),
    ...(hasRoom ? [style.faint(fault.summary)] : []),
  ])
  return renderTable(columns, rows)
}

function foundText({ found, seen_in, recall }: FaultScore): string {
  if (seen_in === 'rows') return formatCount(found ?? 0)
  return recall === 1 ? 'noticed' : 'unnoticed'
}

function paintRecall({ recall }: FaultScore, style: Style): string {
  if (recall === null) return style.faint('–')
  const text = percent(recall)
  return recall === 1 ? style.good(text) : style.bad(text)
}

function checkTable({ checks }: Score): string {
  const columns = [
    { title: 'CHECK' },
    { title: 'NAMED', align: 'right' as const },
    { title: 'PLANTED', align: 'right' as const },
    { title: 'PRECISION', align: 'right' as const },
  ]
  const rows = checks.map(({ id, flagged, planted, precision }) => [
    id,
    formatCount(flagged),
    formatCount(planted),
    precision === null ? '–' : percent(precision),
  ])
  return rows.length === 0 ? '' : renderTable(columns, rows)
}

function impossible({ impossible: list }: Score): string {
  if (list.length === 0) return ''
  return [
    'Not planted, because the schema forbids it:',
    ...list.map(({ what, because }) => `  ${what} (${because})`),
  ].join('\n')
}

function unexpected({ unexpected: ids }: Score, style: Style): string {
  return ids.length === 0 ? '' : style.bad(`Complaints that no planted fault accounts for: ${ids.join(', ')}`)
}

function verdict({ passed, rows, mixes, threshold }: Score, style: Style): string {
  const parts = [
    ...(rows.recall === null
      ? []
      : [`recall ${percent(rows.recall)} (${formatCount(rows.found)} of ${formatCount(rows.planted)})`]),
    ...(rows.precision === null ? [] : [`precision ${percent(rows.precision)}`]),
    ...(mixes.planted === 0 ? [] : [`${mixes.noticed} of ${mixes.planted} skewed mixes noticed`]),
  ]
  const text = `${passed ? 'Passed' : 'Failed'}: ${parts.join(', ') || 'nothing was planted'}; the threshold is ${percent(threshold)}.`
  return passed ? style.good(text) : style.bad(text)
}

/** Never rounded up to what it is not. */
function percent(share: number): string {
  return `${Number((Math.floor(share * 10_000) / 100).toFixed(2))} %`
}
