import { sql } from 'kysely'
import type { RunContext } from '../context.js'
import { type Database, throwIfAborted, withSession } from '../database/connect.js'
import { kyselyOn } from '../database/kysely-on.js'
import { codeOf, ObsError } from '../errors.js'
import { type Envelope, filtersApplied } from './envelope.js'
import type { KpiFilters } from './filters.js'
import type { Kpi, KpiRequest } from './kpi.js'
import { checkFilterNames } from './resolve-filters.js'

export interface RunKpiOptions {
  /** Milliseconds that each statement may take. */
  readonly timeout?: number
  /** The schema the pack's tables live in. */
  readonly schema?: string
}

export const defaultTimeout = 30_000

type Transaction = KpiRequest['db']

/**
 * Asks a KPI and wraps its answer in the envelope.
 *
 * Everything runs in one read-only, repeatable-read transaction: the server refuses
 * a write, and all numbers of an answer agree with each other.
 *
 * @throws UsageError for a filter that names nothing or that the KPI does not take;
 *   ObsError when the tables are missing or a statement takes longer than `timeout`.
 */
export async function runKpi<Data>(
  database: Database,
  kpi: Kpi<Data>,
  filters: KpiFilters,
  context: RunContext,
  options: RunKpiOptions = {},
): Promise<Envelope<Data>> {
  checkFilterNames(kpi, filters)
  const { timeout = defaultTimeout, schema = 'public' } = options
  const started = performance.now()
  try {
    const warn = (text: string) => context.progress.warn(text)
    const result = await readOnly(database, timeout, schema, (db) => kpi.run({ db, filters, schema, warn }))
    return {
      data: result.data,
      meta: {
        workspace_id: result.workspaceId,
        generated_at: new Date().toISOString(),
        query_duration_ms: Math.round(performance.now() - started),
        source: result.source,
      },
      filters_applied: filtersApplied(filters),
    }
  } catch (error) {
    throwIfAborted(context.signal)
    throw explainTimeout(error, kpi.name, timeout)
  }
}

function readOnly<T>(
  database: Database,
  timeout: number,
  schema: string,
  work: (db: Transaction) => Promise<T>,
): Promise<T> {
  return withSession(database.sql, (session) =>
    kyselyOn(session)
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute(async (db) => {
        await sql`
          select set_config('statement_timeout', ${String(timeout)}, true),
                 set_config('search_path', quote_ident(${schema}), true),
                 set_config('timezone', 'UTC', true)`.execute(db)
        return work(db)
      }),
  )
}

/** SQLSTATE 57014 is query_canceled, which is what statement_timeout ends in. */
function explainTimeout(error: unknown, kpi: string, timeout: number): unknown {
  if (codeOf(error) !== '57014') return error
  return new ObsError(`${kpi} was cancelled: a statement may take ${timeout / 1000} s`, {
    code: 'query_timeout',
    hint: 'Ask about a shorter --range, or allow more with --timeout.',
    cause: error,
    details: { kpi, timeout_ms: timeout },
  })
}
