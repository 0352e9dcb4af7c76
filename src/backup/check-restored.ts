import { z } from 'zod'
import type { RunContext } from '../context.js'
import { catalogHash } from '../database/catalog.js'
import { type Session, type Sql, throwIfAborted } from '../database/connect.js'
import type { Platform } from '../database/platform.js'
import { quoteQualified } from '../database/quote.js'
import { ObsError } from '../errors.js'
import type { ArchiveReader } from './archive-reader.js'
import { catalogOf } from './catalog-lines.js'
import { catalogName, type Manifest } from './manifest.js'

interface Restored {
  readonly archive: ArchiveReader
  readonly manifest: Manifest
}

/**
 * Compares what was restored with what was backed up: the rows of every table, and the
 * schema where both servers are of one major version.
 *
 * @throws ObsError `restore_differs` naming the tables and objects.
 */
export async function checkRestored(
  sql: Sql | Session,
  restored: Restored,
  platform: Platform,
  context: RunContext,
): Promise<void> {
  context.progress.step('checking what was restored')
  const differences = [
    ...(await rowDifferences(sql, restored.manifest, context)),
    ...(await objectDifferences(sql, restored, platform, context)),
  ]
  if (differences.length === 0) return
  throw new ObsError(`the restored database is not what was backed up: ${differences.join(', ')}`, {
    code: 'restore_differs',
    hint: 'Do not use it; restore into a new database, or choose another backup from obs backup list.',
    details: { differences },
  })
}

async function rowDifferences(sql: Sql | Session, manifest: Manifest, context: RunContext): Promise<string[]> {
  const differences: string[] = []
  for (const { schema, name, rows } of manifest.tables) {
    throwIfAborted(context.signal)
    const [row] = await sql.unsafe<{ rows: number }[]>(
      `select count(*) as rows from only ${quoteQualified(schema, name)}`,
    )
    if (row?.rows !== rows) differences.push(`${schema}.${name} has ${row?.rows} rows instead of ${rows}`)
  }
  return differences
}

/**
 * Objects that are missing or too many are an error. A definition that reads differently is
 * only a warning: PostgreSQL does not print every expression the same after reading its own text.
 */
async function objectDifferences(
  sql: Sql | Session,
  { archive, manifest }: Restored,
  platform: Platform,
  context: RunContext,
): Promise<string[]> {
  if (Math.floor(platform.serverVersion / 10_000) !== Math.floor(manifest.server_version_num / 10_000)) return []
  const found = await catalogOf(sql, manifest.scope, manifest.schemas)
  if (catalogHash(found) === manifest.catalog_hash) return []
  const expected = z.array(z.string()).parse(JSON.parse(await archive.text(catalogName)))
  return compareCatalogs(expected, found, context)
}

function compareCatalogs(expected: readonly string[], found: readonly string[], context: RunContext): string[] {
  const [before, after] = [objectsOf(expected), objectsOf(found)]
  const reworded = [...before].filter(
    ([name, text]) => after.has(name) && loosely(after.get(name) ?? '') !== loosely(text),
  )
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

/** `(ARRAY['a'::character varying])::text[]` comes back as `ARRAY[('a'::character varying)::text]`: the same to the server. */
function loosely(text: string): string {
  return text.replace(/::(character varying|text)(\[\])?/g, '').replace(/[()\s]/g, '')
}
