import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { RunContext } from '../context.js'
import type { Session, Sql } from '../database/connect.js'
import { wakeSocket } from '../database/copy-out.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'
import { ObsError } from '../errors.js'
import type { Archive } from './archive.js'
import type { CopyPart, CopyUnit } from './copy-units.js'
import { columnList, type SourceTable } from './inventory.js'
import type { ManifestFile, ManifestTable } from './manifest.js'
import { type Reading, readInUnits } from './read-in-units.js'
import { addHashes, hashRows, type RowHash, type RowSelection } from './row-hash.js'

/** Bytes handed on at a time; a row at a time would cost more than the compression itself. */
const batchBytes = 256 * 1024
const newline = 10

/** Tables as they lie in the archive, and the files that hold their rows. */
export interface CopiedTables {
  readonly tables: readonly ManifestTable[]
  readonly files: readonly ManifestFile[]
}

/** A part of a table in the archive; without rows it needs no file. */
interface CopiedPart extends RowHash {
  readonly part: CopyPart
  readonly file: ManifestFile | undefined
}

/**
 * Streams the rows of every table into compressed files, several sessions at a time.
 *
 * All of them see the one snapshot, which also says how many rows there are and what they hash to.
 * Memory stays flat: a socket is paused while the disk is busy.
 *
 * @throws ObsError `copy_differs` when the server sent other rows than it counted.
 */
export async function copyTables(reading: Reading, archive: Archive, context: RunContext): Promise<CopiedTables> {
  const onRows = rowCounter(context)
  const copied = await readInUnits(reading, context, (session, unit) =>
    copyUnit({ archive, sql: reading.sql }, session, unit, onRows),
  )
  return summary(reading.tables, copied)
}

/** Counts and hashes the rows of every table, several sessions at a time. */
export async function hashTables(reading: Reading, context: RunContext): Promise<ManifestTable[]> {
  const onRows = rowCounter(context)
  const hashed = await readInUnits(reading, context, async (session, { parts }) => {
    const hashes = await hashRows(session, parts.map(selectionOf))
    return parts.map((part, i): CopiedPart => {
      const own = hashes[i] ?? noRows
      onRows(own.rows)
      return { part, file: undefined, ...own }
    })
  })
  return [...summary(reading.tables, hashed).tables]
}

const noRows: RowHash = { rows: 0, hash: '0' }

function rowCounter({ progress }: RunContext): (rows: number) => void {
  let total = 0
  return (rows) => {
    total += rows
    progress.advance(total, undefined, 'rows')
  }
}

interface Tools {
  readonly archive: Archive
  /** Cancels a COPY whose rows nobody can take any more. */
  readonly sql: Sql
}

const pids = new WeakMap<Session, number>()

/** The server process of a session, asked for once: of many small tables every question counts. */
async function pidOf(session: Session): Promise<number> {
  const known = pids.get(session)
  if (known !== undefined) return known
  const [row] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`
  pids.set(session, row?.pid ?? 0)
  return row?.pid ?? 0
}

async function copyUnit(
  tools: Tools,
  session: Session,
  { parts }: CopyUnit,
  onRows: (rows: number) => void,
): Promise<CopiedPart[]> {
  const hashes = await hashRows(session, parts.map(selectionOf))
  const copied: CopiedPart[] = []
  for (const [i, part] of parts.entries()) {
    const expected = hashes[i] ?? noRows
    const file = expected.rows === 0 ? undefined : await copyPart(tools, session, part, expected, onRows)
    copied.push({ part, file, ...expected })
  }
  return copied
}

function selectionOf({ table: { schema, name, columns }, where }: CopyPart): RowSelection {
  return { schema, name, columns, where }
}

async function copyPart(
  tools: Tools,
  session: Session,
  { table: { schema, name, columns, bytes }, where, path }: CopyPart,
  expected: RowHash,
  onRows: (rows: number) => void,
): Promise<ManifestFile> {
  const table = quoteQualified(schema, name)
  const rowsOf =
    where === undefined
      ? `${table} ${columnList(columns)}`
      : `(select ${columns.map(quoteIdentifier).join(', ')} from only ${table} ${where})`
  let rows = 0
  const file = await copyTo(tools, session, rowsOf, { path, bytes }, (batch) => {
    const more = countLines(batch)
    rows += more
    onRows(more)
  })
  if (rows !== expected.rows) throw copyDiffers(`${schema}.${name}`, rows, expected.rows)
  return file
}

/** Streams what a query answers into a compressed file. */
export function copyQuery(tools: Tools, session: Session, query: string, path: string): Promise<ManifestFile> {
  return copyTo(tools, session, `(${query})`, { path }, () => undefined)
}

async function copyTo(
  { archive, sql }: Tools,
  session: Session,
  rows: string,
  { path, ...size }: { readonly path: string; readonly bytes?: number },
  onBatch: (batch: Uint8Array) => void,
): Promise<ManifestFile> {
  const pid = await pidOf(session)
  const source = await session.unsafe(`copy ${rows} to stdout`).readable()
  try {
    const file = await archive.write(path, batches(source, onBatch), { compress: true, ...size })
    wakeSocket(source)
    return file
  } catch (error) {
    await giveUp(source, sql, pid)
    throw error
  }
}

function copyDiffers(table: string, rows: number, expected: number): ObsError {
  return new ObsError(`the server sent ${rows} rows of ${table}, and its snapshot has ${expected}`, {
    code: 'copy_differs',
    hint: 'Take the backup again; nothing was left behind.',
    details: { table, rows, expected },
  })
}

/**
 * Ends a COPY in the middle, so that its session can be used again.
 *
 * The driver pauses the socket while nobody reads, and would never hear of anything
 * else: what is still on its way has to be read.
 */
async function giveUp(source: Readable, sql: Sql, pid: number): Promise<void> {
  const over = finished(source).catch(() => undefined)
  source.resume()
  await sql`select pg_cancel_backend(${pid})`.catch(() => undefined)
  await over
  wakeSocket(source)
}

async function* batches(source: Readable, onBatch: (batch: Uint8Array) => void): AsyncIterable<Uint8Array> {
  let pending: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source.iterator({ destroyOnReturn: false })) {
    pending.push(chunk)
    bytes += chunk.length
    if (bytes < batchBytes) continue
    const batch = Buffer.concat(pending)
    pending = []
    bytes = 0
    onBatch(batch)
    yield batch
  }
  const last = Buffer.concat(pending)
  onBatch(last)
  yield last
}

/** A row of COPY's text format is a line; line breaks inside values are escaped. */
function countLines(chunk: Uint8Array): number {
  let lines = 0
  for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) lines++
  return lines
}

function summary(tables: readonly SourceTable[], copied: readonly CopiedPart[]): CopiedTables {
  const parts = new Map<number, CopiedPart[]>()
  for (const part of copied) {
    const { oid } = part.part.table
    parts.set(oid, [...(parts.get(oid) ?? []), part])
  }
  const files = copied.flatMap(({ file }) => file ?? []).sort(byPath)
  return {
    files,
    tables: tables.map((table) => {
      const own = parts.get(table.oid) ?? []
      const ownFiles = own.flatMap(({ file }) => file ?? []).sort(byPath)
      const { schema, name, columns, where } = table
      return {
        schema,
        name,
        columns: [...columns],
        where,
        ...addHashes(own),
        files: ownFiles.map(({ path }) => path),
        bytes: ownFiles.reduce((total, { bytes }) => total + bytes, 0),
      }
    }),
  }
}

function byPath(a: ManifestFile, b: ManifestFile): number {
  return a.path < b.path ? -1 : 1
}
