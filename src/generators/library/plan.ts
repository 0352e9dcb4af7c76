import type { CopyBuffer } from '../copy-binary.js'
import type { Stretch } from '../pack.js'
import type { Expected } from './expected.js'

/** Everything there is to know about the values of a column; help, `--explain` and checks are derived from it. */
export interface ColumnDescription {
  readonly name: string
  /** The PostgreSQL type, for example `numeric(10,2)`. */
  readonly type: string
  /** The name of the generator. */
  readonly generator: string
  /** What the column holds, in one line. */
  readonly summary: string
  /** The generator's options, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>
  /** The share of rows that have null, 0 to 1. */
  readonly nulls: number
  /** No two rows have the same value, by construction. */
  readonly distinct: boolean
  readonly expected?: Expected | undefined
}

/** A table as it will be filled. */
export interface TableDescription {
  readonly table: string
  /** Undefined when it is known only once they are generated. */
  readonly rows: number | undefined
  /** Where the number comes from, in words. */
  readonly rowsFrom: string
  readonly timeColumn?: string | undefined
  /** Column lists whose values tell rows apart. */
  readonly keys: readonly (readonly string[])[]
  readonly columns: readonly ColumnDescription[]
}

/** A column that can be written; `Row` is what its table draws, the index of the row or a model of it. */
export interface ColumnPlan<Row> extends ColumnDescription {
  /** Writes the value of one row, or null, as exactly one field. */
  write(row: Row, target: CopyBuffer): void
}

/** A table that can be written. */
export interface TablePlan<Row> extends TableDescription {
  readonly columns: readonly ColumnPlan<Row>[]
  /**
   * The rows of a stretch, in order. The same object may be handed out again and again:
   * a row is written before the next one is drawn.
   */
  draw(stretch: Stretch): Iterable<Row>
}
