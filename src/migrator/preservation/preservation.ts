import type { RunContext } from '../../context.js'
import type { Session } from '../../database/connect.js'
import { type Fingerprint, fingerprintTable } from '../../database/fingerprint.js'
import { quoteIdentifier, quoteQualified } from '../../database/quote.js'
import { listTables, type TableInfo } from '../../database/tables.js'
import { PreservationError } from '../errors.js'
import type { Directives, Target } from '../files/directives.js'
import type { Direction } from '../migration.js'
import { type Storage, storageOf } from './storage.js'
import type { TableName } from './touched-tables.js'

/** `hashes` compares every value, `counts` only the number of rows. */
export type PreservationMode = 'hashes' | 'counts' | 'off'

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

function oidsOf(tables: readonly TableInfo[]): readonly number[] {
  return tables.map((table) => table.oid)
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

interface Verdict {
  readonly receipt: TableReceipt
  readonly losses: readonly Loss[]
}

/** Decides what was lost of one table, given what its file declares; pure. */
function judgeTable(
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

function touchesNothing({ touched }: PreservationRequest): boolean {
  return touched !== 'all' && touched.length === 0
}

/** The tables that a migration may touch; afterwards also those that were taken down, whatever they are called now. */
function choiceOf({ schema, touched }: PreservationRequest, snapshots: readonly Snapshot[] = []) {
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
