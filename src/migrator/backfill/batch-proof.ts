import type { Session } from '../../database/connect.js'
import { type Fingerprint, fingerprintTable } from '../../database/fingerprint.js'
import { PreservationError } from '../errors.js'
import type { Target } from '../files/directives.js'
import type { PreservationMode } from '../preservation/choose-preservation.js'
import type { Loss } from '../preservation/receipt.js'
import { type Range, rangeCondition } from './key-sql.js'
import type { WalkedTable } from './walked-table.js'

/** What is compared before and after a batch. */
export interface BatchProof {
  readonly table: WalkedTable
  readonly range: Range
  readonly mode: PreservationMode
  readonly changes: readonly Target[]
}

/**
 * Does a batch and compares its rows of the walked table with what they were before: all
 * are there still, and in mode `hashes` every value that was not declared is the same.
 *
 * Both looks are at one snapshot and the transaction's own work, so what others write
 * meanwhile makes no difference. The caller's transaction has to be `repeatable read`.
 *
 * @throws PreservationError when something else changed; the caller rolls the batch back.
 */
export async function proveBatch<T>(session: Session, proof: BatchProof, work: () => Promise<T>): Promise<T> {
  const columns = comparedColumns(proof)
  if (!columns) return work()
  const before = await take(session, proof, columns)
  const value = await work()
  const after = await take(session, proof, columns)
  const losses = lossesBetween(proof.table.name, before, after)
  if (losses.length > 0) throw new PreservationError(losses, 'This batch was rolled back; those before it stay.')
  return value
}

/** The columns to hash, none where only rows are counted; undefined when there is nothing to compare. */
export function comparedColumns({
  table,
  mode,
  changes,
}: Pick<BatchProof, 'table' | 'mode' | 'changes'>): readonly string[] | undefined {
  const own = changes.filter((target) => target.table === table.name)
  if (mode === 'off' || own.some((target) => target.column === undefined)) return undefined
  return mode === 'hashes' ? table.columns.filter((column) => !own.some((target) => target.column === column)) : []
}

function take(session: Session, { table, range }: BatchProof, columns: readonly string[]): Promise<Fingerprint> {
  return fingerprintTable(session, {
    schema: table.schema,
    table: table.name,
    columns,
    identity: table.key.map((column) => column.name),
    where: rangeCondition(table, range),
  })
}

function lossesBetween(table: string, before: Fingerprint, after: Fingerprint): readonly Loss[] {
  if (before.rows !== after.rows) {
    return [{ table, before: `${before.rows} rows`, after: `${after.rows} rows`, directive: `changes ${table}` }]
  }
  return Object.keys(before.columns)
    .filter((column) => before.columns[column] !== after.columns[column])
    .map((column) => ({
      table,
      column,
      before: 'values',
      after: 'other values',
      directive: `changes ${table}.${column}`,
    }))
}
