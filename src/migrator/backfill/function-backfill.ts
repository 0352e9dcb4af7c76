import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Session } from '../../database/connect.js'
import type { PieceEnvironment } from '../pieces/piece.js'
import type { TableReceipt } from '../preservation/receipt.js'
import type { BackfillFunction, BackfillOptions, Batch } from './backfill-function.js'
import { BackfillError } from './errors.js'
import { keyValues, type Range, rangeCondition } from './key-sql.js'
import { type BackfillRequest, defaultBatch, parseBatch, parsePause, parseTable } from './request.js'
import { notBegun } from './run-backfill.js'
import { type Walked, walkTable } from './walk.js'
import { findWalkedTable, type WalkedTable } from './walked-table.js'

/** What a function does besides its backfills decides whether it may simply be called again. */
export interface FunctionWatch {
  /** The session for the function: whoever uses it outside of a batch is noticed. */
  readonly sql: Session
  readonly backfill: BackfillFunction
  /** What is proven about the tables that were walked through. */
  readonly proven: readonly TableReceipt[]
}

/**
 * What a function outside a transaction is given, so that it can backfill and be resumed.
 *
 * A function that does nothing but backfills can be called again after it broke off,
 * because each knows how far it came. `resumable` is called when that is so, and again
 * when the function did something of its own that nobody would know about.
 */
export function watchFunction(
  environment: PieceEnvironment,
  resumable: (yes: boolean) => Promise<void>,
): FunctionWatch {
  const proven: TableReceipt[] = []
  const names = new Set<string>()
  let inBatch = false
  let usedOtherwise = false
  let promised = false
  const noticeUse = () => {
    if (inBatch || usedOtherwise) return
    usedOtherwise = true
    // Goes to the server on the same connection, and so before what the function sends now.
    if (promised) void resumable(false).catch(() => undefined)
  }
  const backfill: BackfillFunction = async (given) => {
    const options = parseOptions(given)
    const name = options.name ?? options.table
    if (names.has(name)) throw refused(`two backfills of this migration are called ${JSON.stringify(name)}`, nameThem)
    names.add(name)
    if (!usedOtherwise && !promised) await resumable(true)
    promised = !usedOtherwise
    const inside = async <T>(work: () => Promise<T>) => {
      inBatch = true
      try {
        return await work()
      } finally {
        inBatch = false
      }
    }
    const { progress, receipt } = await runOptions(options, name, environment, inside)
    proven.push(receipt)
    return { rows: progress.visited, batches: progress.batches }
  }
  return { sql: noticing(environment.session, noticeUse), backfill, proven }
}

/** For a migration in a transaction, where a backfill could commit nothing. */
export const refuseBackfill: BackfillFunction = async () => {
  throw refused(
    'a backfill commits batch by batch, and this migration is one transaction',
    'Begin the file with // obs: no-transaction.',
  )
}

const nameThem = 'Give each a name of its own, because that is how it finds out where it was.'

function refused(message: string, hint: string): BackfillError {
  return new BackfillError(message, hint)
}

/** Everything of a session that sends something to the server. */
const sending = new Set(['unsafe', 'begin', 'savepoint', 'file', 'notify', 'listen', 'subscribe', 'largeObject'])

function noticing(session: Session, noticeUse: () => void): Session {
  return new Proxy(session, {
    apply: (target, self, values: unknown[]) => {
      const [first] = values
      if (Array.isArray(first) && 'raw' in first) noticeUse()
      return Reflect.apply(target, self, values)
    },
    get: (target, name) => {
      if (typeof name === 'string' && sending.has(name)) noticeUse()
      return Reflect.get(target, name)
    },
  })
}

const optionsSchema = z.strictObject({
  table: z.string(),
  key: z.union([z.string(), z.array(z.string()).min(1)]),
  batch: z.number().optional(),
  pause: z.union([z.number(), z.string()]).optional(),
  name: z.string().min(1).optional(),
  update: z.custom<BackfillOptions['update']>((value) => typeof value === 'function', 'update is a function'),
})

interface ParsedOptions extends Pick<BackfillOptions, 'update' | 'name' | 'table'> {
  readonly request: BackfillRequest
}

function parseOptions(given: unknown): ParsedOptions {
  const parsed = optionsSchema.safeParse(given)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw refused(`backfill: ${issue?.path.join('.')} ${issue?.message}`.replace('  ', ' '), notBegun)
  }
  const { table, key, batch = defaultBatch, pause = 0, name, update } = parsed.data
  const parts = [parseTable(table), parseBatch(batch), parsePause(pause)] as const
  const problem = parts.find((part) => typeof part === 'string')
  const [place, rows, pauseMs] = parts
  if (typeof place === 'string' || typeof rows === 'string' || typeof pauseMs === 'string')
    throw refused(`backfill: ${problem}`, notBegun)
  const request = { table: place, key: typeof key === 'string' ? [key] : key, batch: rows, pauseMs }
  return { request, table, update, ...(name === undefined ? {} : { name }) }
}

async function runOptions(
  { request, update }: ParsedOptions,
  name: string,
  environment: PieceEnvironment,
  inside: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<Walked> {
  const { session, run, step, number, context } = environment
  const table = await findWalkedTable(session, run.schema, request)
  if (typeof table === 'string') throw refused(table, notBegun)
  context.progress.step(`backfilling ${table.name} by ${request.key.join(', ')} for ${step.migration.id}`)
  const { kyselyInTransaction } = await import('../../database/kysely-on.js')
  const db = kyselyInTransaction(session)
  const walk = {
    ...environment,
    identity: {
      place: run.facts.place,
      version: step.migration.version,
      direction: step.direction,
      step: `backfill ${name}`,
      statement: number,
    },
    table,
    batch: request.batch,
    pauseMs: request.pauseMs,
    checksum: createHash('sha256').update(update.toString()).digest('hex').slice(0, 16),
    preserve: run.preserve,
    changes: step.script.directives.changes,
    deletes: false,
    work: (range: Range) =>
      inside(async () => countOf(await update({ sql: session, db }, batchOf(session, table, range)))),
  }
  return walkTable(session, walk, context)
}

function countOf(result: unknown): number {
  const count: unknown = typeof result === 'object' && result !== null ? Reflect.get(result, 'count') : undefined
  return typeof count === 'number' ? count : 0
}

/** There is no key before the first, and every key is greater than all of none. */
function batchOf(session: Session, table: WalkedTable, range: Range): Batch {
  const nulls = table.key.map((column) => `null::${column.type}`).join(', ')
  const after = range.fromFirst ? `all (select ${nulls} where false)` : keyValues(table, range.after)
  const condition = rangeCondition(table, range)
  return {
    condition,
    where: session.unsafe(condition),
    after: session.unsafe(after),
    upTo: session.unsafe(keyValues(table, range.upTo)),
  }
}
