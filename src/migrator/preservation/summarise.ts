import type { PreservationChoice } from './choose-preservation.js'
import type { PreservationReceipt } from './receipt.js'

/** The proof over a whole run, as the result of `up` shows it. */
export interface PreservationSummary extends PreservationChoice {
  readonly tables: readonly {
    readonly table: string
    readonly rows: number
    readonly columns: number
    readonly identical: boolean
  }[]
  /** Rows that existed before the run, over all tables it touched. */
  readonly rows: number
  /** Every value that existed before was compared and is there still. */
  readonly values_identical: boolean
  /** Tables and columns that existed before the run and are gone. */
  readonly dropped: readonly string[]
}

/**
 * Adds up the receipts of a run: the rows at its beginning, and what stayed identical
 * through every step.
 *
 * @param existing the tables that were there before the run; those it made itself prove nothing
 */
export function summarise(
  choice: PreservationChoice,
  receipts: readonly PreservationReceipt[],
  existing: ReadonlySet<string>,
): PreservationSummary {
  const tables = new Map<string, PreservationSummary['tables'][number]>()
  const relevant = receipts.flatMap((receipt) => receipt.tables).filter((one) => existing.has(one.table))
  for (const one of relevant) {
    const before = tables.get(one.table)
    tables.set(one.table, {
      table: one.table,
      rows: before?.rows ?? one.rows_before,
      columns: Math.min(before?.columns ?? one.columns_compared, one.columns_compared),
      identical: (before?.identical ?? true) && one.identical,
    })
  }
  const list = [...tables.values()]
  return {
    ...choice,
    tables: list,
    rows: list.reduce((sum, table) => sum + table.rows, 0),
    values_identical:
      choice.mode === 'hashes' &&
      receipts.every((one) => one.mode === 'hashes') &&
      list.every((table) => table.identical),
    dropped: relevant.flatMap((one) => one.dropped),
  }
}
