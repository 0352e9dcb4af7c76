import type { RunContext } from '../context.js'
import { type Database, type Session, type Sql, throwIfAborted, withSession } from '../database/connect.js'
import { quoteQualified } from '../database/quote.js'
import {
  explainFailure,
  interruptedBehind,
  interruptedWithin,
  isLasting,
  RefreshFailedError,
  SeedRunningError,
} from './errors.js'
import { loadShards, type ShardTask } from './load-shards.js'
import { abandonRun, beginRun, type OpenRun, resumeRun } from './open-run.js'
import { type Incident, type SeedPack, workspacesOf } from './pack.js'
import { type Published, placementOf, publishRun, type TableCount } from './publish.js'
import { findWholePartitions } from './replace.js'
import { checkOptions, type SeedOptions, type SeedRequest } from './request.js'
import { countRows, localSource, type RowSource } from './row-source.js'
import { readRuns, type TableProof } from './run-ledger.js'
import { threadSource } from './threads/thread-source.js'

export type { SeedMode, SeedOptions } from './request.js'

/** What a run did, in the form of the command's JSON. */
export interface SeedResult {
  readonly run_id: string
  readonly profile: string
  readonly seed: number
  readonly as_of: string
  readonly workspace_id: string
  /** All that the run filled, the one with the most traffic first. */
  readonly workspaces: readonly string[]
  readonly window: { readonly from: string; readonly to: string }
  /** The run's rows by table; of reference tables those that the run uses, and how many of them are new. */
  readonly tables: Readonly<Record<string, TableCount>>
  /** New rows over all tables. */
  readonly rows_total: number
  /** Rows of earlier runs that gave way, by table; empty unless they were replaced. */
  readonly replaced: Readonly<Record<string, number>>
  /** Whether an earlier process had begun it. */
  readonly resumed: boolean
  /** The parts that it was loaded in. */
  readonly shards: number
  /** What landed, read back from the server and compared with what was generated; a difference fails the run. */
  readonly proof: { readonly verified: true; readonly tables: Readonly<Record<string, TableProof>> }
  /** Until everything was there and proven, to the commit that makes it visible. */
  readonly load_ms: number
  readonly duration_ms: number
  /** New rows per second of the whole run, from the first statement to up-to-date sums and statistics. */
  readonly rows_per_second: number
  readonly incidents: readonly Incident[]
}

/**
 * Fills a workspace, or the several of a profile, with a synthetic history.
 *
 * Rows are loaded into tables of their own, part by part, and made visible by one transaction:
 * the run is there entirely or not at all. What is loaded of a run that is broken off is on
 * record, and `resumeSeed` goes on from there. What follows the commit (bringing sums up to
 * date, statistics) can be repeated, and the hours that the sums lack are on record until
 * it has succeeded.
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
  return carryOut(database, request, context, (session) => beginRun(session, request, context))
}

/**
 * Goes on with the run of the workspace that was broken off: what was loaded stays, the rest is
 * generated and loaded as it would have been, and the end is that of `seed`.
 *
 * @param given the options that the caller insists on; what the run was begun with is on record.
 * @throws ObsError naming what is different when the run cannot be gone on with.
 */
export async function resumeSeed(
  database: Database,
  options: SeedOptions,
  given: ReadonlySet<keyof SeedOptions>,
  context: RunContext,
): Promise<SeedResult> {
  const request = checkOptions(options)
  return carryOut(database, request, context, (session) => resumeRun(session, request, given))
}

async function carryOut(
  database: Database,
  request: SeedRequest,
  context: RunContext,
  open: (session: Session) => Promise<OpenRun>,
): Promise<SeedResult> {
  const started = performance.now()
  return withSession(database.sql, (session) =>
    withSeedLock(session, request.schema, async () => {
      const run = await open(session).catch((error: unknown) => explainFailure(error))
      const published = await complete(database, session, run, request, context).catch((error: unknown) =>
        breakOff(session, run, error, context),
      )
      const loadedAfter = performance.now() - started
      await settle(database, session, request, run, published, context).catch((error: unknown) => {
        throw context.signal.aborted ? interruptedBehind(run.pack.refresh ?? 'the refresh', run.id, error) : error
      })
      return resultOf(run, published, loadedAfter, performance.now() - started)
    }),
  )
}

/** Loads what is not loaded yet and makes the run visible. */
async function complete(
  database: Database,
  session: Session,
  run: OpenRun,
  request: SeedRequest,
  context: RunContext,
): Promise<Published> {
  const names = run.tables.map(({ table }) => table)
  context.progress.step(`generating and loading ${names.join(', ')}`)
  const tasks = await tasksOf(session, run)
  const source = sourceOf(run, tasks, request.workers)
  try {
    const { schema, staging, id } = run
    const known = run.tables.flatMap(({ rows }) => rows ?? [])
    const totalRows = known.length > 0 ? known.reduce((sum, rows) => sum + rows, 0) : undefined
    const loading = { run: id, schema, staging, tasks, source, connections: request.workers, totalRows }
    await loadShards(database, loading, context)
  } finally {
    await source.close()
  }
  throwIfAborted(context.signal)
  const loaded = tasks.flatMap((task) => task.loaded ?? [])
  return publishRun(session, run, loaded, context)
}

