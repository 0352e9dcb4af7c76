import { stripVTControlCharacters } from 'node:util'
import type { Figure, GridCell, GridColumn, GridSection, Section, SeriesSection, Unit } from '../queries/layout.js'
import { formatCount } from '../terminal/format.js'
import { printable } from '../terminal/printable.js'
import { bar, sparkline } from '../terminal/sparkline.js'
import type { Style } from '../terminal/style.js'
import { renderTable } from '../terminal/table.js'

/** An answer ready to be drawn. */
export interface KpiReport {
  readonly title: string
  /** What the numbers are about: the range and the filters. */
  readonly subtitle: string
  readonly sections: readonly Section[]
}

/** Draws an answer for a terminal of `width` columns. */
export function renderKpiReport({ title, subtitle, sections }: KpiReport, style: Style, width: number): string {
  const blocks = sections.filter(hasContent).map((section) => renderSection(section, style, width))
  const text = [`${style.strong(title)}  ${style.faint(subtitle)}`, ...blocks].join('\n\n')
  return text.replace(/ +$/gm, '')
}

function hasContent(section: Section): boolean {
  return section.kind !== 'figures' || section.figures.length > 0
}

function renderSection(section: Section, style: Style, width: number): string {
  if (section.kind === 'figures') return figuresBlock(section.figures, section.title, style, width)
  if (section.kind === 'series') return seriesBlock(section, style, width)
  return gridBlock(section, style, width)
}

const gap = 3

function figuresBlock(figures: readonly Figure[], title: string, style: Style, width: number): string {
  const cells = figures.map((figure) => figureCell(figure))
  const lines: string[] = [style.accent(title)]
  for (let rest = cells; rest.length > 0; ) {
    const count = Math.max(1, fitting(rest, width))
    lines.push(...figureLines(rest.slice(0, count), style))
    rest = rest.slice(count)
  }
  return lines.join('\n')
}

interface FigureCell {
  readonly label: string
  readonly value: string
  readonly change: string
  readonly mood: Mood
  readonly width: number
}

function figureCell(figure: Figure): FigureCell {
  const value = formatValue(figure.value, figure.unit)
  const change = figureChange(figure)
  const width = Math.max(figure.label.length, value.length, change.length, 12) + gap
  return { label: figure.label, value, change, mood: moodOf(figure.change, figure.better), width }
}

function fitting(cells: readonly FigureCell[], width: number): number {
  const tooWide = cells.findIndex(
    (_, index) => total(cells.slice(0, index + 1).map((cell) => cell.width)) - gap > width,
  )
  return tooWide === -1 ? cells.length : tooWide
}

function figureLines(cells: readonly FigureCell[], style: Style): readonly string[] {
  const labels = cells.map((cell) => style.faint(cell.label.padEnd(cell.width)))
  const values = cells.map((cell) => style.strong(cell.value.padEnd(cell.width)))
  const changes = cells.map((cell) => paint(style, cell.mood, cell.change.padEnd(cell.width)))
  const lines = [labels.join(''), values.join('')]
  return cells.some((cell) => cell.change !== '') ? [...lines, changes.join('')] : lines
}

/** Percentages and scores change in points, everything else in percent of what it was. */
function figureChange({ unit, change, change_percent: percent }: Figure): string {
  if (change === undefined) return ''
  if (change === null) return '–'
  if (unit === 'percent' || unit === 'score') return `${arrow(change)} ${signed(change, 2)} pt`
  return percent === null || percent === undefined ? arrow(change) : formatChange(percent)
}

function seriesBlock({ title, unit, points }: SeriesSection, style: Style, width: number): string {
  const values = points.map((point) => point.value)
  const repeat = Math.max(1, Math.min(3, Math.floor(width / Math.max(1, values.length))))
  const line = [...sparkline(values, width)].map((level) => level.repeat(repeat)).join('')
  const range = `${shortTime(points[0]?.at)} → ${shortTime(points.at(-1)?.at)}`
  const extremes = `least ${formatValue(Math.min(...values), unit)}, most ${formatValue(Math.max(...values), unit)}`
  return [style.accent(title), line, style.faint(`${range}   ${extremes}`)].join('\n')
}

/** A day as its date, any other time with its hour. */
function shortTime(at = ''): string {
  return at.endsWith('T00:00:00.000Z') ? at.slice(0, 10) : at.slice(0, 16).replace('T', ' ')
}

