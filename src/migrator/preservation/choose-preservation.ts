import type { TableInfo } from '../../database/tables.js'

/** `hashes` compares every value, `counts` only the number of rows. */
export type PreservationMode = 'hashes' | 'counts' | 'off'

/** Rows above which every value is no longer compared unless somebody asks for it. */
const hashLimit = 5_000_000

/** How existing data is compared, and why so. */
export interface PreservationChoice {
  readonly mode: PreservationMode
  /** Completes "compared by hashes because …". */
  readonly because: string
}

/** The mode that is asked for, else the one that suits the amount of data: every value up to five million rows. */
export function choosePreservation(wanted: PreservationMode | undefined, rows: number): PreservationChoice {
  if (wanted) return { mode: wanted, because: `--preserve ${wanted} asks for it` }
  const held = `the tables hold about ${countWords(rows)} ${rows === 1 ? 'row' : 'rows'}`
  if (rows <= hashLimit) return { mode: 'hashes', because: `${held}, no more than ${countWords(hashLimit)}` }
  return { mode: 'counts', because: `${held}, more than ${countWords(hashLimit)}` }
}

function countWords(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** Rows of all the tables together, by the planner's statistics. */
export function rowsIn(tables: readonly TableInfo[]): number {
  return tables.reduce((sum, table) => sum + table.estimatedRows, 0)
}