/** With one worker rows are generated here, between two pieces of them that go to the server. */
function sourceOf(run: OpenRun, tasks: readonly ShardTask[], workers: number): RowSource {
  const { pack, settings, facts } = run
  const waiting = tasks.filter(({ loaded }) => !loaded).length
  const threads = Math.min(workers, waiting)
  if (threads < 2 || !pack.thread) return localSource(run.tables)
  const { file, data = null } = pack.thread
  return threadSource(file, threads, { settings, prepared: facts.prepared, ids: facts.ids, data })
}

/** The shards in their order, with what was recorded of those that are loaded. */
async function tasksOf(session: Session, run: OpenRun): Promise<readonly ShardTask[]> {
  const { pack, settings, schema, mode } = run
  const workspaces = workspacesOf(pack, settings)
  const runs = mode === 'replace' ? await readRuns(session, pack.name, workspaces) : []
  const replacement = { pack, workspaces, runs }
  const whole = runs.length > 0 ? await findWholePartitions({ session, schema }, replacement) : []
  const replaceable = new Set(whole.map(({ name }) => name))
  const rowsBefore = new Map<string, number>()
  const tasks: ShardTask[] = []
  for (const shard of run.shards) {
    const { table } = shard.fact
    const loaded = run.loaded.find((one) => one.table_name === table && one.shard === shard.number)
    const placement = await placementOf(session, run, shard, replaceable)
    const block = run.facts.numbered[table]
    const before = rowsBefore.get(table) ?? 0
    const numbering = block && { column: block.column, first: block.first + before }
    if (block) rowsBefore.set(table, before + (loaded?.rows ?? countRows(shard.fact, shard.stretch)))
    tasks.push({ shard, numbering, isAttached: placement.way === 'attach', loaded })
  }
  return tasks
}

/**
 * A run that fails keeps what it has loaded, for --resume, unless the same would happen again:
 * then it is taken away, and the database is as it was before.
 */
async function breakOff(session: Session, run: OpenRun, error: unknown, context: RunContext): Promise<never> {
  if (context.signal.aborted) throw interruptedWithin(run.id, error)
  if (isLasting(error) && !run.isResumed) {
    const isGone = await abandonRun(session, { run_id: run.id, staging: run.staging }).then(
      () => true,
      () => false,
    )
    if (isGone) return explainFailure(error)
  }
  return explainFailure(error, run.id)
}

/** One run at a time in a schema; the lock is the session's, so it outlives the transaction but not the process. */
export async function withSeedLock<T>(session: Session, schema: string, work: () => Promise<T>): Promise<T> {
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
async function settle(
  { sql }: Database,
  session: Session,
  { schema }: SeedRequest,
  { pack, id }: OpenRun,
  { tables }: Published,
  context: RunContext,
): Promise<void> {
  throwIfAborted(context.signal)
  context.progress.step('refreshing sums and gathering statistics')
  await bringUpToDate(sql, session, schema, pack, Object.keys(tables), id)
}

/** Refreshes what is derived from a pack's facts, and gathers statistics of both. */
export async function bringUpToDate(
  sql: Sql,
  session: Session,
  schema: string,
  { refresh: routine, derived }: SeedPack,
  tables: readonly string[],
  run: string,
): Promise<void> {
  const refreshed =
    routine &&
    refresh(session, schema, routine).catch((error: unknown) => {
      throw error instanceof Error ? new RefreshFailedError(routine, run, error) : error
    })
  const outcomes = await Promise.allSettled([refreshed, analyze(sql, schema, tables)])
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  if (derived.length > 0) await analyze(sql, schema, derived)
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

function resultOf(run: OpenRun, published: Published, loadedAfter: number, milliseconds: number): SeedResult {
  const { settings, plan } = run
  const { tables, replaced, proof } = published
  const rows = Object.values(tables).reduce((sum, { inserted }) => sum + inserted, 0)
  return {
    run_id: settings.runId,
    profile: settings.profile,
    seed: settings.seed,
    as_of: settings.asOf.toISOString(),
    workspace_id: settings.workspace,
    workspaces: workspacesOf(run.pack, settings),
    window: { from: new Date(plan.window.from).toISOString(), to: new Date(plan.window.to).toISOString() },
    tables,
    rows_total: rows,
    replaced,
    resumed: run.isResumed,
    shards: run.shards.length,
    proof: { verified: true, tables: proof },
    load_ms: Math.round(loadedAfter),
    duration_ms: Math.round(milliseconds),
    rows_per_second: Math.round(rows / (milliseconds / 1000)),
    incidents: plan.incidents,
  }
}
