import type { Prints, SequencePrints, TablePrint } from './prints.js'

/** Something that was in the database and is not there any more. */
export interface Loss {
  /** `schema.table` or the path of a sequence. */
  readonly table: string
  readonly column?: string
  /** `table` and `column` are gone with what they held; of `rows` some are gone; `values` are others. */
  readonly what: 'table' | 'column' | 'rows' | 'values' | 'sequence'
  /** How many rows it concerns. */
  readonly rows: number
}

/** What of `before` is not in `after`; rows that came on top do not count. */
export function findLosses(before: Prints, after: Prints): readonly Loss[] {
  return [...before.values()].flatMap((print) => lossesOf(print, after.get(print.table.path)))
}

function lossesOf(before: TablePrint, after: TablePrint | undefined): readonly Loss[] {
  const table = before.table.path
  if (before.rows.length === 0) return []
  if (!after) return [{ table, what: 'table', rows: before.rows.length }]
  const kept = before.table.columns.filter((column) => after.table.columns.includes(column))
  const dropped = before.table.columns.filter((column) => !kept.includes(column))
  const gone = dropped.flatMap((column): readonly Loss[] => {
    const rows = before.rows.filter((row) => at(before, row, column) !== 'null').length
    return rows > 0 ? [{ table, column, what: 'column', rows }] : []
  })
  const keyed = before.table.key.length > 0 && before.table.key.every((column) => kept.includes(column))
  return [...gone, ...(keyed ? keyedLosses(before, after, kept) : multisetLosses(before, after, kept))]
}

function keyedLosses(before: TablePrint, after: TablePrint, kept: readonly string[]): readonly Loss[] {
  const table = before.table.path
  const keyOf = (print: TablePrint, row: readonly string[]) =>
    before.table.key.map((column) => at(print, row, column)).join()
  const later = new Map(after.rows.map((row) => [keyOf(after, row), row]))
  const pairs = before.rows.map((row) => ({ row, now: later.get(keyOf(before, row)) }))
  const missing = pairs.filter((pair) => pair.now === undefined).length
  const lost: readonly Loss[] = missing > 0 ? [{ table, what: 'rows', rows: missing }] : []
  const changed = kept.flatMap((column): readonly Loss[] => {
    const rows = pairs.filter(({ row, now }) => now && at(before, row, column) !== at(after, now, column)).length
    return rows > 0 ? [{ table, column, what: 'values', rows }] : []
  })
  return [...lost, ...changed]
}

/** Rows without a key are alike when all their values are. */
function multisetLosses(before: TablePrint, after: TablePrint, kept: readonly string[]): readonly Loss[] {
  const table = before.table.path
  const missing = missingFrom(before, after, kept)
  if (missing === 0) return []
  if (after.rows.length < before.rows.length) {
    return [{ table, what: 'rows', rows: before.rows.length - after.rows.length }]
  }
  const columns = kept.flatMap((column): readonly Loss[] => {
    const rows = missingFrom(before, after, [column])
    return rows > 0 ? [{ table, column, what: 'values', rows }] : []
  })
  return columns.length > 0 ? columns : [{ table, what: 'values', rows: missing }]
}

function missingFrom(before: TablePrint, after: TablePrint, columns: readonly string[]): number {
  const textOf = (print: TablePrint, row: readonly string[]) => columns.map((column) => at(print, row, column)).join()
  const left = new Map<string, number>()
  for (const row of after.rows) {
    const text = textOf(after, row)
    left.set(text, (left.get(text) ?? 0) + 1)
  }
  let missing = 0
  for (const row of before.rows) {
    const text = textOf(before, row)
    const count = left.get(text) ?? 0
    if (count === 0) missing++
    else left.set(text, count - 1)
  }
  return missing
}

function at({ table }: TablePrint, row: readonly string[], column: string): string {
  return row[table.columns.indexOf(column)] ?? 'null'
}

/** Sequences that stand where they would give values a second time, or are gone. */
export function findSequenceLosses(before: SequencePrints, after: SequencePrints): readonly Loss[] {
  return [...before].flatMap(([path, last]): readonly Loss[] => {
    if (last === null) return []
    const now = after.get(path)
    const descending = last < 0n
    const back = now == null || (descending ? now > last : now < last)
    return back ? [{ table: path, what: 'sequence', rows: 1 }] : []
  })
}

/** The rows and columns of `print` that `base` has as well, so that what is new is left out of a comparison. */
export function restrictTo(prints: Prints, base: Prints): Prints {
  const restricted = new Map<string, TablePrint>()
  for (const [path, print] of prints) {
    const old = base.get(path)
    if (old) restricted.set(path, restrictTable(print, old))
  }
  return restricted
}

function restrictTable(print: TablePrint, old: TablePrint): TablePrint {
  const columns = print.table.columns.filter((column) => old.table.columns.includes(column))
  const key = old.table.key.filter((column) => columns.includes(column))
  const keyed = key.length > 0 && key.length === old.table.key.length
  const known = new Set(old.rows.map((row) => key.map((column) => at(old, row, column)).join()))
  const rows = print.rows
    .filter((row) => !keyed || known.has(key.map((column) => at(print, row, column)).join()))
    .map((row) => columns.map((column) => at(print, row, column)))
  return { table: { ...print.table, columns, key }, rows }
}

/** `pet.name`; `home` is the schema that goes without saying, quoted where SQL needs it. */
export function nameOfLoss({ table, column }: Loss, home: string): string {
  const short = table.startsWith(`${home}.`) ? table.slice(home.length + 1) : table
  return column === undefined ? short : `${short}.${/^[a-z_][a-z0-9_]*$/.test(column) ? column : `"${column}"`}`
}

/** A loss as a sentence. */
export function describeLoss(loss: Loss, home: string): string {
  const rows = `${loss.rows} ${loss.rows === 1 ? 'row' : 'rows'}`
  const name = nameOfLoss(loss, home)
  switch (loss.what) {
    case 'table':
      return `${name} is gone with ${rows}`
    case 'column':
      return `${name} is gone with its values in ${rows}`
    case 'rows':
      return `${name} has lost ${rows}`
    case 'values':
      return `${name} has other values in ${rows}`
    case 'sequence':
      return `the sequence ${name} would give values a second time`
  }
}
