import { joinRules, type SampleColumn, type SampleTable, type SampleType } from './model.js'

/**
 * A table that takes only rows that it will still take later, when it has become `later`.
 *
 * Whoever applies a migration that adds `not null` has no nulls there, so sample rows of
 * the time before it have none either. Columns are matched by name.
 *
 * @param present the tables that exist now, by path
 */
export function restrict(table: SampleTable, later: SampleTable, present: ReadonlySet<string>): SampleTable {
  const known = new Set(table.columns.map((column) => column.name))
  const here = (columns: readonly string[]) => columns.every((name) => known.has(name))
  const uniques = later.uniques.filter(
    (columns) => here(columns) && !table.uniques.some((own) => sameSet(own, columns)),
  )
  const keys = later.foreignKeys.filter(
    (key) => here(key.columns) && present.has(key.parent) && !table.foreignKeys.some((own) => sameKey(own, key)),
  )
  return {
    ...table,
    columns: table.columns.map((column) => restrictColumn(column, later)),
    uniques: [...table.uniques, ...uniques],
    foreignKeys: [...table.foreignKeys, ...keys.map((key) => ({ ...key, future: true }))],
  }
}

function restrictColumn(column: SampleColumn, later: SampleTable): SampleColumn {
  const then = later.columns.find((other) => other.name === column.name)
  if (!then) return column
  return {
    ...column,
    type: narrower(column.type, then.type),
    notNull: column.notNull || then.notNull,
    rules: joinRules(column.rules, then.rules),
  }
}

const numbers = ['int2', 'int4', 'int8', 'numeric', 'float4', 'float8']

/** Of two types the one whose values the other takes as well, as far as that is known. */
function narrower(now: SampleType, then: SampleType): SampleType {
  const [a, b] = [nameOf(now), nameOf(then)]
  if (isText(a)) return isText(b) && roomOf(then) >= roomOf(now) ? now : then
  const [i, j] = [numbers.indexOf(a), numbers.indexOf(b)]
  if (i >= 0 && j >= 0 && j < i) return then
  if (a === 'numeric' && b === 'numeric' && modifierOf(then) >= 4) return smallerNumeric(now, then)
  return now
}

/** The first 16 bits above the scale are the precision; fewer digits before and behind the point fit in more. */
function smallerNumeric(now: SampleType, then: SampleType): SampleType {
  return modifierOf(now) < 4 || modifierOf(then) < modifierOf(now) ? then : now
}

function nameOf(type: SampleType): string {
  return type.kind === 'base' ? type.name : type.kind
}

function modifierOf(type: SampleType): number {
  return type.kind === 'base' ? type.modifier : -1
}

function isText(name: string): boolean {
  return name === 'text' || name === 'varchar' || name === 'bpchar'
}

function roomOf(type: SampleType): number {
  return modifierOf(type) < 4 ? Number.POSITIVE_INFINITY : modifierOf(type)
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name))
}

function sameKey(a: { readonly columns: readonly string[]; readonly parent: string }, b: typeof a): boolean {
  return a.parent === b.parent && sameSet(a.columns, b.columns)
}
