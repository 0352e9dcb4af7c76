import type { RunContext } from '../context.js'
import { type Session, withTransaction } from '../database/connect.js'
import { copyIn } from '../database/copy-in.js'
import { quoteQualified } from '../database/quote.js'
import type { ArchiveReader } from './archive-reader.js'
import { columnList } from './inventory.js'
import type { Manifest, ManifestTable } from './manifest.js'
import { takeTurns, together } from './read-in-units.js'

/** A file of rows on its way back. */
interface Load {
  readonly table: ManifestTable
  readonly file: string
  readonly bytes: number
}

/**
 * Streams the rows of every table back. Several sessions take file after file, the largest first; a
 * single one works in the transaction it is in.
 */
export async function loadTables(
  sessions: readonly Session[],
  archive: ArchiveReader,
  files: Manifest['files'],
  tables: readonly ManifestTable[],
  context: RunContext,
): Promise<void> {
  const total = tables.reduce((sum, { rows }) => sum + rows, 0)
  const waiting = loadsOf(tables, files)
  const idle = [...sessions]
  let rows = 0
  await together(Math.min(sessions.length, waiting.length), async (isOver) => {
    const session = idle.pop() as Session
    await takeTurns(waiting, isOver, context, async (load) => {
      const frozen = sessions.length > 1 && canFreeze(load.table)
      rows += await (frozen ? loadFrozen : loadFile)(session, archive, load)
      context.progress.advance(rows, total, 'rows')
    })
  })
}

function loadsOf(tables: readonly ManifestTable[], files: Manifest['files']): Load[] {
  const sizes = new Map(files.map(({ path, bytes }) => [path, bytes]))
  const loads = tables.flatMap((table) => table.files.map((file) => ({ table, file, bytes: sizes.get(file) ?? 0 })))
  return loads.sort((a, b) => b.bytes - a.bytes)
}

/** A table that one file fills, and nothing else: that of an extension may hold rows already. */
function canFreeze({ files, where }: ManifestTable): boolean {
  return files.length === 1 && where === null
}

/**
 * Emptied and filled in one transaction, rows may be written as if they had always been there, so that
 * nobody who reads them next has to write the pages again.
 * https://www.postgresql.org/docs/current/sql-copy.html (FREEZE)
 */
function loadFrozen(session: Session, archive: ArchiveReader, load: Load): Promise<number> {
  const { schema, name } = load.table
  return withTransaction(session, async () => {
    await session.unsafe(`truncate only ${quoteQualified(schema, name)}`)
    return loadFile(session, archive, load, 'with (freeze)')
  })
}

async function loadFile(
  session: Session,
  archive: ArchiveReader,
  { table: { schema, name, columns }, file }: Load,
  options = '',
): Promise<number> {
  const copy = `copy ${quoteQualified(schema, name)} ${columnList(columns)} from stdin ${options}`
  const { source, steps } = archive.open(file)
  return copyIn(session, copy, source, ...steps)
}