function gridBlock({ title, columns, rows, empty }: GridSection, style: Style, width: number): string {
  if (rows.length === 0) return `${style.accent(title)}\n${style.faint(empty ?? 'Nothing.')}`
  const room = graphRoom(columns, rows, width)
  const heads = columns.map((column) => ({ title: column.title, align: alignment(column) }))
  const cells = rows.map((row) => columns.map((column, index) => gridCell(column, row[index] ?? null, style, room)))
  const table = renderTable(heads, fitTexts(columns, cells, width))
  const [head = '', ...body] = table.split('\n')
  return [style.accent(title), style.faint(head), ...body].join('\n')
}

const padding = 2
const graphUnits = new Set<GridColumn['unit']>(['bar', 'trend'])

/** The columns left for the bars or the trend once everything else has its place; 8 to 40. */
function graphRoom(columns: readonly GridColumn[], rows: readonly (readonly GridCell[])[], width: number): number {
  const used = columns.map((column, index) => {
    if (graphUnits.has(column.unit)) return padding
    return columnWidth(
      column,
      rows.map((row) => cellText(column, row[index] ?? null)),
    )
  })
  return Math.max(8, Math.min(40, width - total(used)))
}

function columnWidth(column: GridColumn, texts: readonly string[]): number {
  return Math.max(column.title.length, ...texts.map((text) => text.length)) + padding
}

function gridCell(column: GridColumn, cell: GridCell, style: Style, room: number): string {
  if (column.unit === 'bar') return style.accent(bar(typeof cell === 'number' ? cell / 100 : 0, room))
  if (column.unit === 'trend') return Array.isArray(cell) ? sparkline(cell, room, 100) : ''
  const text = cellText(column, cell)
  if (column.unit !== 'change') return text
  return paint(style, moodOf(typeof cell === 'number' ? cell : null, column.better), text)
}

function cellText({ unit }: GridColumn, cell: GridCell): string {
  if (typeof cell === 'string') return printable(cell)
  if (typeof cell !== 'number') return '–'
  if (unit === 'change') return formatChange(cell)
  return unit === 'text' || unit === 'bar' || unit === 'trend' ? String(cell) : formatValue(cell, unit)
}

/** Shortens the widest column of text when the table is wider than the terminal. */
function fitTexts(columns: readonly GridColumn[], rows: readonly (readonly string[])[], width: number) {
  const widths = columns.map((column, index) =>
    columnWidth(
      column,
      rows.map((row) => stripVTControlCharacters(row[index] ?? '')),
    ),
  )
  const excess = total(widths) - padding - width
  if (excess <= 0) return rows
  const texts = columns.map((column, index) => (column.unit === 'text' ? (widths[index] ?? 0) : 0))
  const widest = texts.indexOf(Math.max(...texts))
  const room = Math.max(8, (texts[widest] ?? 0) - padding - excess)
  return rows.map((row) => row.map((text, index) => (index === widest ? shorten(text, room) : text)))
}

function shorten(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, room - 1)}…`
}

function alignment({ unit }: GridColumn): 'left' | 'right' {
  return unit === 'text' || graphUnits.has(unit) ? 'left' : 'right'
}

type Mood = 'good' | 'bad' | 'neutral'

function moodOf(change: number | null | undefined, better: Figure['better']): Mood {
  if (!change || better === undefined || better === 'neither') return 'neutral'
  return change > 0 === (better === 'higher') ? 'good' : 'bad'
}

function paint(style: Style, mood: Mood, text: string): string {
  if (mood === 'neutral') return style.faint(text)
  return mood === 'good' ? style.good(text) : style.bad(text)
}

function formatChange(percent: number): string {
  const shown = Math.round(percent * 10) / 10 + 0
  return `${arrow(shown)} ${signed(shown, 1)} %`
}

function arrow(change: number): string {
  if (change === 0) return '='
  return change > 0 ? '▲' : '▼'
}

function signed(value: number, decimals: number): string {
  return `${value > 0 ? '+' : ''}${formatDecimal(value, decimals)}`
}

function formatValue(value: number | null, unit: Unit): string {
  if (value === null) return '–'
  if (unit === 'count') return formatCount(value)
  if (unit === 'usd') return `$${formatDecimal(value, Math.abs(value) < 1 && value !== 0 ? 4 : 2)}`
  if (unit === 'ms') return `${formatDecimal(value, 0)} ms`
  if (unit === 'percent') return `${formatDecimal(value, 2)} %`
  return formatDecimal(value, 1)
}

function formatDecimal(value: number, decimals: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, next) => sum + next, 0)
}
