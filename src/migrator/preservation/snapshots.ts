import type { RunContext } from '../../context.js'
import type { Session } from '../../database/connect.js'
import { type Fingerprint, fingerprintTable } from '../../database/fingerprint.js'
import { quoteQualified } from '../../database/quote.js'
import { listTables, type TableInfo } from '../../database/tables.js'
import type { PreservationMode } from './choose-preservation.js'
import { type Storage, storageOf } from './storage.js'
import type { TableName } from './touched-tables.js'

/** What was taken down about a table before the migration. */
export interface Snapshot {
  readonly table: TableInfo
  readonly print: Fingerprint
  /** The types by which its columns were hashed as values; empty when all were hashed as text. */
  readonly types: Readonly<Record<string, string>>
  /** Undefined when writing cannot be told from it. */
  readonly storage: Storage | undefined
}

export interface PreservationRequest {
  readonly schema: string
  readonly mode: PreservationMode
  readonly touched: readonly TableName[] | 'all'
  /** The migration leaves the types of columns as they are, so that values need not be written as text to be compared. */
  readonly keepsTypes: boolean
}

/**
 * Takes down what the tables hold that a migration may touch, inside its transaction.
 *
 * The tables are locked against writers first: otherwise a row that somebody else
 * inserts meanwhile would look like the migration's doing.
 */
export async function takeSnapshots(
  session: Session,
  request: PreservationRequest,
  { progress }: RunContext,
): Promise<readonly Snapshot[]> {
  if (request.mode === 'off' || touchesNothing(request)) return []
  const tables = (await listTables(session, request.schema, choiceOf(request))).filter((table) => table.alterable)
  if (tables.length === 0) return []
  const names = tables.map((table) => quoteQualified(request.schema, table.name))
  await session.unsafe(`lock table ${names.join(', ')} in share mode`)
  const storage = await storageOf(session, request.schema, oidsOf(tables))
  const snapshots: Snapshot[] = []
  for (const [i, table] of tables.entries()) {
    const types = request.keepsTypes ? typesOf(table) : {}
    const print = await take(session, request, table, types)
    snapshots.push({ table, print, types, storage: storage.get(table.oid) })
    progress.advance(i + 1, tables.length, 'tables fingerprinted')
  }
  return snapshots
}

export function oidsOf(tables: readonly TableInfo[]): readonly number[] {
  return tables.map((table) => table.oid)
}

function touchesNothing({ touched }: PreservationRequest): boolean {
  return touched !== 'all' && touched.length === 0
}

/** The tables that a migration may touch; afterwards also those that were taken down, whatever they are called now. */
export function choiceOf({ schema, touched }: PreservationRequest, snapshots: readonly Snapshot[] = []) {
  if (touched === 'all') return undefined
  const names = touched.filter((one) => (one.schema ?? schema) === schema).map((one) => one.table)
  const before = snapshots.map(({ table }) => table)
  return { names: [...names, ...before.map((table) => table.name)], oids: before.map((table) => table.oid) }
}

function typesOf(table: TableInfo): Readonly<Record<string, string>> {
  return Object.fromEntries(table.columns.map(({ name, type }) => [name, type]))
}

async function take(
  session: Session,
  { schema, mode }: PreservationRequest,
  table: TableInfo,
  types: Snapshot['types'],
): Promise<Fingerprint> {
  const columns = mode === 'hashes' ? table.columns.map((column) => column.name) : []
  const hasId = table.columns.some((column) => column.name === 'id' && column.type === 'bigint')
  return fingerprintTable(session, {
    schema,
    table: table.name,
    columns,
    identity: table.primaryKey,
    types,
    ...(hasId ? { highWater: 'id' } : {}),
  })
}
