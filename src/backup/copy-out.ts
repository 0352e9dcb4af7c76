import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { RunContext } from '../context.js'
import { type Session, type Sql, throwIfAborted } from '../database/connect.js'
import { quoteQualified } from '../database/quote.js'
import type { Archive } from './archive.js'
import { columnList, type SourceTable } from './inventory.js'
import type { ManifestFile, ManifestTable } from './manifest.js'

/** A table as it lies in the archive, and the file that holds its rows. */
export interface CopiedTable {
  readonly table: ManifestTable
  readonly file: ManifestFile
}

/** Bytes handed to gzip at a time; a row at a time would cost more than the compression itself. */
const batchBytes = 256 * 1024
const newline = 10

/**
 * Streams the rows of every table into a gzip file of its own.
 *
 * The session's transaction decides which rows those are. Memory stays flat: the socket
 * is paused while the disk is busy. `sql` is only used to cancel a COPY whose rows
 * nobody can take any more.
 */
export async function copyTables(
  { sql, session }: { readonly sql: Sql; readonly session: Session },
  tables: readonly SourceTable[],
  archive: Archive,
  context: RunContext,
): Promise<CopiedTable[]> {
  const copied: CopiedTable[] = []
  let rows = 0
  const onRows = (more: number) => {
    rows += more
    context.progress.advance(rows, undefined, 'rows')
  }
  for (const table of tables) {
    throwIfAborted(context.signal)
    const path = fileName(copied.length + 1, table)
    copied.push(await copyTable({ sql, session }, table, path, archive, onRows))
  }
  return copied
}

/** `data/0001-public.traces.copy`: the number tells apart names that look alike once made safe. */
function fileName(number: number, { schema, name }: SourceTable): string {
  const safe = `${schema}.${name}`.replace(/[^A-Za-z0-9_.-]+/g, '_').slice(0, 80)
  return `data/${String(number).padStart(4, '0')}-${safe}.copy`
}

async function copyTable(
  { sql, session }: { readonly sql: Sql; readonly session: Session },
  { schema, name, columns }: SourceTable,
  path: string,
  archive: Archive,
  onRows: (rows: number) => void,
): Promise<CopiedTable> {
  const [backend] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`
  const copy = `copy ${quoteQualified(schema, name)} ${columnList(columns)} to stdout`
  const source = await session.unsafe(copy).readable()
  let rows = 0
  const count = (batch: Uint8Array) => {
    const more = countLines(batch)
    rows += more
    onRows(more)
  }
  try {
    const file = await archive.write(path, batches(source, count), { compress: true })
    wakeSocket(source)
    return {
      table: { schema, name, rows, columns: [...columns], hash: null, files: [file.path], bytes: file.bytes },
      file,
    }
  } catch (error) {
    await giveUp(source, sql, backend?.pid ?? 0)
    throw error
  }
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

/**
 * The driver pauses the socket when its buffer is full and goes on at the next read. A COPY
 * that ends with a full buffer has no next read, and the session would wait for ever.
 */
function wakeSocket(source: Readable): void {
  source._read(0)
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
