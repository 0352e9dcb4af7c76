import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Section } from '../../src/queries/layout.js'
import { renderKpiReport } from '../../src/reports/kpi.js'
import { createStyle } from '../../src/terminal/style.js'

const figures: Section = {
  kind: 'figures',
  title: 'Overview',
  figures: [
    { label: 'requests', value: 1234, unit: 'count', change: 34, change_percent: 2.83, better: 'higher' },
    { label: 'error rate', value: 5.09, unit: 'percent', change: 0.4, change_percent: 8.5, better: 'lower' },
    { label: 'cost', value: 7364.72, unit: 'usd', change: -12, change_percent: -0.16, better: 'lower' },
    { label: 'quality', value: null, unit: 'score', change: null, change_percent: null, better: 'higher' },
    { label: 'budget', value: 50_000, unit: 'usd' },
  ],
}

const grid: Section = {
  kind: 'grid',
  title: 'Agents',
  columns: [
    { title: 'agent', unit: 'text' },
    { title: 'requests', unit: 'count' },
    { title: 'change', unit: 'change', better: 'higher' },
    { title: '', unit: 'bar' },
    { title: 'share per day', unit: 'trend' },
  ],
  rows: [
    ['engineering-documentation-bot-with-a-very-long-name-12', 1200, -3.24, 75, [0, 50, 100]],
    ['\u001b[2Jhr', null, null, 0, []],
  ],
}

const series: Section = {
  kind: 'series',
  title: 'Requests per day',
  unit: 'count',
  points: Array.from({ length: 400 }, (_, day) => ({
    at: new Date(Date.UTC(2024, 0, 1 + day)).toISOString(),
    value: day,
  })),
}

function render(sections: readonly Section[], { color = false, width = 100 } = {}): string {
  return renderKpiReport({ title: 'home-kpis', subtitle: 'all', sections }, createStyle(color), width)
}

describe('an answer on a terminal', () => {
  it('shows numbers in their units and changes with arrows and signs', () => {
    const text = render([figures])
    for (const part of ['1,234', '5.09 %', '$7,364.72', '▲ +2.8 %', '▲ +0.40 pt', '▼ -0.2 %', '–', '$50,000.00']) {
      expect(text).toContain(part)
    }
  })

  it('paints good news green and bad news red, whichever way the number went', () => {
    const text = render([figures], { color: true })
    const [green, red] = ['\u001b[32m', '\u001b[31m']
    expect(text).toContain(`${green}▲ +2.8 %`)
    expect(text).toContain(`${red}▲ +0.40 pt`)
    expect(text).toContain(`${green}▼ -0.2 %`)
  })

  it('has no escape sequence without colour, even when the database holds one', () => {
    expect(render([figures, grid, series])).not.toContain('\u001b')
  })

  it.each([60, 80, 100, 160])('fits %i columns', (width) => {
    const lines = stripVTControlCharacters(render([figures, grid, series], { width, color: true })).split('\n')
    expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(width)
  })

  it('draws a trend on the scale of all others', () => {
    expect(render([grid])).toContain('▁▅█')
  })

  it('says so when a table has no rows', () => {
    expect(render([{ ...grid, rows: [], empty: 'No requests.' }])).toContain('No requests.')
  })
})
