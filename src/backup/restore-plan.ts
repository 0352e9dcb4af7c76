import { join } from 'node:path'
import type { RunContext } from '../context.js'
import { type ArchiveReader, readerOf } from './archive-reader.js'
import { postDataName, preDataName } from './built-in.js'
import type { NativeTool } from './choose-engine.js'
import { type DdlStatement, parseDdl, rolesOf } from './ddl.js'
import type { Cipher } from './file-stages.js'
import type { Manifest } from './manifest.js'
import { archiveName, readDefinitions } from './native.js'
import { requireRestoreTool } from './native-tools.js'

interface Common {
  /** The backup's folder. */
  readonly folder: string
  /** Its files, decrypted. */
  readonly archive: ArchiveReader
  readonly manifest: Manifest
  readonly noOwner: boolean
  /** Roles that must exist on the target. */
  readonly roles: readonly string[]
}

/** What a restore will run, before anything is touched. */
export type RestorePlan =
  | (Common & {
      readonly engine: 'built-in'
      readonly preData: readonly DdlStatement[]
      readonly postData: readonly DdlStatement[]
    })
  | (Common & { readonly engine: 'native'; readonly pgRestore: NativeTool })

/**
 * Reads the definitions of a backup and decides what of them to run.
 *
 * @throws UsageError when the archive needs a pg_restore that is not installed.
 */
export async function planRestore(
  folder: string,
  manifest: Manifest,
  options: { readonly noOwner?: boolean; readonly pgRestore?: string; readonly decrypt?: Cipher },
  context: RunContext,
): Promise<RestorePlan> {
  const noOwner = options.noOwner === true
  const archive = readerOf(folder, manifest, options.decrypt)
  const common = { folder, archive, manifest, noOwner }
  const wanted = ({ aboutRoles }: DdlStatement) => !(noOwner && aboutRoles)
  if (manifest.engine === 'built-in') {
    const preData = (await readSql(archive, preDataName)).filter(wanted)
    const postData = (await readSql(archive, postDataName)).filter(wanted)
    return { ...common, engine: 'built-in', preData, postData, roles: rolesOf([...preData, ...postData]) }
  }
  const pgRestore = await requireRestoreTool(manifest.pg_dump_version, options.pgRestore)
  const definitions = await parseDdl(await readDefinitions(pgRestore, join(folder, archiveName), context))
  return { ...common, engine: 'native', pgRestore, roles: rolesOf(definitions.filter(wanted)) }
}

async function readSql(archive: ArchiveReader, name: string): Promise<DdlStatement[]> {
  return parseDdl(await archive.text(name))
}
