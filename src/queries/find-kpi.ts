import { UsageError } from '../errors.js'
import { nearest } from '../suggest.js'
import type { Kpi } from './kpi.js'

/**
 * The KPI called `name`.
 *
 * @throws UsageError with the nearest name and the list of all.
 */
export function findKpi(kpis: readonly Kpi<unknown>[], name: string): Kpi<unknown> {
  const kpi = kpis.find((candidate) => candidate.name === name)
  if (kpi) return kpi
  const names = kpis.map((candidate) => candidate.name)
  const guess = nearest(name, names)
  throw new UsageError(
    `unknown KPI ${JSON.stringify(name)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`,
    {
      code: 'unknown_kpi',
      hint: names.length > 0 ? `Choose one of ${names.join(', ')}.` : 'Choose another --pack: this one has no KPIs.',
      details: { kpi: name, known: names },
    },
  )
}
