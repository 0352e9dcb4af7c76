import type { Fingerprint } from '../../database/fingerprint.js'
import { quoteIdentifier } from '../../database/quote.js'
import type { TableInfo } from '../../database/tables.js'
import type { Directives, Target } from '../files/directives.js'
import type { Direction } from '../migration.js'
import type { Loss, TableReceipt } from './receipt.js'
import type { Snapshot } from './snapshots.js'

/** The state after a migration, with the columns under the names they had before. */
export interface Aftermath {
  readonly rows: number
  /** Hashes over the rows that were there before, or over all rows when those cannot be told apart. */
  readonly columns: Readonly<Record<string, string>>
  readonly wholeRows: string | null
  /** The rows that were there before could be found among more rows. */
  readonly oldRowsFound: boolean
  readonly gone: readonly string[]
  /** False when a column that tells the rows apart is gone. */
  readonly comparable: boolean
}

export interface Verdict {
  readonly receipt: TableReceipt
  readonly losses: readonly Loss[]
}

/** Decides what was lost of one table, given what its file declares; pure. */
export function judgeTable(
  { table, print, types }: Snapshot,
  after: Aftermath | undefined,
  { directives, direction }: { readonly directives: Directives; readonly direction: Direction },
): Verdict {
  const mayChange = (column?: string) => declares(directives.changes, table.name, column)
  const mayDrop = (column?: string) =>
    direction === 'down' || print.rows === 0 || declares(directives.drops, table.name, column)
  const losses: Loss[] = []
  const dropped = after ? after.gone.map((column) => `${table.name}.${column}`) : [table.name]
  if (!after && !mayDrop()) losses.push(tableLoss(table.name, print.rows))
  for (const column of after?.gone ?? []) if (!mayDrop(column)) losses.push(columnLoss(table.name, column))
  if (after && !mayChange()) losses.push(...valueLosses(table, print, after, mayChange))
  const declared = directives.changes.filter((target) => target.table === table.name).map(targetName)
  const compared = comparedColumns(after, mayChange)
  return {
    losses,
    receipt: {
      table: table.name,
      rows_before: print.rows,
      rows_after: after?.rows ?? null,
      columns_compared: compared.length,
      identical: after !== undefined && valueLosses(table, print, after, () => false).length === 0,
      high_water: print.highWater,
      identity: print.identity,
      columns: Object.fromEntries(compared.map((name) => [name, print.columns[name] ?? ''])),
      types,
      declared,
      dropped,
    },
  }
}

function comparedColumns(after: Aftermath | undefined, mayChange: (column?: string) => boolean): readonly string[] {
  if (!after?.comparable || mayChange()) return []
  return Object.keys(after.columns).filter((column) => !mayChange(column))
}

function valueLosses(
  table: TableInfo,
  print: Fingerprint,
  after: Aftermath,
  mayChange: (column?: string) => boolean,
): readonly Loss[] {
  const name = table.name
  const directive = `changes ${targetName({ table: name, column: undefined })}`
  const rows = { before: `${print.rows} rows`, after: `${after.rows} rows` }
  if (after.rows < print.rows) return [{ table: name, ...rows, directive }]
  const hashed = Object.keys(after.columns).length > 0
  if (hashed && !after.oldRowsFound) return [{ table: name, ...rows, directive }]
  if (hashed && !after.comparable) {
    return [
      {
        table: name,
        before: `rows told apart by ${print.identity.join(', ')}`,
        after: 'rows that cannot be compared',
        directive,
      },
    ]
  }
  const changed = Object.keys(after.columns).filter((column) => after.columns[column] !== print.columns[column])
  const losses = changed.filter((column) => !mayChange(column)).map((column) => changedLoss(name, column))
  const rowsDiffer = changed.length === 0 && after.gone.length === 0 && after.wholeRows !== print.wholeRows
  if (rowsDiffer) losses.push({ table: name, before: 'rows', after: 'the same values in other rows', directive })
  return losses
}

function tableLoss(table: string, rows: number): Loss {
  return {
    table,
    before: `${rows} rows`,
    after: 'the table is gone',
    directive: `drops ${targetName({ table, column: undefined })}`,
  }
}

function columnLoss(table: string, column: string): Loss {
  return {
    table,
    column,
    before: 'values',
    after: 'the column is gone',
    directive: `drops ${targetName({ table, column })}`,
  }
}

function changedLoss(table: string, column: string): Loss {
  return {
    table,
    column,
    before: 'values',
    after: 'other values',
    directive: `changes ${targetName({ table, column })}`,
  }
}

/** A directive on the whole table covers each of its columns. */
function declares(targets: readonly Target[], table: string, column?: string): boolean {
  return targets.some((target) => target.table === table && (target.column === undefined || target.column === column))
}

function targetName({ table, column }: Target): string {
  return column === undefined ? bareName(table) : `${bareName(table)}.${bareName(column)}`
}

/** As a directive writes it: in quotes only where SQL needs them. */
function bareName(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoteIdentifier(name)
}
