import { ObsError } from '../../errors.js'
import type { CopyBuffer } from '../copy-binary.js'
import type { Stretch } from '../pack.js'
import { type CompiledColumn, type CompiledTable, isDistinct } from './compile.js'
import { encoderFor, microsOf, ValueError } from './encoders.js'
import type { ColumnPlan, TablePlan } from './plan.js'
import type { RowsSpec } from './spec.js'

/** Fields that the server encoded, by `table.column` and the number of the value. */
export type Literals = ReadonlyMap<string, readonly Uint8Array[]>

/** A generator made a value that its column cannot hold. */
export class UnfitValueError extends ObsError {
  constructor(
    readonly table: string,
    readonly column: string,
    readonly row: number,
    reason: string,
  ) {
    super(`${table}.${column}: ${reason} (row ${row})`, {
      code: 'unfit_value',
      hint: `Correct the generator of ${column} in the plan; nothing was loaded.`,
      details: { table, column, row },
    })
  }
}

/** A compiled table as something that can be written and described. */
export function planOf(table: CompiledTable, literals: Literals): TablePlan<number> {
  const { name, spec, catalog, rows, columns } = table
  const keys = [...catalog.uniques, ...(spec.unique ?? [])]
  return {
    table: name,
    rows,
    rowsFrom: rowsInWords(spec.rows),
    timeColumn: timeColumnOf(table),
    keys,
    columns: [...columns.values()].map((column) => columnPlan(table, column, literals)),
    draw: (stretch) => rowsWithin(table, stretch),
  }
}

/** The column in whose order the rows are, so that a stretch of time is a stretch of rows. */
function timeColumnOf({ spec, columns }: CompiledTable): string | undefined {
  return (
    spec.time ??
    [...columns.values()].find(
      ({ built, column, parsed }) => isTime(column.typeName) && built.ascending === true && parsed.nulls === 0,
    )?.column.name
  )
}

function isTime(typeName: string): boolean {
  return typeName.startsWith('timestamp')
}

function* rowsWithin({ first }: CompiledTable, { from, to }: Stretch): Iterable<number> {
  for (let row = first + from; row < first + to; row++) yield row
}

/** The number of the first row, from 0, whose time is not before `time`, in milliseconds. */
export function firstRowAt(table: CompiledTable, column: string, time: number): number {
  const read = table.columns.get(column)
  let low = 0
  let high = table.rows
  while (low < high) {
    const middle = (low + high) >> 1
    if (microsOf(read?.value(table.first + middle) ?? 0) < time * 1000) low = middle + 1
    else high = middle
  }
  return low
}

function columnPlan(table: CompiledTable, compiled: CompiledColumn, literals: Literals): ColumnPlan<number> {
  const { column, parsed, built } = compiled
  return {
    name: column.name,
    type: column.typeName,
    generator: parsed.generator.name,
    summary: parsed.generator.summary,
    options: shownOptions(parsed.options),
    nulls: parsed.generator.name === 'null' ? 1 : parsed.nulls,
    distinct: isDistinct(compiled),
    expected: compiled.isTaken ? undefined : built.expected,
    write: writerOf(table.name, compiled, literals.get(`${table.name}.${column.name}`)),
  }
}

function writerOf(
  table: string,
  compiled: CompiledColumn,
  fields: readonly Uint8Array[] | undefined,
): (row: number, target: CopyBuffer) => void {
  const { column, isNull } = compiled
  if (fields) {
    return (row, target) => {
      const field = isNull(row) ? undefined : fields[compiled.pick?.(row) ?? 0]
      if (field && field.length > 0) target.bytes(field)
      else target.null()
    }
  }
  const encode = encoderFor(column.type)
  const refuse = (row: number, reason: string): never => {
    throw new UnfitValueError(table, column.name, row, reason)
  }
  return (row, target) => {
    const value = compiled.value(row)
    if (value === null || value === undefined) {
      if (column.notNull) refuse(row, 'null in a column that is NOT NULL')
      target.null()
      return
    }
    try {
      encode?.(value, target)
    } catch (error) {
      if (!(error instanceof ValueError)) throw error
      refuse(row, error.message)
    }
  }
}

/** Options as plain data. */
function shownOptions(options: unknown): Readonly<Record<string, unknown>> {
  return JSON.parse(
    JSON.stringify(options, (_, value: unknown) => (typeof value === 'function' ? '(a function)' : value)),
  ) as Record<string, unknown>
}

export function rowsInWords(rows: RowsSpec): string {
  if (typeof rows === 'number') return 'a number of the plan'
  if (typeof rows === 'function') return 'a function of the days'
  if ('perDay' in rows) return `${rows.perDay} a day`
  const { per, mean, spread, min, max } = rows
  const limits = [min === undefined ? '' : `at least ${min}`, max === undefined ? '' : `at most ${max}`].filter(Boolean)
  return [`${mean} for every row of ${per}${spread === 'fixed' ? '' : ` on average (${spread})`}`, ...limits].join(', ')
}
