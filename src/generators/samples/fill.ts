import { type Session, throwIfAborted, withTransaction } from '../../database/connect.js'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../database/quote.js'
import type { ForeignKey, SampleTable } from './model.js'
import { type Batch, fillOrder, hardKeys } from './order.js'
import { attempts, isNoRow, promisedValue, type Row, type Surroundings, sampleRow, sampleRows } from './rows.js'

export interface FillRequest {
  /** How many rows a table is to have in the end. */
  readonly rows: number
  readonly seed: number
  /** `plain` rows have no nulls and no values at the edge of their type. */
  readonly style: 'mixed' | 'plain'
  readonly signal: AbortSignal
}

/** What came of one table. */
export interface Filled {
  /** `schema.table`, with quotes where SQL needs them. */
  readonly table: string
  /** Rows added. */
  readonly rows: number
  /** Why it has fewer than were asked for; undefined when it has all. */
  readonly reason: string | undefined
}

/**
 * Adds sample rows to tables, parents before children, in one transaction.
 *
 * All rows of a table go in with one statement. If the server refuses it, they go in one
 * by one, each refused row is made anew, plainer each time, and a table that takes none
 * is reported with what the server said. The triggers of the tables fire.
 */
export async function fillTables(
  session: Session,
  tables: readonly SampleTable[],
  request: FillRequest,
): Promise<readonly Filled[]> {
  return withTransaction(session, async () => {
    const filled: Filled[] = []
    for (const batch of fillOrder(tables)) {
      throwIfAborted(request.signal)
      filled.push(
        ...(batch.promised.length > 0
          ? await fillCircle(session, batch, request)
          : await fillEach(session, batch, request)),
      )
    }
    return filled
  })
}

async function fillEach(session: Session, batch: Batch, request: FillRequest): Promise<readonly Filled[]> {
  const filled: Filled[] = []
  for (const table of batch.tables) filled.push(await fillTable(session, table, request, nothingPromised, true))
  return filled
}

interface Promises {
  /** The keys that the children of a circle refer to before they exist. */
  readonly parents: ReadonlyMap<ForeignKey, readonly (readonly string[])[]>
  /** The same as beginnings of rows, by the path of the parent. */
  readonly rows: ReadonlyMap<string, readonly Row[]>
}

const nothingPromised: Promises = { parents: new Map(), rows: new Map() }

/** All or nothing: the foreign keys are checked when every table of the circle has its rows. */
async function fillCircle(session: Session, batch: Batch, request: FillRequest): Promise<readonly Filled[]> {
  const promises = makePromises(batch, request)
  await session.unsafe('savepoint obs_circle; set constraints all deferred')
  const filled: Filled[] = []
  try {
    for (const table of batch.tables) filled.push(await fillTable(session, table, request, promises, false))
    await session.unsafe('set constraints all immediate; release savepoint obs_circle')
    return filled
  } catch (error) {
    await session.unsafe('rollback to savepoint obs_circle')
    const reason = filled.find((one) => one.rows === 0)?.reason ?? messageOf(error)
    return batch.tables.map(({ path }) => ({ table: path, rows: 0, reason: `in a circle of foreign keys: ${reason}` }))
  }
}

function makePromises({ tables, promised }: Batch, { rows, seed }: FillRequest): Promises {
  const parents = new Map<ForeignKey, readonly (readonly string[])[]>()
  const beginnings = new Map<string, readonly Row[]>()
  for (const key of promised) {
    const parent = tables.find((table) => table.path === key.parent)
    if (!parent) continue
    const tuples = Array.from({ length: rows }, (_, i) => promisedTuple(parent, key, i, seed))
    parents.set(key, tuples)
    beginnings.set(
      key.parent,
      tuples.map((tuple) => new Map(key.parentColumns.map((name, i) => [name, tuple[i] ?? '']))),
    )
  }
  return { parents, rows: beginnings }
}

function promisedTuple(parent: SampleTable, key: ForeignKey, number: number, seed: number): readonly string[] {
  return key.parentColumns.map((name) => {
    const column = parent.columns.find((one) => one.name === name)
    return (column && promisedValue(parent, column, number, seed)) ?? ''
  })
}

async function fillTable(
  session: Session,
  table: SampleTable,
  request: FillRequest,
  promises: Promises,
  checkNow: boolean,
): Promise<Filled> {
  if (table.obstacle) return { table: table.path, rows: 0, reason: table.obstacle }
  const existing = await countRows(session, table)
  // A table that has enough gets some all the same: rows that know its newest form.
  const wanted = Math.max(Math.ceil(request.rows / 4), request.rows - existing)
  const ordinals = Array.from({ length: wanted }, (_, i) => existing + i)
  const half = Math.ceil(wanted / 2)
  const refersToItself = table.foreignKeys.some((key) => key.parent === table.path)
  const chunks = refersToItself ? [ordinals.slice(0, half), ordinals.slice(half)] : [ordinals]
  let rows = 0
  let reason: string | undefined
  for (const chunk of chunks) {
    const surroundings = await lookAround(session, table, request, promises)
    const outcome = await insertRows(session, table, chunk, request, surroundings, checkNow)
    rows += outcome.rows
    reason ??= outcome.reason
  }
  return {
    table: table.path,
    rows,
    reason: rows < wanted ? (reason ?? 'the server kept fewer rows than it was given') : undefined,
  }
}

