import type { ForeignKey, SampleTable } from './model.js'

/** Tables that are filled one after the other; more than one when they refer to each other in a circle. */
export interface Batch {
  readonly tables: readonly SampleTable[]
  /**
   * The foreign keys of the circle that cannot be null, and are checked at the end of the
   * transaction: their values are promised before the rows exist.
   */
  readonly promised: readonly ForeignKey[]
}

/**
 * Decides in which order tables are filled: those that others refer to first.
 *
 * In a circle the foreign keys that may be null stay null until their parent has rows.
 * What is left is broken at a table all of whose open foreign keys are deferrable; where
 * there is none, the first in the list has to go without.
 */
export function fillOrder(tables: readonly SampleTable[]): readonly Batch[] {
  const open = new Map(tables.map((table) => [table.path, table]))
  const batches: Batch[] = []
  while (open.size > 0) {
    const waits = (table: SampleTable) =>
      hardKeys(table).filter((key) => key.parent !== table.path && open.has(key.parent))
    const waitsAtAll = (table: SampleTable) =>
      table.foreignKeys.some((key) => key.parent !== table.path && open.has(key.parent))
    const list = [...open.values()]
    const free = list.find((table) => !waitsAtAll(table)) ?? list.find((table) => waits(table).length === 0)
    const chosen = free ? [free] : circleOf(list, waits)
    for (const table of chosen) open.delete(table.path)
    const paths = new Set(chosen.map((table) => table.path))
    const promised = chosen.length === 1 ? [] : promisesOf(chosen, paths)
    batches.push({ tables: chosen, promised })
  }
  return batches
}

/** The foreign keys none of whose columns may be null. */
export function hardKeys(table: SampleTable): readonly ForeignKey[] {
  const required = new Set(table.columns.filter((column) => column.notNull).map((column) => column.name))
  return table.foreignKeys.filter((key) => !key.future && key.columns.every((column) => required.has(column)))
}

/** A circle that can be entered at its first table. */
function circleOf(
  list: readonly SampleTable[],
  waits: (table: SampleTable) => readonly ForeignKey[],
): readonly SampleTable[] {
  const circles = list.map((table) => circleFrom(table, list, waits)).filter((circle) => circle.length > 1)
  const enterable = circles.find(([first]) => first && waits(first).every((key) => key.deferrable))
  return enterable ?? circles[0] ?? list.slice(0, 1)
}

/** The table, and those it waits for that wait for it in turn, the last of them first. */
function circleFrom(
  start: SampleTable,
  list: readonly SampleTable[],
  waits: (table: SampleTable) => readonly ForeignKey[],
): readonly SampleTable[] {
  const parents = (table: SampleTable) =>
    waits(table).flatMap((key) => list.find((other) => other.path === key.parent) ?? [])
  const reach = (from: SampleTable) => {
    const seen = new Set<SampleTable>()
    const queue = [from]
    for (let next = queue.pop(); next; next = queue.pop()) {
      for (const parent of parents(next)) {
        if (seen.has(parent)) continue
        seen.add(parent)
        queue.push(parent)
      }
    }
    return seen
  }
  const mine = reach(start)
  if (!mine.has(start)) return []
  const others = list.filter((table) => table !== start && mine.has(table) && reach(table).has(start))
  return inTurn([start], others, waits)
}

/** Behind the ones that are settled, each where what it waits for comes before it, as far as that is possible. */
function inTurn(
  settled: readonly SampleTable[],
  rest: readonly SampleTable[],
  waits: (table: SampleTable) => readonly ForeignKey[],
): readonly SampleTable[] {
  if (rest.length === 0) return settled
  const waiting = new Set(rest.map((table) => table.path))
  const next = rest.find((table) => waits(table).every((key) => !waiting.has(key.parent))) ?? rest[0]
  return next
    ? inTurn(
        [...settled, next],
        rest.filter((table) => table !== next),
        waits,
      )
    : settled
}

function promisesOf(chosen: readonly SampleTable[], paths: ReadonlySet<string>): readonly ForeignKey[] {
  const filled = new Set<string>()
  const promised: ForeignKey[] = []
  for (const table of chosen) {
    promised.push(
      ...hardKeys(table).filter(
        (key) => paths.has(key.parent) && !filled.has(key.parent) && key.parent !== table.path && key.deferrable,
      ),
    )
    filled.add(table.path)
  }
  return promised
}
