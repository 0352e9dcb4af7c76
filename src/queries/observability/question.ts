import type { Kysely } from 'kysely'
import type { Source } from '../envelope.js'
import type { Window } from '../filters.js'
import type { Kpi, KpiRequest } from '../kpi.js'
import { describeCoverage, requireTables, rollupsAreFresh } from './readiness.js'
import { resolveScope, type Scope } from './scope.js'
import type { ObservabilityTables } from './tables.js'

/** A request after its filters have become ids of the database. */
export interface Question {
  readonly db: Kysely<ObservabilityTables>
  readonly scope: Scope
  readonly window: Window
  /** False when traces have changed since the rollups were refreshed: then only traces can be trusted. */
  readonly rollupsAreFresh: boolean
  warn(text: string): void
}

/** A KPI of this pack, written for a question rather than for a request. */
export interface ObservabilityKpi<Data> extends Omit<Kpi<Data>, 'run'> {
  answer(question: Question): Promise<{ readonly data: Data; readonly source: Source }>
}

/** Makes a KPI of `definition`: checks the schema, resolves the filters and says when the range holds nothing. */
export function observabilityKpi<Data>({ answer, ...description }: ObservabilityKpi<Data>): Kpi<Data> {
  return {
    ...description,
    run: async (request) => {
      const question = await prepare(request)
      return { ...(await answer(question)), workspaceId: question.scope.workspaceId }
    },
  }
}

async function prepare({ db: anyTables, filters, schema, warn }: KpiRequest): Promise<Question> {
  const db = anyTables.withTables<ObservabilityTables>()
  await requireTables(db, schema)
  const scope = await resolveScope(db, filters)
  const warning = await describeCoverage(db, scope.workspaceId, filters.window)
  if (warning !== undefined) warn(warning)
  return { db, scope, window: filters.window, rollupsAreFresh: await rollupsAreFresh(db), warn }
}
