import type { RunContext } from '../context.js'
import {
  type Database,
  type Session,
  type Sql,
  throwIfAborted,
  withSession,
  withTransaction,
} from '../database/connect.js'
import { quoteQualified } from '../database/quote.js'
import { explainFailure, interruptedBehind, RefreshFailedError, SeedRunningError } from './errors.js'
import type { Incident } from './pack.js'
import { checkOptions, type SeedOptions, type SeedRequest } from './request.js'
import { loadRun, type Run, type TableCount } from './run.js'

export type { SeedMode, SeedOptions } from './request.js'

/** What a run did, in the form of the command's JSON. */
export interface SeedResult {
  readonly run_id: string
  readonly profile: string
  readonly seed: number
  readonly as_of: string
  readonly workspace_id: string
  readonly window: { readonly from: string; readonly to: string }
  /** The run's rows by table; of reference tables those that the run uses, and how many of them are new. */
  readonly tables: Readonly<Record<string, TableCount>>
  /** New rows over all tables. */
  readonly rows_total: number
  /** Rows of earlier runs that gave way, by table; empty unless they were replaced. */
  readonly replaced: Readonly<Record<string, number>>
  readonly duration_ms: number
  /** New rows per second of the whole run, from the first statement to up-to-date sums and statistics. */
  readonly rows_per_second: number
  readonly incidents: readonly Incident[]
}

/**
 * Fills a workspace with a synthetic history.
 *
 * The whole run is one transaction of one session: it is there entirely or not at all.
 * What follows the commit (bringing sums up to date, statistics) can be repeated, and
 * the hours that the sums lack are on record until it has succeeded.
 *
 * The same options give the same rows to the byte in every database that was the same
 * before.
 *
 * @throws UsageError when an option cannot be used.
 * @throws SchemaNotReadyError when migrations are pending.
 * @throws AlreadySeededError when there are synthetic rows and `mode` is `first`.
 * @throws ObsError with exit code 4 when another run is under way or a table stays locked.
 */
export async function seed(database: Database, options: SeedOptions, context: RunContext): Promise<SeedResult> {
  const request = checkOptions(options)
  const started = performance.now()
  return withSession(database.sql, (session) =>
    withSeedLock(session, request.schema, async () => {
      const run = await withTransaction(session, () => loadRun(session, request, context)).catch(explainFailure)
      await settle(database, session, request, run, context).catch((error: unknown) => {
        throw context.signal.aborted ? interruptedBehind(request.generators.refresh, run.settings.runId, error) : error
      })
      return resultOf(run, performance.now() - started)
    }),
  )
}

/** One run at a time in a schema; the lock is the session's, so it outlives the transaction but not the process. */
async function withSeedLock<T>(session: Session, schema: string, work: () => Promise<T>): Promise<T> {
  const key = `obs seed ${schema}`
  const [row] = await session<{ locked: boolean }[]>`
    select pg_try_advisory_lock(hashtextextended(${key}::text, 0)) as locked`
  if (!row?.locked) throw new SeedRunningError(schema)
  try {
    return await work()
  } finally {
    await session`select pg_advisory_unlock(hashtextextended(${key}::text, 0))`.catch(() => undefined)
  }
}

/**
 * Brings sums and statistics up to date, behind the commit so that nobody waits for
 * locks meanwhile. The two have nothing to do with each other and run side by side.
 */
async function settle({ sql }: Database, session: Session, request: SeedRequest, run: Run, context: RunContext) {
  const { generators, schema } = request
  throwIfAborted(context.signal)
  context.progress.step('refreshing sums and gathering statistics')
  const outcomes = await Promise.allSettled([
    refresh(session, schema, generators.refresh).catch((error: unknown) => {
      throw error instanceof Error ? new RefreshFailedError(generators.refresh, run.settings.runId, error) : error
    }),
    analyze(sql, schema, Object.keys(run.tables)),
  ])
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  await analyze(sql, schema, generators.derived)
}

/** Views, such as continuous aggregates, have no statistics of their own. */
async function analyze(sql: Sql, schema: string, tables: readonly string[]): Promise<void> {
  const present = await sql<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = to_regnamespace(quote_ident(${schema}::text)) and relname in ${sql(tables)}
      and relkind in ('r', 'p')
    order by relname`
  for (const { name } of present) await sql.unsafe(`analyze ${quoteQualified(schema, name)}`)
}

/** Continuous aggregates are refreshed by a procedure, since they commit as they go; rollups by a function. */
async function refresh(session: Session, schema: string, name: string): Promise<void> {
  const [routine] = await session<{ kind: string }[]>`
    select prokind as kind from pg_proc
    where proname = ${name} and pronamespace = to_regnamespace(quote_ident(${schema}::text)) and pronargs = 0`
  if (!routine) return
  await session.unsafe(`${routine.kind === 'p' ? 'call' : 'select'} ${quoteQualified(schema, name)}()`)
}

function resultOf({ settings, plan, tables, replaced }: Run, milliseconds: number): SeedResult {
  const rows = Object.values(tables).reduce((sum, { inserted }) => sum + inserted, 0)
  return {
    run_id: settings.runId,
    profile: settings.profile,
    seed: settings.seed,
    as_of: settings.asOf.toISOString(),
    workspace_id: settings.workspace,
    window: { from: new Date(plan.window.from).toISOString(), to: new Date(plan.window.to).toISOString() },
    tables,
    rows_total: rows,
    replaced,
    duration_ms: Math.round(milliseconds),
    rows_per_second: Math.round(rows / (milliseconds / 1000)),
    incidents: plan.incidents,
  }
}
