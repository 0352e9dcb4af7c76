import type { Kpi } from '../kpi.js'
import { costByDepartment } from './cost-by-department.js'
import { environmentParity } from './environment-parity.js'
import { homeKpis } from './home-kpis.js'
import { intentDistribution } from './intent-distribution.js'
import { versionAdoption } from './version-adoption.js'

/** The KPIs of the observability pack, in the order they are listed. */
export const observabilityKpis: readonly Kpi<unknown>[] = [
  homeKpis,
  costByDepartment,
  intentDistribution,
  versionAdoption,
  environmentParity,
]
