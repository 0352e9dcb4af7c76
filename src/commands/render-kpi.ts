import type { Envelope, FiltersApplied } from '../queries/envelope.js'
import type { Kpi } from '../queries/kpi.js'
import { type HomeKpis, homeKpis } from '../queries/observability/home-kpis.js'
import { renderKpiReport } from '../reports/kpi.js'
import type { Style } from '../terminal/style.js'

/** An answer as text for a terminal of `width` columns; without a KPI it is one of `home-kpis`. */
export function renderKpi(envelope: Envelope<HomeKpis>, style: Style, width: number): string
export function renderKpi<Data>(envelope: Envelope<Data>, style: Style, width: number, kpi: Kpi<Data>): string
export function renderKpi(
  envelope: Envelope<unknown>,
  style: Style,
  width: number,
  kpi: Kpi<unknown> = homeKpis,
): string {
  const subtitle = describeFilters(envelope.filters_applied)
  return renderKpiReport({ title: kpi.name, subtitle, sections: kpi.layout(envelope.data) }, style, width)
}

function describeFilters({ from, to, department, environment, version }: FiltersApplied): string {
  const range = `${minute(from)} → ${minute(to)} UTC`
  return [range, department, environment, version].filter((part) => part !== null).join(' · ')
}

function minute(time: string): string {
  return time.slice(0, 16).replace('T', ' ')
}
