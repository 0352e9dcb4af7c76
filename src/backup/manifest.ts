import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ObsError } from '../errors.js'

export const engines = ['native', 'built-in'] as const
export type EngineName = (typeof engines)[number]

export const manifestName = 'manifest.json'
/** What the schemas contained, as `readCatalog` describes it: a JSON array with one object of the database a line. */
export const catalogName = 'catalog.json'
/** Hashes of every file in the format of sha256sum, so that `sha256sum -c SHA256SUMS` checks a backup by hand. */
export const checksumsName = 'SHA256SUMS'

const count = z.int().min(0)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
/** A path below the backup's folder, never out of it. */
const relativePath = z.string().regex(/^(?!.*(^|\/)\.\.(\/|$))[^/\\][^\\]*$/)

const fileSchema = z.strictObject({ path: relativePath, bytes: count, sha256 })

const tableSchema = z.strictObject({
  schema: z.string(),
  name: z.string(),
  rows: count,
  /** The columns that were copied, in the order of the file: generated ones are computed again. */
  columns: z.array(z.string()),
  /** Where the rows are; null when the archive of pg_dump holds them. */
  file: relativePath.nullable(),
  /** Size of that file, compressed. */
  bytes: count,
  sha256: sha256.nullable(),
})

const sequenceSchema = z.strictObject({
  schema: z.string(),
  name: z.string(),
  /** Text, because a sequence may exceed what a JSON number holds. */
  last_value: z.string().regex(/^-?\d+$/),
  is_called: z.boolean(),
})

const databaseSchema = z.strictObject({
  name: z.string(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** c = libc, i = ICU, b = the server's own. */
  locale_provider: z.string(),
  locale: z.string().nullable(),
  size_bytes: count,
})

const manifestSchema = z.strictObject({
  format_version: z.literal(1),
  id: z.string(),
  created_at: z.iso.datetime(),
  duration_ms: count,
  engine: z.enum(engines),
  reason: z.string(),
  pg_dump_version: z.string(),
  server_version: z.string(),
  server_version_num: count,
  platform: z.string(),
  extensions: z.record(z.string(), z.string()),
  obs_version: z.string(),
  database: databaseSchema,
  /** Every schema of the database that is not the server's own. */
  schemas: z.array(z.string()),
  /** Hash of the catalog, see `catalogHash`. */
  catalog_hash: sha256,
  /** Current migration version by pack; empty without a history. */
  migrations: z.record(z.string(), z.string()),
  tables: z.array(tableSchema),
  sequences: z.array(sequenceSchema),
  /** Roles that own something, hold a grant or are named by a policy. */
  roles: z.array(z.string()),
  rows: count,
  bytes: count,
  files: z.array(fileSchema),
})

/** What a backup says about itself. */
export type Manifest = z.infer<typeof manifestSchema>
export type ManifestTable = z.infer<typeof tableSchema>
export type ManifestSequence = z.infer<typeof sequenceSchema>
export type ManifestDatabase = z.infer<typeof databaseSchema>
export type ManifestFile = z.infer<typeof fileSchema>

/** The text of manifest.json. */
export function formatManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifestSchema.parse(manifest), null, 2)}\n`
}

/** The text of SHA256SUMS: the manifest first, then every file it names. */
export function formatChecksums(manifestText: string, files: readonly ManifestFile[]): string {
  const lines = files.map((file) => `${file.sha256}  ${file.path}`)
  return `${[`${sha256Of(manifestText)}  ${manifestName}`, ...lines].join('\n')}\n`
}

/**
 * Reads the manifest of a backup's folder.
 *
 * @throws ObsError `damaged_manifest` when it is missing, is not what obs writes, or was
 * changed since: SHA256SUMS holds its hash.
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readPart(folder, manifestName)
  const checksums = await readPart(folder, checksumsName)
  const expected = checksums.split('\n').find((line) => line.endsWith(`  ${manifestName}`))
  if (!expected?.startsWith(sha256Of(text))) throw damaged(folder, `${manifestName} was changed since it was written`)
  const result = manifestSchema.safeParse(parseJson(text))
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw damaged(
    folder,
    `${manifestName} is not one that this version of obs reads (${issue?.path.join('.')} ${issue?.message})`,
  )
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

async function readPart(folder: string, name: string): Promise<string> {
  try {
    return await readFile(join(folder, name), 'utf8')
  } catch (cause) {
    throw damaged(folder, `${name} cannot be read (${cause instanceof Error ? cause.message : cause})`)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function damaged(folder: string, problem: string): ObsError {
  return new ObsError(`the backup in ${folder} is damaged: ${problem}`, {
    code: 'damaged_manifest',
    hint: 'Choose another backup from obs backup list; nothing was changed.',
    details: { path: folder, problem },
  })
}