async function countRows(session: Session, { schema, name }: SampleTable): Promise<number> {
  const [row] = await session.unsafe<{ rows: number }[]>(
    `select count(*)::int as rows from ${quoteQualified(schema, name)}`,
  )
  return row?.rows ?? 0
}

async function lookAround(
  session: Session,
  table: SampleTable,
  { seed }: FillRequest,
  promises: Promises,
): Promise<Surroundings> {
  const parents = new Map(promises.parents)
  for (const key of table.foreignKeys) if (!parents.has(key)) parents.set(key, await existingKeys(session, key))
  const promised = promises.rows.get(table.path) ?? []
  const referred = hardKeys(table).filter((key) => key.parent === table.path && parents.get(key)?.length === 0)
  const counted = new Set(referred.flatMap((key) => key.parentColumns))
  return { seed, parents, promised, counted }
}

/** Enough to choose from, and always the same ones. */
const keysKept = 500

async function existingKeys(session: Session, { parent, parentColumns }: ForeignKey): Promise<readonly string[][]> {
  const columns = parentColumns.map((name) => `${quoteIdentifier(name)}::text collate "C"`)
  const there = parentColumns.map((name) => `${quoteIdentifier(name)} is not null`)
  const rows = await session.unsafe<{ key: string[] }[]>(`
    select array[${columns.join(', ')}] as key from ${parent} where ${there.join(' and ')}
    group by 1 order by 1 limit ${keysKept}`)
  return rows.map((row) => row.key)
}

async function insertRows(
  session: Session,
  table: SampleTable,
  ordinals: readonly number[],
  request: FillRequest,
  surroundings: Surroundings,
  checkNow: boolean,
): Promise<{ readonly rows: number; readonly reason: string | undefined }> {
  const first = request.style === 'plain' ? plainFrom : 0
  const made = sampleRows(table, ordinals, first, surroundings)
  if (made.rows.length === 0) return { rows: 0, reason: made.reason }
  const rows = made.rows.map(({ row }) => row)
  const all = await tryInsert(session, table, rows, checkNow)
  if (typeof all === 'number') return { rows: all, reason: all < rows.length ? swallowed : made.reason }
  return insertOneByOne(
    session,
    table,
    made.rows.map(({ ordinal }) => ordinal),
    first,
    surroundings,
    checkNow,
  )
}

const plainFrom = 5
const swallowed = 'the server took rows and kept none of them (a trigger, a rule or a policy)'

/** After this many rows of which not one was taken, the table is given up. */
const patience = 3

async function insertOneByOne(
  session: Session,
  table: SampleTable,
  ordinals: readonly number[],
  first: number,
  surroundings: Surroundings,
  checkNow: boolean,
): Promise<{ readonly rows: number; readonly reason: string | undefined }> {
  let rows = 0
  let reason: string | undefined
  for (const [done, ordinal] of ordinals.entries()) {
    if (rows === 0 && done >= patience) break
    for (let attempt = first; attempt < first + attempts; attempt++) {
      const row = sampleRow(table, ordinal, attempt, surroundings)
      const outcome = isNoRow(row) ? row.reason : await tryInsert(session, table, [row], checkNow)
      if (typeof outcome === 'string') reason = outcome
      if (typeof outcome !== 'number') continue
      rows += outcome
      if (outcome === 0) reason = swallowed
      break
    }
  }
  return { rows, reason }
}

/** The number of rows that the server kept, or what it said against them. */
async function tryInsert(
  session: Session,
  table: SampleTable,
  rows: readonly Row[],
  checkNow: boolean,
): Promise<number | string> {
  await session`savepoint obs_sample`
  try {
    const { count } = await session.unsafe(insertStatement(table, rows))
    if (checkNow) await session`set constraints all immediate`
    await session`release savepoint obs_sample`
    return count
  } catch (error) {
    await session.unsafe('rollback to savepoint obs_sample; release savepoint obs_sample')
    return messageOf(error)
  }
}

function insertStatement({ schema, name }: SampleTable, rows: readonly Row[]): string {
  const target = quoteQualified(schema, name)
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))]
  // A table may have no column to give a value to.
  if (columns.length === 0) return `insert into ${target} select from generate_series(1, ${rows.length})`
  const tuples = rows.map((row) => `(${columns.map((column) => literal(row, column)).join(', ')})`)
  return `insert into ${target} (${columns.map(quoteIdentifier).join(', ')}) overriding system value values\n${tuples.join(',\n')}`
}

function literal(row: Row, column: string): string {
  const value = row.get(column)
  if (value === undefined) return 'default'
  return value === null ? 'null' : quoteLiteral(value)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
