import type { Session } from '../../database/connect.js'
import { fingerprintTable } from '../../database/fingerprint.js'
import { listTables, type TableInfo } from '../../database/tables.js'
import { PreservationError } from '../errors.js'
import type { Directives } from '../files/directives.js'
import type { Direction } from '../migration.js'
import { type Aftermath, judgeTable, type Verdict } from './judge-table.js'
import type { PreservationReceipt } from './receipt.js'
import { choiceOf, oidsOf, type PreservationRequest, type Snapshot } from './snapshots.js'
import { type Storage, storageOf } from './storage.js'

/**
 * Compares the tables with what was taken down before.
 *
 * @throws PreservationError naming everything that would be lost; the caller's transaction rolls it back.
 */
export async function comparePreserved(
  session: Session,
  request: PreservationRequest,
  snapshots: readonly Snapshot[],
  allowance: { readonly directives: Directives; readonly direction: Direction },
): Promise<PreservationReceipt> {
  if (snapshots.length === 0) return { mode: request.mode, tables: [] }
  const now = await listTables(session, request.schema, choiceOf(request, snapshots))
  const storage = await storageOf(session, request.schema, oidsOf(now))
  const verdicts: Verdict[] = []
  for (const snapshot of snapshots) {
    const survivor = findSurvivor(snapshot, now)
    const unwritten = survivor && isUnwritten(snapshot, survivor, storage.get(survivor.table.oid))
    const look = unwritten ? asBefore : retake
    const after = survivor && (await look(session, request, snapshot, survivor))
    verdicts.push(judgeTable(snapshot, after, allowance))
  }
  const losses = verdicts.flatMap((verdict) => verdict.losses)
  if (losses.length > 0) throw new PreservationError(losses)
  return { mode: request.mode, tables: verdicts.map((verdict) => verdict.receipt) }
}

/** Then its rows are what they were, and reading them again would tell nothing new. */
function isUnwritten({ table, storage }: Snapshot, survivor: Survivor, now: Storage | undefined): boolean {
  const typeNow = (name: string | undefined) => survivor.table.columns.find((column) => column.name === name)?.type
  const sameType = ({ name, type }: TableInfo['columns'][number]) => {
    const current = survivor.columns.get(name)
    return current === undefined || typeNow(current) === type
  }
  const known = storage?.rows ?? null
  return known !== null && known === now?.rows && table.columns.every(sameType)
}

/** The state after a migration that wrote none of the table's rows. */
async function asBefore(
  _session: Session,
  { mode }: PreservationRequest,
  { table, print }: Snapshot,
  survivor: Survivor,
): Promise<Aftermath> {
  const kept = table.columns.map((column) => column.name).filter((name) => survivor.columns.get(name) !== undefined)
  return {
    rows: print.rows,
    columns: Object.fromEntries((mode === 'hashes' ? kept : []).map((name) => [name, print.columns[name] ?? ''])),
    wholeRows: print.wholeRows,
    oldRowsFound: true,
    gone: table.columns.map((column) => column.name).filter((name) => !kept.includes(name)),
    comparable: true,
  }
}

/** A renamed table keeps its OID; one that was made anew under the old name keeps the name. */
function findSurvivor({ table }: Snapshot, now: readonly TableInfo[]): Survivor | undefined {
  const same = now.find((other) => other.oid === table.oid)
  const found = same ?? now.find((other) => other.name === table.name)
  if (!found) return undefined
  const nameNow = (column: TableInfo['columns'][number]) =>
    found.columns.find((other) => (same ? other.number === column.number : other.name === column.name))?.name
  return { table: found, columns: new Map(table.columns.map((column) => [column.name, nameNow(column)])) }
}

interface Survivor {
  readonly table: TableInfo
  /** Name before to name now; undefined for a column that is gone. */
  readonly columns: ReadonlyMap<string, string | undefined>
}

async function retake(
  session: Session,
  request: PreservationRequest,
  { table, print, types }: Snapshot,
  survivor: Survivor,
): Promise<Aftermath> {
  const kept = table.columns.filter((column) => survivor.columns.get(column.name) !== undefined)
  const nameNow = (name: string) => survivor.columns.get(name) ?? name
  const comparable = print.identity.every((name) => survivor.columns.get(name) !== undefined)
  const ask = {
    schema: request.schema,
    table: survivor.table.name,
    columns: request.mode === 'hashes' ? kept.map((column) => nameNow(column.name)) : [],
    identity: comparable ? print.identity.map(nameNow) : [],
    types: Object.fromEntries(Object.entries(types).map(([name, type]) => [nameNow(name), type])),
  }
  const all = await fingerprintTable(session, ask)
  const old = all.rows > print.rows ? await fingerprintTable(session, { ...ask, where: olderThanThisTransaction }) : all
  const oldRowsFound = old.rows === print.rows
  const chosen = oldRowsFound ? old : all
  const hashOf = (name: string) => chosen.columns[nameNow(name)] ?? ''
  return {
    rows: all.rows,
    columns: Object.fromEntries(
      (request.mode === 'hashes' ? kept : []).map((column) => [column.name, hashOf(column.name)]),
    ),
    wholeRows: chosen.wholeRows,
    oldRowsFound,
    gone: table.columns.filter((column) => !kept.includes(column)).map((column) => column.name),
    comparable,
  }
}

/**
 * Rows that no part of this transaction has written. The tables were locked before the
 * transaction was given its number, so every row with a younger number is its own work.
 */
const olderThanThisTransaction = 'age(xmin) > age(pg_current_xact_id()::xid)'
