import { Readable } from 'node:stream'
import type { RunContext } from '../context.js'
import { type Database, type Session, throwIfAborted, withSession, withTransaction } from '../database/connect.js'
import { copyIn } from '../database/copy-in.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'
import { copyHeader, copyTrailer } from './copy-binary.js'
import type { Numbering } from './numbering.js'
import { hashRows, RowsDifferError } from './prove.js'
import type { Generated, RowSource } from './row-source.js'
import { type Shard, wantedOf } from './shards.js'
import { createShardTable, indexesOf, type StagingPlace, writtenColumns } from './staging.js'
import { type IndexPlan, type LoadedShard, recordShard } from './unfinished-runs.js'

/** A shard and what there is to know about it before it is loaded. */
export interface ShardTask {
  readonly shard: Shard
  readonly numbering: Numbering | undefined
  /** It becomes a partition, so it is worth indexing. */
  readonly isAttached: boolean
  /** What was recorded of it, if it is loaded already. */
  loaded: LoadedShard | undefined
}

export interface Loading extends StagingPlace {
  readonly run: string
  readonly tasks: readonly ShardTask[]
  readonly source: RowSource
  /** How many connections load and index at once. */
  readonly connections: number
  /** Rows of all tables that know theirs; others do not count for the progress then. */
  readonly totalRows: number | undefined
}

/**
 * Loads, proves and indexes the shards of a run on several connections at once.
 *
 * A shard is one transaction: its table is made, filled by one COPY, read back and compared,
 * and recorded. So a shard is there with its record or not at all, whenever the run is
 * broken off. Every index is a transaction of its own; which are missing, the catalog tells.
 * The first failure stops the others.
 */
export async function loadShards(database: Database, loading: Loading, context: RunContext): Promise<void> {
  const work = new Work(loading)
  const isCounted = (shard: Shard) => loading.totalRows === undefined || shard.fact.rows !== undefined
  const before = loading.tasks.reduce((sum, { shard, loaded }) => sum + (isCounted(shard) ? (loaded?.rows ?? 0) : 0), 0)
  const progress = { done: before }
  const advance = (shard: Shard, rows: number) => {
    if (!isCounted(shard)) return
    progress.done += rows
    context.progress.advance(progress.done, loading.totalRows, 'rows', before)
  }
  const stop = new AbortController()
  const worker = () =>
    withSession(database.sql, async (session) => {
      await prepareSession(session, loading.schema)
      for (;;) {
        throwIfAborted(context.signal)
        const job = await work.next(session)
        if (!job) return
        await (job.index ? build(session, job.index) : load(session, loading, job.task, advance, stop.signal))
        work.done(job)
      }
    }).catch((error: unknown) => {
      stop.abort(error)
      work.breakOff()
      throw error
    })
  const outcomes = await Promise.allSettled(Array.from({ length: loading.connections }, worker))
  if (stop.signal.aborted) throw stop.signal.reason
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}

type Advance = (shard: Shard, rows: number) => void

async function prepareSession(session: Session, schema: string): Promise<void> {
  await session.unsafe(`
    set statement_timeout to 0;
    set idle_in_transaction_session_timeout to 0;
    set maintenance_work_mem to '256MB';
    set max_parallel_maintenance_workers to 0;
    set synchronize_seqscans to off;
    set synchronous_commit to off;
    set search_path to ${quoteIdentifier(schema)}, pg_temp`)
}

interface Job {
  readonly task: ShardTask
  readonly index?: IndexPlan
}

/** Hands out what there is to do: shards first, the largest first, and indexes as soon as their shard is loaded. */
class Work {
  readonly #loading: Loading
  readonly #shards: ShardTask[]
  readonly #indexes: Job[] = []
  #unlooked: ShardTask[]
  #underWay = 0
  #isBrokenOff = false
  #woken: (() => void)[] = []

  constructor(loading: Loading) {
    this.#loading = loading
    const waiting = loading.tasks.filter(({ loaded }) => !loaded)
    this.#shards = [...waiting].sort((a, b) => sizeOf(b) - sizeOf(a))
    this.#unlooked = loading.tasks.filter(({ loaded, isAttached }) => loaded && isAttached)
  }

