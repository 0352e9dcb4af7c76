import { formatCount } from '../../terminal/format.js'
import type { Comparison, Histogram, Pictures } from '../../validators/fidelity/report.js'
import { element, escapeHtml, label, picture, polyline } from './svg.js'
import { percent, quantity, weekdays } from './words.js'

/** Every picture is drawn on a sheet of this width and scaled to the page. */
const sheet = 720

/** 168 cells, darker where more traffic landed; the title of each names both shares. */
export function heatMap({ declared, landed }: Pictures['hours']): string {
  const [left, top, step, height] = [44, 8, 27.5, 24]
  const most = Math.max(...landed, Number.MIN_VALUE)
  const cells = landed.map((share, place) => {
    const [day, hour] = [Math.floor(place / 24), place % 24]
    const title = `${weekdays[day]} ${String(hour).padStart(2, '0')}:00 – ${percent(share)} of the week, declared ${percent(declared[place] ?? 0)}`
    return element(
      'rect',
      {
        ...{ x: left + hour * step, y: top + day * (height + 3), width: step - 3, height, rx: 4, class: 'cell' },
        'fill-opacity': 0.06 + 0.94 * Math.min(1, share / most),
      },
      element('title', {}, escapeHtml(title)),
    )
  })
  const rows = weekdays.map((day, index) =>
    label(left - 10, top + index * (height + 3) + 17, day, { 'text-anchor': 'end' }),
  )
  const bottom = top + 7 * (height + 3)
  const hours = [0, 3, 6, 9, 12, 15, 18, 21].map((hour) =>
    label(left + hour * step + step / 2, bottom + 14, String(hour).padStart(2, '0'), { 'text-anchor': 'middle' }),
  )
  return picture(
    sheet,
    bottom + 22,
    'Traffic by weekday and hour of the day in UTC',
    [...cells, ...rows, ...hours].join(''),
  )
}

/** A line for each version: whole what landed, dashed what was declared. */
export function adoptionChart({ times, versions }: Pictures['adoption']): string {
  const [left, right, top, height] = [44, 64, 10, 220]
  const width = sheet - left - right
  const x = (index: number) => left + (times.length < 2 ? 0 : (index / (times.length - 1)) * width)
  const y = (share: number) => top + (1 - share) * height
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    element('line', { x1: left, x2: left + width, y1: y(share), y2: y(share), class: 'grid' }),
    label(left - 8, y(share) + 4, `${share * 100} %`, { 'text-anchor': 'end' }),
  ])
  const points = (values: readonly number[]) => values.map((value, index) => [x(index), y(value)] as const)
  const ends = spread(versions.map(({ landed }) => y(landed.at(-1) ?? 0)))
  const lines = versions.flatMap(({ name, declared, landed }, place) => [
    polyline(points(declared), `line declared hue${place % hues}`),
    polyline(points(landed), `line hue${place % hues}`),
    label(left + width + 8, (ends[place] ?? 0) + 4, name, { class: `ink hue${place % hues}` }),
  ])
  const dates = evenly(times.length, 5).map((index) =>
    label(x(index), top + height + 20, (times[index] ?? '').slice(5, 10), { 'text-anchor': 'middle' }),
  )
  return picture(
    sheet,
    top + height + 28,
    'Share of each version over the window',
    [...grid, ...lines, ...dates].join(''),
  )
}

const hues = 6

/** The lowest place that a label may have. */
const lowest = 234

/** Moves labels apart that would be written over each other, from the bottom up. */
function spread(places: readonly number[]): readonly number[] {
  const order = places.map((y, index) => ({ y, index })).sort((a, b) => b.y - a.y)
  const moved = [...places]
  let last = lowest + 15
  for (const { y, index } of order) {
    last = Math.min(y, last - 15)
    moved[index] = last
  }
  return moved
}

/** Bars over a logarithmic axis, with marks at the median, p95 and p99. */
export function histogramChart({ edges, counts, median, p95, p99, unit }: Histogram, words: string): string {
  const [left, top, height] = [12, 30, 150]
  const width = sheet - 2 * left
  const [low, high] = [Math.log(edges[0] ?? 1), Math.log(edges.at(-1) ?? 2)]
  const x = (value: number) => left + ((Math.log(Math.max(value, 1)) - low) / (high - low || 1)) * width
  const most = Math.max(...counts, 1)
  const bars = counts.map((count, index) => {
    const [from, to] = [edges[index] ?? 1, edges[index + 1] ?? 1]
    const size = (count / most) * height
    const title = `${quantity(from, unit)} to ${quantity(to, unit)}: ${formatCount(count)}`
    return element(
      'rect',
      {
        x: x(from) + 0.75,
        y: top + height - size,
        width: Math.max(0.5, x(to) - x(from) - 1.5),
        height: size,
        rx: 1.5,
        class: 'bar',
      },
      element('title', {}, escapeHtml(title)),
    )
  })
  const marks = [
    ['p50', median],
    ['p95', p95],
    ['p99', p99],
  ].map(([name, value]) => {
    const at = x(Number(value))
    const line = element('line', { x1: at, x2: at, y1: top - 4, y2: top + height, class: 'mark' })
    return line + label(at, top - 9, String(name), { 'text-anchor': 'middle', class: 'ink' })
  })
  const ticks = decades(edges).map((value) =>
    label(x(value), top + height + 18, quantity(value, unit).replace(' tokens', ''), { 'text-anchor': 'middle' }),
  )
  const base = element('line', { x1: left, x2: left + width, y1: top + height, y2: top + height, class: 'grid' })
  return picture(sheet, top + height + 26, words, [...bars, base, ...marks, ...ticks].join(''))
}

