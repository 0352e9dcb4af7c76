import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { codeOf } from '../errors.js'
import { obsVersion } from '../package.js'
import { manifestHash, proofName, sha256 } from './manifest.js'

/**
 * How well a backup is proven: `hashed` when every file was read back and compared with its hash,
 * `restored` when it was brought back into a database that turned out to be the same.
 */
export const proofLevels = ['hashed', 'restored'] as const
export type ProofLevel = (typeof proofLevels)[number]

const proofSchema = z.strictObject({
  format_version: z.literal(1),
  /** Binds the proof to its backup: SHA-256 of manifest.json. */
  manifest_sha256: sha256,
  level: z.enum(proofLevels),
  /** The command that proved it: `verify`, `restore` or `drill`. */
  by: z.string(),
  at: z.iso.datetime(),
  duration_ms: z.int().min(0),
  /** The server it was restored on; null without a restore. */
  server_version: z.string().nullable(),
  obs_version: z.string(),
})

/** What was proven of a backup, when and how. */
export type Proof = z.infer<typeof proofSchema>

/**
 * The best proof a backup has; null when there is none but what `create` itself looked at, which
 * is every hash. One that belongs to another manifest, or cannot be read, proves nothing.
 */
export async function readProof(folder: string): Promise<Proof | null> {
  const proof = proofSchema.safeParse(await readJson(join(folder, proofName)))
  if (!proof.success) return null
  return proof.data.manifest_sha256 === (await manifestHash(folder)) ? proof.data : null
}

/**
 * Keeps what was proven beside the manifest. A proof by hashes alone never takes the place of one by
 * a restore: what was restored once stays proven as long as its hashes are right.
 */
export async function recordProof(
  folder: string,
  proof: Pick<Proof, 'level' | 'by' | 'duration_ms' | 'server_version'>,
): Promise<void> {
  const before = await readProof(folder)
  if (before?.level === 'restored' && proof.level === 'hashed') return
  const entry: Proof = {
    format_version: 1,
    manifest_sha256: await manifestHash(folder),
    ...proof,
    at: new Date().toISOString(),
    obs_version: obsVersion(),
  }
  await replace(join(folder, proofName), `${JSON.stringify(entry, null, 2)}\n`)
}

/** Written under another name first, so that nobody ever reads half of it. */
async function replace(path: string, content: string): Promise<void> {
  const draft = `${path}.${process.pid}.draft`
  try {
    await writeFile(draft, content, { mode: 0o600, flush: true })
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (error instanceof SyntaxError || codeOf(error) !== '') return undefined
    throw error
  }
}