  /** The next job, once there is one; undefined when all is done. */
  async next(session: Session): Promise<Job | undefined> {
    while (!this.#isBrokenOff) {
      await this.#lookForIndexes(session)
      const index = this.#indexes.shift()
      const task = index ? undefined : this.#shards.shift()
      if (index || task) {
        this.#underWay++
        return index ?? (task && { task })
      }
      if (this.#underWay === 0) return undefined
      await new Promise<void>((resolve) => this.#woken.push(resolve))
    }
    return undefined
  }

  done({ task, index }: Job): void {
    this.#underWay--
    if (!index && task.isAttached) this.#addIndexes(task, new Set())
    this.#wakeAll()
  }

  /** Somebody failed: there is nothing more to do for anybody. */
  breakOff(): void {
    this.#isBrokenOff = true
    this.#wakeAll()
  }

  #wakeAll(): void {
    for (const resolve of this.#woken.splice(0)) resolve()
  }

  /** Shards that an earlier process loaded may have some of their indexes. */
  async #lookForIndexes(session: Session): Promise<void> {
    const tasks = this.#unlooked
    this.#unlooked = []
    for (const task of tasks) {
      this.#addIndexes(task, await indexesOf(session, this.#loading.staging, task.loaded?.staging_table ?? ''))
    }
  }

  #addIndexes(task: ShardTask, made: ReadonlySet<string>): void {
    for (const index of task.loaded?.indexes ?? []) if (!made.has(index.name)) this.#indexes.push({ task, index })
  }
}

function sizeOf({ shard }: ShardTask): number {
  const { fact, stretch } = shard
  return fact.countRows?.(stretch) ?? 0
}

/** One index; half of one is never seen by anybody. */
async function build(session: Session, { statement }: IndexPlan): Promise<void> {
  await session.unsafe(statement)
}

async function load(
  session: Session,
  loading: Loading,
  task: ShardTask,
  advance: Advance,
  stop: AbortSignal,
): Promise<void> {
  const { shard, numbering } = task
  task.loaded = await withTransaction(session, async () => {
    const columns = writtenColumns(shard, numbering)
    const indexes = await createShardTable(session, loading, shard, columns)
    const table = quoteQualified(loading.staging, shard.name)
    const generated = await fill(session, table, columns, loading.source, task, advance, stop)
    const landed = await hashRows(session, table, columns)
    if (landed !== generated.sha256) {
      throw new RowsDifferError(shard.fact.table, shard.number, generated.sha256, landed)
    }
    const { rows, bytes, sha256 } = generated
    const record = {
      ...{ table_name: shard.fact.table, shard: shard.number, staging_table: shard.name },
      ...{ rows, bytes, sha256, indexes },
    }
    await recordShard(session, loading.run, record)
    return record
  })
}

/** The table was made by this transaction, so its rows may be frozen at once; vacuum need not come back for them. */
async function fill(
  session: Session,
  table: string,
  columns: readonly string[],
  source: RowSource,
  { shard, numbering }: ShardTask,
  advance: Advance,
  stop: AbortSignal,
): Promise<Generated> {
  let generated: Generated | undefined
  const first = numbering?.first
  const rows = source.rows(wantedOf(shard, first), (result) => {
    generated = result
  })
  const list = columns.map(quoteIdentifier).join(', ')
  const copy = `copy ${table} (${list}) from stdin with (format binary, freeze)`
  const taken = await copyIn(session, copy, Readable.from(framed(rows, shard, advance, stop), { objectMode: false }))
  if (!generated || taken !== generated.rows) throw new Error(`${taken} of ${generated?.rows} rows were taken`)
  return generated
}

async function* framed(
  rows: ReturnType<RowSource['rows']>,
  shard: Shard,
  advance: Advance,
  stop: AbortSignal,
): AsyncIterable<Buffer> {
  yield copyHeader
  for await (const chunk of rows) {
    stop.throwIfAborted()
    // The stream may keep a piece after the next one was asked for, and its memory is used again.
    yield Buffer.from(chunk.bytes)
    advance(shard, chunk.rows)
  }
  yield copyTrailer
}
