import { formatCount } from '../../terminal/format.js'
import { bar, sparkline } from '../../terminal/sparkline.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'
import type {
  Comparison,
  FidelityReport,
  FidelityVerdict,
  Histogram,
  Pictures,
} from '../../validators/fidelity/report.js'
import { effectText, furthest, outcome, percent, quantity, statisticText, verdictWords, weekdays } from './words.js'

/** The report for a terminal of `width` columns. */
export function fidelityText(report: FidelityReport, style: Style, width: number): string {
  const { run, pictures } = report
  const blocks = [
    `${style.strong(`Run ${run.run_id}`)}: ${run.from.slice(0, 10)} to ${run.to.slice(0, 10)}, profile ${run.profile}, ${formatCount(run.traces)} traces`,
    comparisonTable(report.comparisons, style, width),
    heatMap(pictures.hours, style, width),
    adoption(pictures.adoption, style, width),
    histogram('Latency', pictures.latency, style, width),
    users(pictures.users, style, width),
    paint(worst(report), outcome(report), style),
  ]
  return blocks.filter(Boolean).join('\n\n')
}

function worst({ summary }: FidelityReport): FidelityVerdict {
  if (summary.off > 0) return 'off'
  return summary.near > 0 ? 'near' : 'matches'
}

function paint(verdict: FidelityVerdict, text: string, style: Style): string {
  if (verdict === 'matches') return style.good(text)
  return verdict === 'near' ? style.notice(text) : style.bad(text)
}

/** Columns that the table needs before the last one. */
const tableHead = 62

function comparisonTable(comparisons: readonly Comparison[], style: Style, width: number): string {
  const hasRoom = width >= tableHead + 20
  const columns = [
    { title: 'DECLARED AND LANDED' },
    { title: '' },
    { title: 'EFFECT', align: 'right' as const },
    { title: 'STATISTIC', align: 'right' as const },
    ...(hasRoom ? [{ title: 'FURTHEST APART' }] : []),
  ]
  const rows = comparisons.map((one) => [
    one.title,
    paint(one.verdict, verdictWords[one.verdict], style),
    effectText(one),
    statisticText(one),
    ...(hasRoom ? [style.faint(shorten(furthest(one), width - tableHead))] : []),
  ])
  return renderTable(columns, rows)
}

function shorten(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1))}…`
}

/** Seven lines of 24 hours, each one to three characters wide. */
function heatMap({ landed }: Pictures['hours'], style: Style, width: number): string {
  const repeat = Math.max(1, Math.min(3, Math.floor((width - 6) / 24)))
  const most = Math.max(...landed, 0)
  const lines = weekdays.map((day, index) => {
    const cells = [...sparkline(landed.slice(index * 24, index * 24 + 24), 24, most)]
    return `${style.faint(day)}  ${style.accent(cells.map((cell) => cell.repeat(repeat)).join(''))}`
  })
  const axis = [0, 6, 12, 18]
    .map((hour) =>
      String(hour)
        .padStart(2, '0')
        .padEnd(6 * repeat),
    )
    .join('')
  return [style.strong('Traffic by hour of the week (UTC)'), ...lines, style.faint(`     ${axis}`.trimEnd())].join('\n')
}

/** Half of what one step of a line stands for. */
const visible = 1 / 16

/** One line a version: what landed, and what was declared below it where they differ to the eye. */
function adoption({ times, versions }: Pictures['adoption'], style: Style, width: number): string {
  const repeat = Math.max(1, Math.min(3, Math.floor((width - 30) / Math.max(1, times.length))))
  const name = Math.max(8, ...versions.map((version) => version.name.length))
  const line = (values: readonly number[]) =>
    [...sparkline(values, width - 30, 1)].map((one) => one.repeat(repeat)).join('')
  const lines = versions.flatMap(({ name: version, landed, declared }) => {
    const end = `${percent(landed.at(-1) ?? 0)} at the end`
    const own = `${style.strong(version.padEnd(name))}  ${style.accent(line(landed))}  ${end}`
    const isAsDeclared = landed.every((share, index) => Math.abs(share - (declared[index] ?? 0)) < visible)
    return isAsDeclared ? [own] : [own, `${style.faint('declared'.padEnd(name))}  ${style.faint(line(declared))}`]
  })
  const from = times[0]?.slice(0, 10) ?? ''
  const to = times.at(-1)?.slice(0, 10) ?? ''
  return [style.strong(`Versions, ${from} to ${to}`), ...lines].join('\n')
}

const histogramHeight = 6
const eighths = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

/** Columns of blocks over a logarithmic axis. */
function histogram(title: string, picture: Histogram, style: Style, width: number): string {
  const { edges, counts, median, p95, p99, unit } = picture
  if (counts.length === 0) return ''
  const repeat = Math.max(1, Math.min(2, Math.floor((width - 2) / counts.length)))
  const most = Math.max(...counts)
  const lines = Array.from({ length: histogramHeight }, (_, line) => {
    const floor = histogramHeight - 1 - line
    return counts
      .map((count) => {
        const filled = (count / most) * histogramHeight - floor
        const level = Math.round(Math.min(1, Math.max(0, filled)) * 8)
        return (eighths[count > 0 && floor === 0 ? Math.max(1, level) : level] ?? ' ').repeat(repeat)
      })
      .join('')
      .trimEnd()
  })
  const axis = axisLine(edges, counts.length * repeat, repeat, unit)
  const figures = `median ${quantity(median, unit)}, p95 ${quantity(p95, unit)}, p99 ${quantity(p99, unit)}`
  return [`${style.strong(title)}  ${style.faint(figures)}`, ...lines.map(style.accent), style.faint(axis)].join('\n')
}

/** Labels below the columns that they are the lower edge of, as many as fit. */
function axisLine(edges: readonly number[], length: number, repeat: number, unit: string): string {
  let line = ''
  for (let index = 0; index < edges.length - 1; index++) {
    const label = quantity(edges[index] ?? 0, unit)
    const at = index * repeat
    if (line.length > 0 && at < line.length + 3) continue
    if (at + label.length > length + 6) break
    line = line.padEnd(at) + label
  }
  return line
}

function users(shares: Pictures['users'], style: Style, width: number): string {
  const room = Math.max(10, Math.min(40, width - 40))
  const lines = shares.map(({ top, share }) => {
    return `${`busiest ${top * 100} %`.padEnd(14)}  ${percent(share).padStart(7)}  ${style.accent(bar(share, room))}`
  })
  return [style.strong('Traffic of the busiest users'), ...lines].join('\n')
}
