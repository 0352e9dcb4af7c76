import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ObsError } from '../errors.js'

export const engines = ['native', 'built-in'] as const
export type EngineName = (typeof engines)[number]

/** How much of a database a backup holds: all of it, some tables with what they need, or definitions alone. */
export const scopes = ['full', 'tables', 'schema'] as const
export type ScopeName = (typeof scopes)[number]

export const codecs = ['gzip', 'zstd', 'none'] as const
export type Codec = (typeof codecs)[number]

export const encryptions = ['none', 'age'] as const
export type EncryptionName = (typeof encryptions)[number]

export const manifestName = 'manifest.json'
/** What the schemas contained, as `readCatalog` describes it: a JSON array with one object of the database a line. */
export const catalogName = 'catalog.json'
/** Hashes of every file in the format of sha256sum, so that `sha256sum -c SHA256SUMS` checks a backup by hand. */
export const checksumsName = 'SHA256SUMS'
/** What was proven of the backup since it was written, see `proof.ts`; the only file that ever changes. */
export const proofName = 'proof.json'

const count = z.int().min(0)
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
/** A path below the backup's folder, never out of it. */
const relativePath = z.string().regex(/^(?!.*(^|\/)\.\.(\/|$))[^/\\][^\\]*$/)
/** The sum of 64-bit hashes. */
const rowHash = z.string().regex(/^-?\d+$/)

/** As it lies on the disk: compressed, then encrypted. */
const fileSchema = z.strictObject({ path: relativePath, bytes: count, sha256 })

const tableSchema = z.strictObject({
  schema: z.string(),
  name: z.string(),
  rows: count,
  /** The columns that were copied, in the order of the files: generated ones are computed again. */
  columns: z.array(z.string()),
  /** The rows it is about, with a WHERE: of a table of an extension those that are the user's own. Null for all of them. */
  where: z.string().nullable(),
  /** Hash of the rows whatever their order, see `hashRows`; null in backups of obs 0.1. */
  hash: rowHash.nullable(),
  /** Where the rows are, a file or several; empty when the archive of pg_dump holds them. */
  files: z.array(relativePath),
  /** Size of those files. */
  bytes: count,
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

const largeObjectsSchema = z.strictObject({ count, bytes: count, hash: rowHash })

/** What every format of the manifest says in the same words. */
const common = {
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
  /** Every schema in the backup that is not the server's own. */
  schemas: z.array(z.string()),
  /** Hash of the catalog, see `catalogHash`. */
  catalog_hash: sha256,
  /** Current migration version by pack; empty without a history. */
  migrations: z.record(z.string(), z.string()),
  sequences: z.array(sequenceSchema),
  /** Roles that own something, hold a grant or are named by a policy. */
  roles: z.array(z.string()),
  rows: count,
  bytes: count,
  files: z.array(fileSchema),
}

const manifestSchema = z.strictObject({
  format_version: z.literal(2),
  ...common,
  scope: z.enum(scopes),
  /** How the rows are compressed. */
  codec: z.enum(codecs),
  /** What everything but the manifest, the checksums and the proof is encrypted with. */
  encryption: z.enum(encryptions),
  tables: z.array(tableSchema),
  /** Null where nobody looked: backups of obs 0.1, and those without rows. */
  large_objects: largeObjectsSchema.nullable(),
})

/** The manifest of obs 0.1, read as what it would be called now. */
const firstManifestSchema = z
  .strictObject({
    format_version: z.literal(1),
    ...common,
    tables: z.array(
      tableSchema
        .omit({ where: true, hash: true, files: true })
        .extend({ file: relativePath.nullable(), sha256: sha256.nullable() })
        .transform(({ file, sha256: _, ...table }) => ({
          ...table,
          where: null,
          hash: null,
          files: file === null ? [] : [file],
        })),
    ),
  })
  .transform(
    (manifest): Manifest => ({
      ...manifest,
      format_version: 2,
      scope: 'full',
      codec: 'gzip',
      encryption: 'none',
      large_objects: null,
    }),
  )

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
  const json = parseJson(text)
  const result = isFirstFormat(json) ? firstManifestSchema.safeParse(json) : manifestSchema.safeParse(json)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw damaged(
    folder,
    `${manifestName} is not one that this version of obs reads (${issue?.path.join('.')} ${issue?.message})`,
  )
}

function isFirstFormat(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'format_version' in json && json.format_version === 1
}

/** SHA-256 of manifest.json, by which a proof knows its backup. */
export async function manifestHash(folder: string): Promise<string> {
  return sha256Of(await readPart(folder, manifestName))
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
