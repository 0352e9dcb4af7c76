import type { PreservationMode } from './choose-preservation.js'

/** What one migration did to one table that existed before it. */
export interface TableReceipt {
  readonly table: string
  readonly rows_before: number
  /** Null when the table was dropped. */
  readonly rows_after: number | null
  readonly columns_compared: number
  /** Every row and every compared value that was there before is there after. */
  readonly identical: boolean
  /** Greatest `id` before the migration, so that the same rows can be found again later. */
  readonly high_water: string | null
  readonly identity: readonly string[]
  /** Hash per surviving column over the rows that were there before. */
  readonly columns: Readonly<Record<string, string>>
  /** The types by which columns were hashed as values; empty when all were hashed as text. */
  readonly types: Readonly<Record<string, string>>
  /** What the file declared with `changes` or `drops`. */
  readonly declared: readonly string[]
  /** Tables and columns that are gone, `table` or `table.column`. */
  readonly dropped: readonly string[]
}

/** Kept with the history row of the migration. */
export interface PreservationReceipt {
  readonly mode: PreservationMode
  readonly tables: readonly TableReceipt[]
}

/** Something that was there before a migration and is not there after it. */
export interface Loss {
  readonly table: string
  readonly column?: string
  readonly before: string
  readonly after: string
  /** The directive that would allow it. */
  readonly directive: string
}
