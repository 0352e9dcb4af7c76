import { z } from 'zod'
import type { RunContext } from '../context.js'
import { catalogHash } from '../database/catalog.js'
import type { Session, Sql } from '../database/connect.js'
import type { Platform } from '../database/platform.js'
import { printedAlike } from '../database/printed-alike.js'
import { ObsError } from '../errors.js'
import type { ArchiveReader } from './archive-reader.js'
import { catalogOf } from './catalog-lines.js'
import { hashLargeObjects } from './large-objects.js'
import { catalogName, type Manifest, type ManifestTable } from './manifest.js'
import { takeTurns, together } from './read-in-units.js'
import { hashRows, type RowHash } from './row-hash.js'
import { withSessions } from './sessions.js'
import { applyCopySettings } from './snapshot.js'

interface Restored {
  readonly archive: ArchiveReader
  readonly manifest: Manifest
  /** The tables whose rows were brought back. */
  readonly tables: readonly ManifestTable[]
  /** Definitions are not compared. */
  readonly rowsAlone: boolean
}

/**
 * Compares what was restored with what was backed up: the rows of every table, large objects, and the
 * schema where both servers are of one major version.
 *
 * @param sessions read at the same time; all of them have the settings of a backup.
 * @throws ObsError `restore_differs` naming the tables and objects.
 */
export async function checkRestored(
  sessions: readonly Session[],
  restored: Restored,
  platform: Platform,
  context: RunContext,
): Promise<void> {
  context.progress.step('checking what was restored')
  const [first] = sessions as [Session]
  const differences = [
    ...(await rowDifferences(sessions, restored.tables, context)),
    ...(await largeObjectDifferences(first, restored.manifest)),
    ...(await objectDifferences(first, restored, platform, context)),
  ]
  if (differences.length === 0) return
  throw new ObsError(`the restored database is not what was backed up: ${differences.join(', ')}`, {
    code: 'restore_differs',
    hint: 'Do not use it; restore into a new database, or choose another backup from obs backup list.',
    details: { differences },
  })
}

async function rowDifferences(
  sessions: readonly Session[],
  tables: readonly ManifestTable[],
  context: RunContext,
): Promise<string[]> {
  const waiting = inGroups(tables)
  const idle = [...sessions]
  const differences: string[] = []
  let rows = 0
  await together(Math.min(sessions.length, waiting.length), async (isOver) => {
    const session = idle.pop() as Session
    await takeTurns(waiting, isOver, context, async (group) => {
      const found = await hashRows(
        session,
        group.map(({ schema, name, columns, where }) => ({ schema, name, columns, where: where ?? undefined })),
      )
      for (const [i, table] of group.entries()) {
        differences.push(...rowDifference(table, found[i]))
        rows += table.rows
      }
      context.progress.advance(rows, undefined, 'rows')
    })
  })
  return differences.sort()
}

/** The same on sessions of its own. */
export async function checkInSessions(
  sql: Sql,
  restored: Restored & { readonly jobs: number },
  platform: Platform,
  context: RunContext,
): Promise<void> {
  await withSessions(sql, restored.jobs, async (sessions) => {
    await Promise.all(sessions.map((session) => applyCopySettings(session, 'session')))
    await checkRestored(sessions, restored, platform, context)
  })
}

/** Large tables by themselves, small ones together. */
function inGroups(tables: readonly ManifestTable[]): ManifestTable[][] {
  const groups: ManifestTable[][] = []
  for (const table of [...tables].sort((a, b) => b.bytes + b.rows - a.bytes - a.rows)) {
    const last = groups.at(-1)
    if (last && last.length < tablesAtATime && table.rows < manyRows) last.push(table)
    else groups.push([table])
  }
  return groups
}

const tablesAtATime = 50
const manyRows = 1000

/** Backups of obs 0.1 have no hashes; of those the rows are counted. */
function rowDifference({ schema, name, rows, hash }: ManifestTable, found: RowHash | undefined): string[] {
  if (found?.rows !== rows) return [`${schema}.${name} has ${found?.rows} rows instead of ${rows}`]
  return hash === null || hash === found.hash ? [] : [`${schema}.${name} has other values in its ${rows} rows`]
}

async function largeObjectDifferences(session: Session, { large_objects: expected }: Manifest): Promise<string[]> {
  if (expected === null) return []
  const found = await hashLargeObjects(session)
  if (found.count !== expected.count) return [`there are ${found.count} large objects instead of ${expected.count}`]
  return found.hash === expected.hash ? [] : ['the large objects have other content']
}

/**
 * Objects that are missing or too many are an error. A definition that reads differently is
 * only a warning: PostgreSQL does not print every expression the same after reading its own text.
 */
async function objectDifferences(
  sql: Session,
  { archive, manifest, rowsAlone }: Restored,
  platform: Platform,
  context: RunContext,
): Promise<string[]> {
  if (rowsAlone) return []
  if (Math.floor(platform.serverVersion / 10_000) !== Math.floor(manifest.server_version_num / 10_000)) return []
  const found = await catalogOf(sql, manifest.scope, manifest.schemas)
  if (catalogHash(found) === manifest.catalog_hash) return []
  // The lines of older backups are as the server printed them.
  const expected = z.array(z.string()).parse(JSON.parse(await archive.text(catalogName)))
  return compareCatalogs(expected.map(printedAlike).sort(), found, context)
}

function compareCatalogs(expected: readonly string[], found: readonly string[], context: RunContext): string[] {
  const [before, after] = [objectsOf(expected), objectsOf(found)]
  const reworded = [...before].filter(([name, text]) => after.has(name) && after.get(name) !== text)
  if (reworded.length > 0) {
    context.progress.warn(`definitions read differently than before: ${reworded.map(([name]) => name).join(', ')}`)
  }
  return [
    ...[...before.keys()].filter((name) => !after.has(name)).map((name) => `${name} is missing`),
    ...[...after.keys()].filter((name) => !before.has(name)).map((name) => `${name} is new`),
  ]
}

/** Lines by what they describe: their first two words. */
function objectsOf(lines: readonly string[]): Map<string, string> {
  const objects = new Map<string, string>()
  for (const line of lines) {
    const name = line.split(' ', 2).join(' ')
    objects.set(name, `${objects.get(name) ?? ''}${line}\n`)
  }
  return objects
}
