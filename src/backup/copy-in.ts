import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createGunzip } from 'node:zlib'
import type { RunContext } from '../context.js'
import { type Session, throwIfAborted } from '../database/connect.js'
import { copyIn } from '../database/copy-in.js'
import { quoteQualified } from '../database/quote.js'
import { columnList } from './inventory.js'
import type { ManifestTable } from './manifest.js'

/** Streams the rows of every table back, in the session's transaction. */
export async function loadTables(
  session: Session,
  folder: string,
  tables: readonly ManifestTable[],
  context: RunContext,
): Promise<void> {
  const total = tables.reduce((sum, { rows }) => sum + rows, 0)
  let rows = 0
  for (const table of tables) {
    throwIfAborted(context.signal)
    if (table.file !== null) await loadTable(session, join(folder, table.file), table)
    rows += table.rows
    context.progress.advance(rows, total, 'rows')
  }
}

async function loadTable(session: Session, path: string, { schema, name, columns }: ManifestTable): Promise<void> {
  const copy = `copy ${quoteQualified(schema, name)} ${columnList(columns)} from stdin`
  const file = createReadStream(path, { highWaterMark: 256 * 1024 })
  await copyIn(session, copy, file, createGunzip({ chunkSize: 256 * 1024 }))
}
