import type { SampleTable } from '../samples/model.js'
import type { Problem } from './spec.js'

/** A foreign key between two tables of a plan. */
interface Edge {
  readonly child: string
  readonly parent: string
  readonly columns: readonly string[]
  readonly deferrable: boolean
}

/**
 * The order in which tables are loaded: those that others refer to first.
 *
 * A foreign key is in the way only while the plan fills all of its columns. In a circle, foreign keys that are checked at the end of the
 * transaction (DEFERRABLE) do not count; a circle without one is refused.
 *
 * @param filled the columns that the plan fills with values, by table.
 */
export function loadOrder(
  names: readonly string[],
  catalog: ReadonlyMap<string, SampleTable>,
  filled: (table: string, column: string) => boolean,
): { readonly order: readonly string[]; readonly problems: readonly Problem[] } {
  const edges = edgesOf(names, catalog, filled)
  const all = sort(names, edges)
  if (all.stuck.length === 0) return { order: all.order, problems: [] }
  const firm = sort(
    names,
    edges.filter(({ deferrable }) => !deferrable),
  )
  if (firm.stuck.length === 0) return { order: firm.order, problems: [] }
  const stuck = new Set(firm.stuck)
  const within = edges.filter(({ child, parent, deferrable }) => stuck.has(child) && stuck.has(parent) && !deferrable)
  const keys = within.map(({ child, columns, parent }) => `${child}.${columns.join(', ')} → ${parent}`)
  return {
    order: [...firm.order, ...firm.stuck],
    problems: [
      {
        path: ['tables', firm.stuck[0] ?? ''],
        message: `foreign keys form a circle: ${keys.join('; ')}; leave a column that may be null out of the plan, or make one of the keys DEFERRABLE`,
      },
    ],
  }
}

function edgesOf(
  names: readonly string[],
  catalog: ReadonlyMap<string, SampleTable>,
  filled: (table: string, column: string) => boolean,
): readonly Edge[] {
  const byPath = new Map(names.map((name) => [catalog.get(name)?.path ?? '', name]))
  return names.flatMap((child) =>
    (catalog.get(child)?.foreignKeys ?? []).flatMap(({ parent, columns, deferrable }) => {
      const name = byPath.get(parent)
      const counts = name !== undefined && name !== child && columns.every((column) => filled(child, column))
      return counts ? [{ child, parent: name, columns, deferrable }] : []
    }),
  )
}

function sort(
  names: readonly string[],
  edges: readonly Edge[],
): { readonly order: readonly string[]; readonly stuck: readonly string[] } {
  const open = new Set(names)
  const order: string[] = []
  for (let found = true; found; ) {
    found = false
    for (const name of open) {
      if (edges.some(({ child, parent }) => child === name && open.has(parent))) continue
      open.delete(name)
      order.push(name)
      found = true
    }
  }
  return { order, stuck: [...open] }
}
