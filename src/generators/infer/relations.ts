import type { ForeignKey, SampleTable } from '../samples/model.js'
import { type Choice, isInKey } from './choose.js'

/** The tables that rows may refer to: by path, their names in the plan or in the schema. */
export type Parents = ReadonlyMap<string, string>

/** A foreign key that has to have a value and has nothing to refer to. */
export interface Orphan {
  readonly parent: string
}

/**
 * Generators for the columns of foreign keys.
 *
 * A key of several columns refers to one row with all of them. Where two keys share a column,
 * the one with more columns settles it, and the other refers to a row that agrees. Keys that
 * refer to the table itself come last, because a row cannot take from itself what it lacks.
 */
export function chooseReferences(table: SampleTable, parents: Parents): ReadonlyMap<string, Choice> | Orphan {
  const chosen = new Map<string, Choice>()
  const isOwn = (key: ForeignKey) => (key.parent === table.path ? 1 : 0)
  const keys = [...table.foreignKeys].sort((a, b) => isOwn(a) - isOwn(b) || b.columns.length - a.columns.length)
  for (const key of keys) {
    const free = key.columns.filter((column) => !chosen.has(column))
    if (free.length === 0) continue
    const parent = parents.get(key.parent)
    if (parent !== undefined) refer(table, key, parent, free, chosen)
    else if (free.every((column) => isRequired(table, column))) return { parent: key.parent }
    else leaveOut(table, key, free, chosen)
  }
  return chosen
}

function refer(
  table: SampleTable,
  key: ForeignKey,
  parent: string,
  free: readonly string[],
  chosen: Map<string, Choice>,
): void {
  const parentOf = (column: string) => key.parentColumns[key.columns.indexOf(column)] ?? ''
  const settled = key.columns.filter((column) => chosen.has(column))
  const where = Object.fromEntries(settled.map((column) => [parentOf(column), column]))
  const [anchor = '', ...others] = free
  const mayBeNull = free.every((column) => !isRequired(table, column) && !isInKey(table, column))
  const nulls = mayBeNull ? { nulls: key.parent === table.path ? 0.2 : 0.1 } : {}
  const agreeing = settled.length > 0 ? { where } : {}
  chosen.set(anchor, {
    spec: { generator: 'references', column: `${parent}.${parentOf(anchor)}`, ...agreeing, ...nulls },
    reason: `the foreign key ${key.name}`,
  })
  for (const column of others) {
    chosen.set(column, {
      spec: { generator: 'references', column: `${parent}.${parentOf(column)}`, with: anchor },
      reason: `the foreign key ${key.name}, together with ${anchor}`,
    })
  }
}

/** One null is enough for a foreign key not to be looked at. */
function leaveOut(table: SampleTable, key: ForeignKey, free: readonly string[], chosen: Map<string, Choice>): void {
  for (const column of free) {
    if (isRequired(table, column)) continue
    chosen.set(column, {
      spec: { generator: 'null' },
      reason: `the foreign key ${key.name} has no rows of ${key.parent} to refer to`,
    })
  }
}

function isRequired(table: SampleTable, name: string): boolean {
  return table.columns.some((column) => column.name === name && column.notNull)
}
