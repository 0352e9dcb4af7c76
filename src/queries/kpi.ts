import type { Kysely } from 'kysely'
import type { Source } from './envelope.js'
import type { KpiFilters } from './filters.js'
import type { FlatTable, Section } from './layout.js'

/** A filter that a KPI may take besides the range and the workspace. */
export type FilterName = 'department' | 'environment' | 'version'

/**
 * A named read-only question.
 *
 * Everything obs knows about a KPI is in this one value: it feeds the listing, the
 * checks of the filters, the run and every form of the answer.
 */
export interface Kpi<Data> {
  readonly name: string
  readonly summary: string
  readonly filters: readonly FilterName[]
  /** Asks the database; every query it sends filters by one workspace. */
  run(request: KpiRequest): Promise<KpiResult<Data>>
  /** The answer as sections for a reader. */
  layout(data: Data): readonly Section[]
  /** The answer as one flat table. */
  table(data: Data): FlatTable
}

/** What a KPI is given to answer. */
export interface KpiRequest {
  /** A read-only transaction; all queries of an answer see the same snapshot. */
  readonly db: Kysely<unknown>
  readonly filters: KpiFilters
  /** The schema that the pack's tables live in; it is the transaction's search path. */
  readonly schema: string
  /** Tells the person something about the answer that the numbers do not say. */
  warn(text: string): void
}

export interface KpiResult<Data> {
  readonly data: Data
  readonly source: Source
  readonly workspaceId: string
}
