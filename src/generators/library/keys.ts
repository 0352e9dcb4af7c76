import { streamKey } from '../random.js'
import { type CompiledColumn, type CompiledTable, isDistinct } from './compile.js'
import type { Finite } from './generator.js'
import { permutation } from './permutation.js'
import type { Problem } from './spec.js'

/**
 * Sees to it that no two rows agree in a key, by construction.
 *
 * A key that has a distinct column is met. Otherwise columns whose values can be counted
 * are taken over: together they have so many combinations, and row n gets the nth of a
 * permutation of them. For rows counted per parent, the combinations are permuted anew
 * within every parent. Returns the keys that cannot be met.
 */
export function assignKeys(table: CompiledTable, seed: number): readonly Problem[] {
  const { catalog, spec } = table
  const met: (readonly string[])[] = []
  const meets = (columns: readonly string[]): Shortage | undefined => {
    // More columns tell rows apart all the more.
    if (met.some((key) => key.every((name) => columns.includes(name)))) return undefined
    const reason = meet(table, columns, seed)
    if (reason === undefined) met.push(columns)
    return reason
  }
  const firm = [...catalog.uniques, ...(spec.unique ?? [])].filter((columns) => columns.length > 0)
  const open = [...firm].sort((a, b) => a.length - b.length).filter((columns) => meets(columns) !== undefined)
  // A template may lean on a column that another key has made distinct.
  const problems = open.flatMap((columns) => {
    const shortage = meets(columns)
    return shortage === undefined ? [] : [{ path: pathOf(table, columns), ...shortage }]
  })
  for (const columns of catalog.looseUniques) meets(columns)
  return problems
}

interface Shortage {
  readonly message: string
  readonly capacity: number
}

function pathOf(table: CompiledTable, columns: readonly string[]): readonly string[] {
  const [only] = columns
  if (columns.length === 1 && only !== undefined) return ['tables', table.name, 'columns', only]
  return ['tables', table.name, 'columns']
}

/** Undefined when the key is met, else why it cannot be. */
function meet(table: CompiledTable, names: readonly string[], seed: number): Shortage | undefined {
  const members = names.map((name) => table.columns.get(name))
  // What the plan does not fill is left to the server, which counts or computes it.
  if (members.includes(undefined)) return undefined
  const columns = members.filter((column) => column !== undefined)
  if (table.rows <= 1 || columns.some(isDistinct)) return undefined
  const inParent = columns.some(({ built }) => built.role === 'parent')
  if (inParent && columns.some(({ built }) => built.role === 'nth')) return undefined
  const needed = inParent ? (table.parent?.most ?? 0) : table.first + table.rows
  const chosen = choose(columns, needed)
  const size = productOf(chosen)
  if (size < needed) return { message: cannot(names, columns, size, needed, inParent), capacity: inParent ? 0 : size }
  takeOver(table, names, chosen, inParent, seed)
  return undefined
}

/** As few columns as have enough combinations, so that the others keep their shares. */
function choose(columns: readonly CompiledColumn[], needed: number): readonly CompiledColumn[] {
  const free = columns.filter(
    ({ built, isTaken, parsed }) => built.finite && !built.finite.isFixed && !isTaken && parsed.nulls < 1,
  )
  const bySize = [...free].sort((a, b) => sizeOf(b) - sizeOf(a))
  const chosen: CompiledColumn[] = []
  for (const column of bySize) {
    if (productOf(chosen) >= needed && chosen.length > 0) break
    chosen.push(column)
  }
  return chosen
}

function takeOver(
  table: CompiledTable,
  names: readonly string[],
  chosen: readonly CompiledColumn[],
  inParent: boolean,
  seed: number,
): void {
  const { parent, first } = table
  const mixed = permutation(streamKey('key', seed, table.name, ...names), productOf(chosen))
  const number =
    inParent && parent
      ? (row: number) => mixed.at(parent.nth(row), (first + parent.of(row)) >>> 0)
      : (row: number) => mixed.at(row)
  let below = 1
  for (const column of chosen) {
    const unit = below
    const finite = column.built.finite as Finite
    const pick = (row: number) => Math.floor(number(row) / unit) % finite.size
    below *= finite.size
    column.pick = pick
    column.value = (row) => (column.isNull(row) ? null : finite.at(pick(row)))
    const { refers } = column
    if (refers) column.refers = { rows: refers.rows, index: (row) => (column.isNull(row) ? undefined : pick(row)) }
    column.isTaken = true
    column.isKeyed = !inParent && chosen.length === 1
  }
}

function sizeOf({ built }: CompiledColumn): number {
  return built.finite?.size ?? 0
}

function productOf(columns: readonly CompiledColumn[]): number {
  return columns.reduce(
    (product, column) => Math.min(Number.MAX_SAFE_INTEGER, product * sizeOf(column)),
    columns.length > 0 ? 1 : 0,
  )
}

function cannot(
  names: readonly string[],
  columns: readonly CompiledColumn[],
  size: number,
  needed: number,
  inParent: boolean,
): string {
  const key = names.length === 1 ? 'is unique' : `the key (${names.join(', ')}) is unique`
  const who = columns.map(
    ({ parsed, built }) =>
      `"${parsed.generator.name}" ${built.finite ? `has ${built.finite.size} values` : 'may repeat itself'}`,
  )
  const rows = inParent ? `${needed} rows of one parent` : `${needed} rows`
  const found = size > 0 ? `${size} different values for ${rows}` : `no promise of different values for ${rows}`
  return `${key}, and there ${size > 0 ? 'are' : 'is'} ${found}: ${who.join(', ')}; take sequence, uuid, pattern, integer or a template with {row}`
}
