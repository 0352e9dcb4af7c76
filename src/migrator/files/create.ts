import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import type { Migration } from '../migration.js'
import { discover } from './discover.js'
import { writeTogether } from './write-together.js'

export interface CreateMigrationOptions {
  /** What the migration is about, in a few words. */
  readonly name: string
  /** Use the time as version even where the folder counts 0001, 0002, … */
  readonly timestamp?: boolean
  /** The time that a timestamp version is made from. */
  readonly now?: Date
}

export interface CreatedMigration {
  readonly version: number
  readonly id: string
  /** Absolute paths. */
  readonly files: readonly string[]
}

/**
 * Writes the empty files of the next migration, `up` and `down`.
 *
 * The version follows the folder: as many digits as its newest migration has, or a
 * timestamp where it has timestamps. An existing file is never overwritten.
 *
 * @throws UsageError for a pack that comes with obs, or a name that makes no file name.
 */
export async function createMigration(pack: Pack, options: CreateMigrationOptions): Promise<CreatedMigration> {
  refuseShipped(pack)
  const slug = slugOf(options.name)
  await mkdir(pack.migrations, { recursive: true })
  const digits = nextVersion(await discover(pack.migrations), options)
  const id = `${digits}_${slug}`
  const files = [join(pack.migrations, `${id}.up.sql`), join(pack.migrations, `${id}.down.sql`)]
  const texts = [`-- ${id}: ${oneLine(options.name)}\n`, `-- takes back what ${id}.up.sql does\n`]
  await writeTogether(files.map((path, i) => ({ path, text: texts[i] ?? '' })))
  return { version: Number(digits), id, files }
}

/** A second line would no longer be a comment. */
function oneLine(name: string): string {
  return name.trim().replace(/\s+/g, ' ')
}

function refuseShipped(pack: Pack): void {
  if (!pack.shipped) return
  throw new UsageError(`the pack ${JSON.stringify(pack.name)} comes with obs, so its folder is not yours to write to`, {
    code: 'pack_shipped',
    hint: 'Name a pack of your own in obs.config.json, {"packs":[{"name":"app","migrations":"./migrations","schema":"app"}]}, and choose it with --pack.',
    details: { pack: pack.name },
  })
}

const longestName = 80

function slugOf(name: string): string {
  const slug = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{Mark}/gu, '')
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
  if (slug && slug.length <= longestName) return slug
  throw new UsageError(`${JSON.stringify(name)} makes no file name`, {
    code: 'invalid_name',
    hint: `Use up to ${longestName} letters and digits, for example obs migrate create add_tenants.`,
    details: { name },
  })
}

const timestampWidth = 14

/** The digits of the next version. */
export function nextVersion(
  migrations: readonly Migration[],
  { timestamp, now = new Date() }: Pick<CreateMigrationOptions, 'timestamp' | 'now'>,
): string {
  const newest = migrations.at(-1)
  const width = newest ? newest.id.indexOf('_') : 4
  const next = (newest?.version ?? 0) + 1
  if (!timestamp && width < timestampWidth) return String(next).padStart(width, '0')
  const time = Number(now.toISOString().replace(/\D/g, '').slice(0, timestampWidth))
  return String(Math.max(time, next)).padStart(width, '0')
}
