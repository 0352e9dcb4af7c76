import type { RunContext } from '../context.js'
import { type Session, type Sql, throwIfAborted, withSession } from '../database/connect.js'
import { type CopyUnit, divide } from './copy-units.js'
import type { SourceTable } from './inventory.js'
import { inSnapshot, type Snapshot } from './snapshot.js'

/** Tables to be read by several sessions that see one snapshot. */
export interface Reading {
  /** Opens the sessions. */
  readonly sql: Sql
  readonly snapshot: Snapshot
  readonly tables: readonly SourceTable[]
  /** Sessions that read at a time. */
  readonly jobs: number
}

/**
 * Divides the rows of the tables into units and has the sessions take one after the other.
 *
 * A unit is one transaction, so that the locks of a session stay few however many tables there are.
 * A table that somebody waits to change is left to the snapshot's own session, which holds it already.
 */
export async function readInUnits<T>(
  { sql, snapshot, tables, jobs }: Reading,
  context: RunContext,
  read: (session: Session, unit: CopyUnit) => Promise<readonly T[]>,
): Promise<T[]> {
  const waiting = [...divide(tables)]
  const held: CopyUnit[] = []
  const results: T[] = []
  const sessions = Math.min(jobs, waiting.length)
  await together(sessions, (isOver) =>
    withSession(sql, (session) =>
      takeTurns(waiting, isOver, context, async (unit) => {
        const own = unit.parts.map(({ table }) => table)
        const found = await inSnapshot(session, snapshot, own, () => read(session, unit))
        if (found) results.push(...found)
        else held.push(unit)
      }),
    ),
  )
  await takeTurns(
    held,
    () => false,
    context,
    async (unit) => {
      results.push(...(await read(snapshot.session, unit)))
    },
  )
  return results
}

/**
 * Does the same work `times` over at once. When one fails the others are told, and are waited for, so that
 * nothing goes on behind the failure.
 */
export async function together(times: number, work: (isOver: () => boolean) => Promise<void>): Promise<void> {
  let over = false
  const all = Array.from({ length: times }, () =>
    work(() => over).catch((error: unknown) => {
      over = true
      throw error
    }),
  )
  await Promise.allSettled(all)
  await Promise.all(all)
}

/** Works off a queue that others share until it is empty or the work is over. */
export async function takeTurns<T>(
  queue: T[],
  isOver: () => boolean,
  { signal }: RunContext,
  work: (item: T) => Promise<void>,
): Promise<void> {
  for (let item = queue.shift(); item !== undefined && !isOver(); item = queue.shift()) {
    throwIfAborted(signal)
    await work(item)
  }
}
