import type { Sql } from '../../database/connect.js'
import { type HistoryPlace, type HistoryState, readScripts, type VersionRecord } from '../history/history.js'
import type { Migration, Script } from '../migration.js'
import { loadParser } from '../statements/parser.js'
import { isSame, needsParser } from './checksum.js'
import { type Change, differenceBetween } from './difference.js'

/**
 * Compares the files of applied migrations with what was applied.
 *
 * As long as the texts are the same, no parser is loaded and no text is read from the
 * history. Afterwards `hasChanged` may be asked about each of these migrations.
 *
 * @returns how those that changed differ, where the history kept what was applied.
 */
export async function findChanges(
  sql: Sql,
  place: HistoryPlace,
  migrations: readonly Migration[],
  history: HistoryState,
): Promise<readonly Change[]> {
  const records = (migration: Migration) => history.get(migration.version)
  const doubtful = migrations.filter((migration) => isDoubtful(migration, records(migration)))
  if (doubtful.length === 0) return []
  await loadParser()
  const changed = doubtful.filter((migration) => hasChanged(migration, records(migration)))
  if (changed.length === 0) return []
  const versions = changed.map((migration) => migration.version)
  const applied = await readScripts(sql, place, versions)
  return changed.flatMap((migration) => {
    const before = applied.get(migration.version)
    const now = appliedForm(migration, records(migration))
    return before === undefined || !now ? [] : [differenceBetween(migration.id, before, now)]
  })
}

/** True when a migration is applied and the form that was applied says something else now. */
export function hasChanged(migration: Migration, record: VersionRecord | undefined): boolean {
  if (record?.state !== 'applied') return false
  const script = appliedForm(migration, record)
  return script === undefined || !isSame(script, record.checksum)
}

function isDoubtful(migration: Migration, record: VersionRecord | undefined): boolean {
  if (record?.state !== 'applied') return false
  const script = appliedForm(migration, record)
  return script !== undefined && (needsParser(script, record.checksum) || !isSame(script, record.checksum))
}

function appliedForm(migration: Migration, record: VersionRecord | undefined): Script | undefined {
  return migration.up.find((form) => form.variant === record?.variant)
}
