import { formatCount } from '../../terminal/format.js'
import type { Comparison, FidelityReport, Histogram } from '../../validators/fidelity/report.js'
import { adoptionChart, barsChart, daysChart, heatMap, histogramChart, usersChart } from './charts.js'
import { fidelityStyles } from './styles.js'
import { element, escapeHtml } from './svg.js'
import { chanceText, effectText, furthest, outcome, percent, quantity, statisticText, verdictWords } from './words.js'

/** The report as one page that needs nothing else: no script, no font, no request. */
export function fidelityPage(report: FidelityReport): string {
  const { run, pictures, comparisons } = report
  const title = `Fidelity of run ${run.run_id}`
  const body = [
    header(report),
    section('Traffic by hour of the week', 'UTC; the darker, the more', heatMap(pictures.hours)),
    section('Versions over time', 'landed as a line, declared dashed', adoptionChart(pictures.adoption)),
    section('Latency', figures(pictures.latency), histogramChart(pictures.latency, 'Histogram of latency')),
    section('Volume by day', 'traces', daysChart(pictures.days)),
    section(
      'Input tokens',
      figures(pictures.tokensInput),
      histogramChart(pictures.tokensInput, 'Histogram of input tokens'),
    ),
    section(
      'Output tokens',
      figures(pictures.tokensOutput),
      histogramChart(pictures.tokensOutput, 'Histogram of output tokens'),
    ),
    section('Traffic of the busiest users', 'shares of all traces', usersChart(pictures.users)),
    element('h2', { class: 'part' }, 'Distribution by distribution'),
    ...comparisons.map(comparisonCard),
    incidents(report),
    explanation,
  ]
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escapeHtml(title)}</title><style>${fidelityStyles}</style></head>`,
    `<body><main>${body.join('\n')}</main></body></html>`,
  ].join('\n')
}

function header(report: FidelityReport): string {
  const { run, comparisons } = report
  const facts = [
    ['profile', run.profile],
    ['window', `${run.from.slice(0, 10)} to ${run.to.slice(0, 10)}`],
    ['traces', formatCount(run.traces)],
    ['seed', String(run.seed)],
    ['scale', String(run.scale)],
  ]
  const list = facts.map(([name = '', value = '']) => `<div><dt>${name}</dt><dd>${escapeHtml(value)}</dd></div>`)
  return [
    '<header>',
    `<p class="eyebrow">obs seed fidelity</p><h1>Run ${escapeHtml(run.run_id)}</h1>`,
    `<p class="outcome">${escapeHtml(outcome(report))}</p>`,
    `<dl class="facts">${list.join('')}</dl>`,
    element('ol', { class: 'verdicts' }, comparisons.map(verdictItem).join('')),
    '</header>',
  ].join('\n')
}

function verdictItem(one: Comparison): string {
  const words = `${escapeHtml(one.title)}<span class="badge">${verdictWords[one.verdict]}</span>`
  return element('li', { class: one.verdict }, element('a', { href: `#${one.id}` }, words))
}

function figures({ median, p95, p99, unit }: Histogram): string {
  return `median ${quantity(median, unit)}, p95 ${quantity(p95, unit)}, p99 ${quantity(p99, unit)}`
}

function section(title: string, note: string, content: string): string {
  const small = note === '' ? '' : ` <small>${escapeHtml(note)}</small>`
  return `<section><h2>${escapeHtml(title)}${small}</h2>${content}</section>`
}

function comparisonCard(one: Comparison): string {
  const numbers = [effectText(one), statisticText(one), chanceText(one)].map(
    (text) => `<span>${escapeHtml(text)}</span>`,
  )
  const chart = barsChart(one)
  const head = `<h3>${escapeHtml(one.title)} <span class="badge">${verdictWords[one.verdict]}</span></h3>`
  const note = one.note === undefined ? '' : `<p class="note">${escapeHtml(one.note)}</p>`
  const apart = `<p class="note">Furthest apart: ${escapeHtml(furthest(one))}</p>`
  const content = `${head}<p class="numbers">${numbers.join('')}</p>${note}${apart}${chart ?? ''}${valueTable(one)}`
  return element('section', { id: one.id, class: `card ${one.verdict}` }, content)
}

function valueTable({ bars }: Comparison): string {
  const rows = bars.map(
    ({ name, declared, landed }) =>
      `<tr><th scope="row">${escapeHtml(name)}</th><td>${percent(declared)}</td><td>${percent(landed)}</td></tr>`,
  )
  return [
    `<details><summary>${bars.length} values as a table</summary><div class="scroll"><table>`,
    '<thead><tr><th scope="col">value</th><th scope="col">declared</th><th scope="col">landed</th></tr></thead>',
    `<tbody>${rows.join('')}</tbody></table></div></details>`,
  ].join('')
}

function incidents({ incidents: stories }: FidelityReport): string {
  if (stories.length === 0) return ''
  const items = stories.map(({ summary }) => `<li>${escapeHtml(summary)}</li>`)
  return `<section><h2>What happened in these days</h2><ul>${items.join('')}</ul></section>`
}

const explanation = `<section class="how"><h2>How to read this</h2>
<p>A distribution <b>matches</b> when its deviation is smaller than what matters, or no larger than chance explains. It is
<b>close</b> when the deviation can be measured and hardly seen, and it <b>deviates</b> when it changes what the data say.</p>
<p>With half a million rows every deviation is significant, however small, so the verdict follows from the size of the
effect: Cohen’s w for shares (0.05 and 0.1 are the limits), the greatest distance D between two curves otherwise (0.02
and 0.05). The statistic, χ² corrected for rows that resemble each other or Kolmogorov and Smirnov’s, only keeps a small
sample from being blamed for scattering: less than one chance in a million is asked for.</p></section>`
