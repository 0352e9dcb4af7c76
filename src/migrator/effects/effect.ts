import type { TableName } from '../preservation/touched-tables.js'
import { tableText } from '../statements/tree.js'
import { type LockMode, lockModes, type StatementEffect, type TableLock } from './effects.js'

type Parts = Partial<Omit<StatementEffect, 'kind'>>

/** An effect of `kind` that does nothing but what `parts` say. */
export function effect(kind: string, parts: Parts = {}): StatementEffect {
  return {
    kind,
    locks: strongest(parts.locks ?? []),
    rewrites: distinct(parts.rewrites ?? []),
    scans: distinct(parts.scans ?? []),
    destroys: parts.destroys ?? [],
    opaque: parts.opaque ?? false,
  }
}

/** The same lock on each of the tables. */
export function lock(mode: LockMode, ...tables: readonly (TableName | undefined)[]): readonly TableLock[] {
  return tables.filter((table) => table !== undefined).map((table) => ({ table, mode }))
}

/** Each table once, with the strongest of its locks, in the order of the text. */
export function strongest(locks: readonly TableLock[]): readonly TableLock[] {
  const found = new Map<string, TableLock>()
  for (const one of locks) {
    const before = found.get(tableText(one.table))
    if (!before || lockModes.indexOf(one.mode) > lockModes.indexOf(before.mode)) found.set(tableText(one.table), one)
  }
  return [...found.values()]
}

export function distinct(tables: readonly TableName[]): readonly TableName[] {
  return [...new Map(tables.map((table) => [tableText(table), table])).values()]
}
