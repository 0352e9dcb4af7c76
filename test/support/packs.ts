import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Pack } from '../../src/packs.js'

/** A pack of the test's own: file names and their content, in a folder that is removed afterwards. */
export async function testPack(files: Readonly<Record<string, string | Uint8Array>>, schema = 'public'): Promise<Pack> {
  const folder = await mkdtemp(join(tmpdir(), 'obs-pack-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const pack = { name: 'pets', migrations: folder, schema, historySchema: 'obs', shipped: false }
  await addFiles(pack, files)
  return pack
}

/** Adds or replaces files of a pack. */
export async function addFiles(
  { migrations }: Pack,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(migrations, name), text)
}

/** Takes a file of a pack away. */
export async function removeFile({ migrations }: Pack, name: string): Promise<void> {
  await rm(join(migrations, name))
}
