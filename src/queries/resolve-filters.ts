import { UsageError } from '../errors.js'
import { nearest } from '../suggest.js'
import type { KpiFilters } from './filters.js'
import type { FilterName, Kpi } from './kpi.js'

/**
 * Refuses a filter that the KPI does not take, before anything is asked.
 *
 * @throws UsageError naming the flag.
 */
export function checkFilterNames(kpi: Pick<Kpi<unknown>, 'name' | 'filters'>, filters: KpiFilters): void {
  const all: readonly FilterName[] = ['department', 'environment', 'version']
  const refused = all.filter((name) => filters[name] !== undefined && !kpi.filters.includes(name))
  if (refused.length === 0) return
  const taken = kpi.filters.map((name) => `--${name}`).join(', ')
  throw new UsageError(`${kpi.name} takes no ${refused.map((name) => `--${name}`).join(' and no ')}`, {
    code: 'filter_not_taken',
    hint: taken === '' ? 'Leave it away.' : `Leave it away; ${kpi.name} takes ${taken}.`,
    details: { kpi: kpi.name, refused, taken: kpi.filters },
  })
}

/**
 * Refuses a value that names nothing in the database.
 *
 * @throws UsageError with the nearest known value and the list of all.
 */
export function refuseUnknown(what: FilterName | 'workspace', value: string, known: readonly string[]): never {
  const guess = nearest(value, known)
  const suggestion = guess === undefined ? '' : `, did you mean ${JSON.stringify(guess)}?`
  throw new UsageError(`unknown ${what} ${JSON.stringify(value)}${suggestion}`, {
    code: `unknown_${what}`,
    hint:
      known.length === 0
        ? `Leave --${what} away: the workspace has no ${what}s.`
        : `Choose one of ${known.join(', ')}.`,
    details: { [what]: value, known },
  })
}
