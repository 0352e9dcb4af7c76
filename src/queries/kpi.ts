import type { Kysely } from 'kysely'
import type { Source } from './envelope.js'
import type { Window } from './filters.js'
import type { FlatTable, Section } from './layout.js'
import type { ObservabilityTables } from './observability/tables.js'
import type { Scope } from './resolve-filters.js'

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
  /** Asks the database; every query it sends filters by the scope's workspace. */
  run(question: Question): Promise<KpiResult<Data>>
  /** The answer as sections for a reader. */
  layout(data: Data): readonly Section[]
  /** The answer as one flat table. */
  table(data: Data): FlatTable
}

/** What a KPI is given to answer. */
export interface Question {
  /** A read-only transaction; all queries of an answer see the same snapshot. */
  readonly db: Kysely<ObservabilityTables>
  readonly scope: Scope
  readonly window: Window
  /** False when traces have changed since the rollups were refreshed: then only traces can be trusted. */
  readonly rollupsAreFresh: boolean
  /** Tells the person something about the answer that the numbers do not say. */
  warn(text: string): void
}

export interface KpiResult<Data> {
  readonly data: Data
  readonly source: Source
}
