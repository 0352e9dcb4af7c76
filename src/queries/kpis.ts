import { UsageError } from '../errors.js'
import { nearest } from '../suggest.js'
import type { Kpi } from './kpi.js'
import { costByDepartment } from './observability/cost-by-department.js'
import { environmentParity } from './observability/environment-parity.js'
import { homeKpis } from './observability/home-kpis.js'
import { intentDistribution } from './observability/intent-distribution.js'
import { versionAdoption } from './observability/version-adoption.js'

/** The KPIs of the shipped packs, in the order they are listed. */
const kpisByPack: Readonly<Record<string, readonly Kpi<unknown>[]>> = {
  observability: [homeKpis, costByDepartment, intentDistribution, versionAdoption, environmentParity],
}

/** The KPIs a pack comes with; a pack of somebody's own has none. */
export function kpisOf(pack: string): readonly Kpi<unknown>[] {
  return kpisByPack[pack] ?? []
}

/**
 * The KPI called `name`.
 *
 * @throws UsageError with the nearest name and the list of all.
 */
export function findKpi(pack: string, name: string): Kpi<unknown> {
  const kpis = kpisOf(pack)
  const kpi = kpis.find((candidate) => candidate.name === name)
  if (kpi) return kpi
  const names = kpis.map((candidate) => candidate.name)
  const guess = nearest(name, names)
  throw new UsageError(
    `unknown KPI ${JSON.stringify(name)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`,
    {
      code: 'unknown_kpi',
      hint: names.length > 0 ? `Choose one of ${names.join(', ')}.` : `Choose another --pack: ${pack} has no KPIs.`,
      details: { kpi: name, known: names },
    },
  )
}
