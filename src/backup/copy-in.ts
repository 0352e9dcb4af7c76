import type { RunContext } from '../context.js'
import { type Session, withTransaction } from '../database/connect.js'
import { copyIn } from '../database/copy-in.js'
import { quoteQualified } from '../database/quote.js'
import type { ArchiveReader } from './archive-reader.js'
import { columnList } from './inventory.js'
import type { Manifest, ManifestTable } from './manifest.js'
import { takeTurns, together } from './read-in-units.js'

/** Files of a table that one session brings back. */
interface Load {
  readonly table: ManifestTable
  readonly files: readonly string[]
  readonly bytes: number
  /** The table holds nothing else and nobody else fills it. */
  readonly whole: boolean
}

/**
 * Streams the rows of every table back. Several sessions take table after table, the largest first; a
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
  const waiting = loadsOf(tables, files, sessions.length)
  const idle = [...sessions]
  let rows = 0
  const onRows = (more: number) => {
    rows += more
    context.progress.advance(rows, total, 'rows')
  }
  await together(Math.min(sessions.length, waiting.length), async (isOver) => {
    const session = idle.pop() as Session
    await takeTurns(waiting, isOver, context, async (load) => {
      const frozen = sessions.length > 1 && load.whole && load.bytes >= worthFreezing
      await (frozen ? loadFrozen : loadFiles)(session, archive, load, onRows)
    })
  })
}

/** Bytes of files; what is smaller costs more to empty than to read once more. */
const worthFreezing = 1024 * 1024

/**
 * A table goes to one session, so that it can be frozen, unless that session would still be busy with it
 * when the others have long done everything else.
 */
export function loadsOf(tables: readonly ManifestTable[], files: Manifest['files'], sessions: number): Load[] {
  const sizes = new Map(files.map(({ path, bytes }) => [path, bytes]))
  const bytesOf = (paths: readonly string[]) => paths.reduce((sum, path) => sum + (sizes.get(path) ?? 0), 0)
  const filled = tables.filter((table) => table.files.length > 0)
  const share = filled.reduce((sum, table) => sum + bytesOf(table.files), 0) / sessions
  const loads = filled.flatMap((table): Load[] => {
    const bytes = bytesOf(table.files)
    if (bytes <= 2 * share) return [{ table, files: table.files, bytes, whole: table.where === null }]
    return table.files.map((file) => ({ table, files: [file], bytes: bytesOf([file]), whole: false }))
  })
  return loads.sort((a, b) => b.bytes - a.bytes)
}

/**
 * Emptied and filled in one transaction, rows may be written as if they had always been there, so that
 * nobody who reads them next has to write the pages again; and a server that keeps no log for a standby
 * writes none.
 * https://www.postgresql.org/docs/current/sql-copy.html (FREEZE)
 */
function loadFrozen(
  session: Session,
  archive: ArchiveReader,
  load: Load,
  onRows: (rows: number) => void,
): Promise<void> {
  const { schema, name } = load.table
  return withTransaction(session, async () => {
    await session.unsafe(`truncate only ${quoteQualified(schema, name)}`)
    await loadFiles(session, archive, load, onRows, 'with (freeze)')
  })
}

async function loadFiles(
  session: Session,
  archive: ArchiveReader,
  { table: { schema, name, columns }, files }: Load,
  onRows: (rows: number) => void,
  options = '',
): Promise<void> {
  const copy = `copy ${quoteQualified(schema, name)} ${columnList(columns)} from stdin ${options}`
  for (const file of files) {
    const { source, steps } = archive.open(file)
    onRows(await copyIn(session, copy, source, ...steps))
  }
}
