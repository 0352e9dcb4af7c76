import type { KpiFilters } from './filters.js'

/** `rollup` when the numbers come from the rollups alone, `raw` when traces were read as well. */
export type Source = 'rollup' | 'raw'

/** The form of every KPI answer; part of the command-line contract. */
export interface Envelope<Data = unknown> {
  readonly data: Data
  readonly meta: {
    readonly workspace_id: string
    /** When the question was answered, whatever `--as-of` says. */
    readonly generated_at: string
    readonly query_duration_ms: number
    readonly source: Source
  }
  readonly filters_applied: FiltersApplied
}

/** What the numbers are about; `from` belongs to the range, `to` does not. */
export interface FiltersApplied {
  readonly range: string | null
  readonly from: string
  readonly to: string
  readonly department: string | null
  readonly environment: string | null
  readonly version: string | null
}

export function filtersApplied(filters: KpiFilters): FiltersApplied {
  return {
    range: filters.range ?? null,
    from: filters.window.from.toISOString(),
    to: filters.window.to.toISOString(),
    department: filters.department ?? null,
    environment: filters.environment ?? null,
    version: filters.version ?? null,
  }
}
