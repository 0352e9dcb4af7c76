import type { RunContext } from '../context.js'
import { type Session, throwIfAborted } from '../database/connect.js'
import { copyIn } from '../database/copy-in.js'
import { quoteQualified } from '../database/quote.js'
import type { ArchiveReader } from './archive-reader.js'
import { columnList } from './inventory.js'
import type { ManifestTable } from './manifest.js'

/** Streams the rows of every table back, in the session's transaction. */
export async function loadTables(
  session: Session,
  archive: ArchiveReader,
  tables: readonly ManifestTable[],
  context: RunContext,
): Promise<void> {
  const total = tables.reduce((sum, { rows }) => sum + rows, 0)
  let rows = 0
  for (const table of tables) {
    throwIfAborted(context.signal)
    for (const file of table.files) await loadFile(session, archive, file, table)
    rows += table.rows
    context.progress.advance(rows, total, 'rows')
  }
}

async function loadFile(
  session: Session,
  archive: ArchiveReader,
  file: string,
  { schema, name, columns }: ManifestTable,
): Promise<void> {
  const copy = `copy ${quoteQualified(schema, name)} ${columnList(columns)} from stdin`
  const { source, steps } = archive.open(file)
  await copyIn(session, copy, source, ...steps)
}
