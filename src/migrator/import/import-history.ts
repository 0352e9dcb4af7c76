import type { RunContext } from '../../context.js'
import type { Database } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import { type Adopted, adoptionEvents, recordAdoption, refuseHistory } from '../history/adopt.js'
import type { HistoryEvent } from '../history/history.js'
import { withMigrationLock } from '../lock/lock.js'
import type { Migration } from '../migration.js'
import { readSituation } from '../run/situation.js'
import { UnmatchedForeignHistoryError } from './errors.js'
import { findForeignTable, nameOf, type TableWish } from './find-table.js'
import type { ToolName } from './foreign-history.js'
import { matchFiles } from './match-files.js'

export interface ImportOptions extends TableWish {
  /** Only says what would be imported: nothing is locked and nothing is changed. */
  readonly dryRun?: boolean
  /** How long to wait for another run; 60 s by default. */
  readonly lockTimeoutMs?: number
}

export interface ImportResult {
  readonly tool: ToolName
  /** The other tool's table, `schema.name`; it stays as it is. */
  readonly table: string
  readonly imported: readonly Adopted[]
  /** Not applied, and older than the newest one that is. */
  readonly late: readonly Migration[]
  readonly pending: readonly Migration[]
  /** What the other tool applied and obs has no place for. */
  readonly leftOut: readonly string[]
}

/**
 * Takes over the history of another migration tool: writes into the history of obs
 * that the files which the tool applied are applied. Runs none of them, and changes
 * nothing else; the tool's own table stays.
 *
 * @throws HistoryNotEmptyError when obs has a history of the pack already;
 *   UnsettledForeignHistoryError when the tool left something half done;
 *   UnmatchedForeignHistoryError naming every applied migration without a file;
 *   UsageError when no table, or more than one, can be meant.
 */
export async function importHistory(
  database: Database,
  pack: Pack,
  options: ImportOptions,
  context: RunContext,
): Promise<ImportResult> {
  if (options.dryRun) return (await decide(database, pack, options)).result
  const lock = { schema: pack.schema, timeoutMs: options.lockTimeoutMs ?? 60_000 }
  return withMigrationLock(database, lock, context, async (session) => {
    const { result, events } = await decide(database, pack, options)
    if (events.length > 0) await recordAdoption(session, pack, events, context)
    return result
  })
}

interface Decision {
  readonly result: ImportResult
  readonly events: readonly HistoryEvent[]
}

async function decide(database: Database, pack: Pack, wish: TableWish): Promise<Decision> {
  const { migrations, history, platform } = await readSituation(database, pack)
  refuseHistory(pack, history)
  const { tool, table } = await findForeignTable(database.sql, wish)
  const foreign = await tool.read(database.sql, table)
  const { matches, problems } = matchFiles(foreign, migrations)
  if (problems.length > 0) throw new UnmatchedForeignHistoryError(tool.name, problems, pack.migrations)
  const imported = matches.map(({ migration, foreign: { appliedAt, durationMs } }) => ({
    migration,
    appliedAt,
    durationMs,
  }))
  const open = migrations.filter((migration) => !matches.some((match) => match.migration === migration))
  const newest = matches.at(-1)?.migration.version ?? 0
  return {
    result: {
      tool: tool.name,
      table: nameOf(table),
      imported,
      late: open.filter((migration) => migration.version < newest),
      pending: open.filter((migration) => migration.version > newest),
      leftOut: foreign.leftOut,
    },
    events: await adoptionEvents(imported, platform, `imported from ${tool.name}`),
  }
}
