import { setTimeout as sleep } from 'node:timers/promises'
import type { RunContext } from '../../context.js'
import { finishFirst, type Session, throwIfAborted, withTransaction } from '../../database/connect.js'
import { codeOf } from '../../errors.js'
import type { Target } from '../files/directives.js'
import type { PreservationMode } from '../preservation/choose-preservation.js'
import type { TableReceipt } from '../preservation/receipt.js'
import { comparedColumns, proveBatch } from './batch-proof.js'
import { BackfillError } from './errors.js'
import { extremeKey, nextKey, type Range } from './key-sql.js'
import {
  beginProgress,
  currentAttempt,
  ensureProgressTable,
  readProgress,
  saveProgress,
  type WalkIdentity,
  type WalkProgress,
} from './progress-table.js'
import type { WalkedTable } from './walked-table.js'

/** A walk through a table, in batches that are each committed by themselves. */
export interface Walk {
  readonly identity: WalkIdentity
  readonly table: WalkedTable
  readonly batch: number
  readonly pauseMs: number
  /** Tells whether what a batch does is still what it was when the walk was begun. */
  readonly checksum: string
  readonly preserve: PreservationMode
  /** Existing values that the migration alters on purpose. */
  readonly changes: readonly Target[]
  /** It takes rows out of the walked table. */
  readonly deletes: boolean
  /** Does one batch, inside its transaction, and says how many rows it wrote. */
  readonly work: (range: Range) => Promise<number>
  /** For the rest of the transaction it acts as the role that writes the history. */
  readonly becomeOneself: () => Promise<void>
  /** Runs something that the server undoes when others hold the locks it needs, again until they do not. */
  readonly patiently: <T>(attempt: () => PromiseLike<T>) => Promise<T>
}

/** A walk that came to its end. */
export interface Walked {
  readonly progress: WalkProgress
  readonly receipt: TableReceipt
}

/** How often a walk goes on behind its end because rows came meanwhile. */
const mostLaps = 10

/**
 * Walks through a table by its key, batch by batch.
 *
 * A batch and the note how far the walk has come are one transaction, so that whatever
 * ends the process, the next run goes on with the row after the last one that was done:
 * none is left out and none is done twice. An interruption waits for the batch that is
 * running.
 *
 * @returns how far it came over all runs, and what is proven about the walked table.
 */
export async function walkTable(session: Session, walk: Walk, context: RunContext): Promise<Walked> {
  let progress = await openWalk(session, walk, context)
  const before = progress.visited
  const show = () => {
    const total = Math.max(progress.estimated, progress.visited)
    context.progress.advance(progress.visited, progress.finished ? progress.visited : total, 'rows', before)
  }
  show()
  while (!progress.finished) {
    throwIfAborted(context.signal)
    const known = progress
    progress = await finishFirst(session, () => batchUntilDone(session, walk, known))
    show()
    if (!progress.finished) await pause(walk.pauseMs, context.signal)
  }
  return { progress, receipt: receiptOf(walk, progress) }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/** Goes on with what an earlier run of this attempt left, or begins. */
async function openWalk(session: Session, walk: Walk, { progress }: RunContext): Promise<WalkProgress> {
  const { identity, table } = walk
  const last = (await extremeKey(session, table, 'desc')) ?? null
  return withTransaction(session, async () => {
    await walk.becomeOneself()
    await ensureProgressTable(session, identity.place)
    const attempt = await currentAttempt(session, identity)
    const left = await readProgress(session, identity, attempt)
    if (left) return takeUp(walk, left, progress)
    const fresh = freshProgress(walk, last)
    await beginProgress(session, identity, attempt, fresh)
    return fresh
  })
}

function freshProgress({ table, checksum }: Walk, endKey: readonly string[] | null): WalkProgress {
  return {
    source: `${table.schema}.${table.name}`,
    keyColumns: table.key.map((column) => column.name),
    lastKey: null,
    endKey,
    laps: 0,
    visited: 0,
    changed: 0,
    batches: 0,
    estimated: table.estimatedRows,
    checksum,
    finished: endKey === null,
  }
}

/** The last key says where to go on only as long as the walk goes through the same table by the same key. */
function takeUp({ table, checksum }: Walk, left: WalkProgress, progress: RunContext['progress']): WalkProgress {
  const source = `${table.schema}.${table.name}`
  const names = table.key.map((column) => column.name)
  if (left.batches > 0 && (left.source !== source || left.keyColumns.join('\n') !== names.join('\n'))) {
    throw new BackfillError(
      `the backfill went through ${left.source} by ${left.keyColumns.join(', ')} so far, and now it is to go through ${source} by ${names.join(', ')}`,
      'Restore the directive as it was; or take back by hand what was done, and settle it with obs migrate repair.',
      { rows: left.visited, batches: left.batches, last_key: left.lastKey },
    )
  }
  if (left.batches > 0 && !left.finished && left.checksum !== checksum) {
    progress.warn(`the backfill says something else now; the first ${left.visited} rows were done as it was before`)
  }
  return left
}

function batchUntilDone(session: Session, walk: Walk, progress: WalkProgress): Promise<WalkProgress> {
  return walk.patiently(() => unlessOvertaken(() => oneBatch(session, walk, progress)))
}

/** So often a batch begins anew at once when others write its rows at the same moment. */
const quickAttempts = 5

/** serialization_failure; https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html */
async function unlessOvertaken<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (codeOf(error) !== '40001' || attempt === quickAttempts) throw error
      await sleep(10 * 2 ** attempt * Math.random())
    }
  }
}