/** 1, 3, 10, 30, … as far as the axis goes, not at its very ends. */
function decades(edges: readonly number[]): readonly number[] {
  const [from, to] = [(edges[0] ?? 1) * 1.3, (edges.at(-1) ?? 1) / 1.3]
  const ticks: number[] = []
  for (let power = 0; power < 9; power++) for (const step of [1, 3]) ticks.push(step * 10 ** power)
  return ticks.filter((tick) => tick >= from && tick <= to)
}

/** Traces a day. */
export function daysChart({ dates, counts }: Pictures['days']): string {
  const [left, top, height] = [12, 8, 110]
  const width = sheet - 2 * left
  const step = width / Math.max(1, counts.length)
  const most = Math.max(...counts, 1)
  const bars = counts.map((count, index) => {
    const size = (count / most) * height
    return element(
      'rect',
      {
        x: left + index * step + step * 0.08,
        y: top + height - size,
        width: step * 0.84,
        height: size,
        rx: Math.min(2, step / 4),
        class: 'bar',
      },
      element('title', {}, escapeHtml(`${dates[index]}: ${formatCount(count)} traces`)),
    )
  })
  const ticks = evenly(dates.length, 6).map((index) =>
    label(left + index * step + step / 2, top + height + 18, (dates[index] ?? '').slice(5), {
      'text-anchor': 'middle',
    }),
  )
  return picture(sheet, top + height + 26, 'Traces by day', [...bars, ...ticks].join(''))
}

/** The share that the busiest users have of the traffic. */
export function usersChart(shares: Pictures['users']): string {
  const [left, step] = [110, 30]
  const width = sheet - left - 70
  const rows = shares.map(({ top, share }, index) =>
    [
      label(left - 10, index * step + 19, `busiest ${top * 100} %`, { 'text-anchor': 'end' }),
      element('rect', { x: left, y: index * step + 5, width, height: 20, rx: 4, class: 'track' }),
      element('rect', { x: left, y: index * step + 5, width: width * share, height: 20, rx: 4, class: 'bar' }),
      label(left + width * share + 8, index * step + 19, percent(share), { class: 'ink' }),
    ].join(''),
  )
  return picture(sheet, shares.length * step + 4, 'Share of the traffic that the busiest users cause', rows.join(''))
}

/** Bars with more values than this are a table's business. */
const mostBars = 24

/** Declared and landed side by side; undefined where there are too many values to see anything. */
export function barsChart({ bars, title }: Comparison): string | undefined {
  if (bars.length > mostBars || bars.length === 0) return undefined
  const [left, step] = [150, 26]
  const width = sheet - left - 130
  const most = Math.max(...bars.flatMap(({ declared, landed }) => [declared, landed]), Number.MIN_VALUE)
  const rows = bars.map(({ name, declared, landed }, index) => {
    const y = index * step
    return [
      label(left - 10, y + 17, shorten(name), { 'text-anchor': 'end' }),
      element('rect', {
        x: left,
        y: y + 5,
        width: Math.max(1, (width * landed) / most),
        height: 9,
        rx: 2,
        class: 'bar',
      }),
      element('rect', {
        x: left,
        y: y + 15,
        width: Math.max(1, (width * declared) / most),
        height: 5,
        rx: 2,
        class: 'shadow',
      }),
      label(
        left + (width * Math.max(landed, declared)) / most + 8,
        y + 17,
        `${percent(landed)} / ${percent(declared)}`,
      ),
    ].join('')
  })
  return picture(sheet, bars.length * step + 4, `${title}: landed and declared`, rows.join(''))
}

function shorten(text: string): string {
  return text.length <= 20 ? text : `${text.slice(0, 19)}…`
}

/** At most `count` places of a list, as far apart as can be. */
function evenly(length: number, count: number): readonly number[] {
  if (length <= count) return Array.from({ length }, (_, index) => index)
  return Array.from({ length: count }, (_, index) => Math.round((index * (length - 1)) / (count - 1)))
}
