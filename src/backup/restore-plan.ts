import type { RunContext } from '../context.js'
import { type ArchiveReader, readerOf } from './archive-reader.js'
import { postDataName, preDataName } from './built-in.js'
import type { NativeTool } from './choose-engine.js'
import { contentsName } from './contents.js'
import { type DdlStatement, parseDdl, rolesOf } from './ddl.js'
import type { Cipher } from './encryption.js'
import { largeObjectStatements } from './large-objects.js'
import { catalogName, type Manifest, type ManifestSequence, type ManifestTable } from './manifest.js'
import { archiveInput, readDefinitions } from './native.js'
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
  /** The tables whose rows are brought back. */
  readonly tables: readonly ManifestTable[]
  /** The sequences that are put where they stood. */
  readonly sequences: readonly ManifestSequence[]
  /** Definitions are not compared: they are those of the target, or not all are brought back. */
  readonly rowsAlone: boolean
  /** Sessions that write at a time; with one, everything is one transaction. */
  readonly jobs: number
}

/** What a restore will run, before anything is touched. */
export type RestorePlan =
  | (Common & {
      readonly engine: 'built-in'
      readonly preData: readonly DdlStatement[]
      /** Makes the large objects, empty as yet. */
      readonly largeObjects: readonly DdlStatement[]
      readonly postData: readonly DdlStatement[]
    })
  | (Common & {
      readonly engine: 'native'
      readonly pgRestore: NativeTool
      /** Every definition in the archive. */
      readonly definitions: readonly DdlStatement[]
      /** The lines of the table of contents that are brought back; undefined for all of them. */
      readonly list: string | undefined
    })

export type NativePlan = Extract<RestorePlan, { engine: 'native' }>

/** Sessions that write at a time, unless it is said otherwise. */
const defaultJobs = 2

/**
 * Reads the definitions of a backup and decides what of them to run.
 *
 * @throws UsageError when the archive needs a pg_restore that is not installed.
 */
export async function planRestore(
  folder: string,
  manifest: Manifest,
  options: {
    readonly noOwner?: boolean
    readonly pgRestore?: string
    readonly decrypt?: Cipher
    readonly jobs?: number
  },
  context: RunContext,
): Promise<RestorePlan> {
  const noOwner = options.noOwner === true
  const archive = readerOf(folder, manifest, options.decrypt)
  // A key that does not fit is noticed here, and not by a program that chokes on what it is fed.
  if (manifest.encryption !== 'none') await archive.text(catalogName)
  const { tables, sequences } = manifest
  const jobs = options.jobs ?? defaultJobs
  const common = { folder, archive, manifest, noOwner, tables, sequences, rowsAlone: false, jobs }
  const wanted = ({ aboutRoles }: DdlStatement) => !(noOwner && aboutRoles)
  if (manifest.engine === 'built-in') {
    const preData = (await readSql(archive, preDataName)).filter(wanted)
    const largeObjects = (await largeObjectStatements(archive, manifest)).filter(wanted)
    const postData = (await readSql(archive, postDataName)).filter(wanted)
    const roles = rolesOf([...preData, ...largeObjects, ...postData])
    return { ...common, engine: 'built-in', preData, largeObjects, postData, roles }
  }
  const pgRestore = await requireRestoreTool(manifest.pg_dump_version, options.pgRestore)
  const definitions = await parseDdl(await readDefinitions(pgRestore, archiveInput(archive, manifest), context))
  const list = manifest.scope === 'tables' ? await archive.text(contentsName) : undefined
  return { ...common, engine: 'native', pgRestore, definitions, list, roles: rolesOf(definitions.filter(wanted)) }
}

async function readSql(archive: ArchiveReader, name: string): Promise<DdlStatement[]> {
  return parseDdl(await archive.text(name))
}