/**
 * Only in one snapshot can a batch be compared with what was there before it while
 * others go on writing; a row that they write meanwhile makes the batch begin again.
 * https://www.postgresql.org/docs/current/transaction-iso.html#XACT-REPEATABLE-READ
 */
async function oneBatch(session: Session, walk: Walk, progress: WalkProgress): Promise<WalkProgress> {
  const begin = walk.preserve === 'off' ? 'begin' : 'begin isolation level repeatable read'
  return withTransaction(
    session,
    async () => {
      const transaction = await transactionId(session)
      const next = await doBatch(session, walk, progress)
      if ((await transactionId(session)) !== transaction) throw endedTransaction(progress)
      await walk.becomeOneself()
      const saved = await saveProgress(session, walk.identity, progress, next)
      if (!saved) throw otherProgress(progress)
      return next
    },
    begin,
  )
}

async function doBatch(session: Session, walk: Walk, progress: WalkProgress): Promise<WalkProgress> {
  const found = await findRange(session, walk, progress)
  if (!found) return endOrLap(session, walk, progress)
  const { range, rows } = found
  const changed = await proveBatch(session, { ...walk, mode: walk.preserve, range }, () => walk.work(range))
  const after: WalkProgress = {
    ...progress,
    lastKey: range.upTo,
    visited: progress.visited + rows,
    changed: progress.changed + changed,
    batches: progress.batches + 1,
    checksum: walk.checksum,
  }
  return rows < walk.batch ? endOrLap(session, walk, after) : after
}

async function findRange(
  session: Session,
  { table, batch }: Walk,
  { lastKey, endKey }: WalkProgress,
): Promise<{ readonly range: Range; readonly rows: number } | undefined> {
  const after = lastKey ?? (await extremeKey(session, table, 'asc'))
  if (!after || !endKey) return undefined
  const fromFirst = lastKey === null
  const next = await nextKey(session, table, { key: after, fromFirst, end: endKey }, batch)
  return next && { range: { after, fromFirst, upTo: next.key }, rows: next.rows }
}

/**
 * At its end the walk looks for rows that came behind it. It ends for certain, also
 * where they come faster than they are done.
 */
async function endOrLap(session: Session, { table }: Walk, progress: WalkProgress): Promise<WalkProgress> {
  const above = progress.endKey ?? undefined
  const endKey = progress.laps < mostLaps ? await extremeKey(session, table, 'desc', above) : undefined
  return endKey ? { ...progress, endKey, laps: progress.laps + 1 } : { ...progress, finished: true }
}

async function transactionId(session: Session): Promise<string> {
  const [row] = await session<{ id: string }[]>`select pg_current_xact_id()::text as id`
  return row?.id ?? ''
}

function endedTransaction({ source }: WalkProgress): BackfillError {
  return new BackfillError(
    `a batch of the backfill of ${source} ended the transaction that obs had opened for it`,
    'Take commit and rollback out of it; how far it came is no longer certain.',
  )
}

function otherProgress({ source }: WalkProgress): BackfillError {
  return new BackfillError(
    `somebody else wrote how far the backfill of ${source} has come; this batch was rolled back`,
    'Leave the table backfill_progress to obs, and run the command again.',
  )
}

/** Hashes are compared batch by batch, so that there is none of the whole table to keep. */
function receiptOf({ table, changes, preserve, deletes }: Walk, { visited }: WalkProgress): TableReceipt {
  const declared = changes.filter((target) => target.table === table.name)
  return {
    table: table.name,
    rows_before: visited,
    rows_after: visited,
    columns_compared: comparedColumns({ table, changes, mode: preserve })?.length ?? 0,
    identical: declared.length === 0 && !deletes,
    high_water: null,
    identity: table.key.map((column) => column.name),
    columns: {},
    types: {},
    declared: declared.map(({ column }) => (column === undefined ? table.name : `${table.name}.${column}`)),
    dropped: [],
  }
}
