import type { Database } from '../../database/connect.js'
import type { PlatformName } from '../../database/platform.js'
import type { Pack } from '../../packs.js'
import { findChanges, hasChanged } from '../checksum/changes.js'
import type { Change } from '../checksum/difference.js'
import { discover } from '../files/discover.js'
import { chooseScript, type Migration } from '../migration.js'
import { currentVersion, foldHistory, presentVersions, readHistory, type VersionRecord } from './history.js'

export type MigrationState = 'applied' | 'pending' | 'dirty' | 'changed' | 'missing'

export interface MigrationStatus {
  readonly version: number
  readonly name: string
  readonly state: MigrationState
  readonly appliedAt: Date | null
  readonly durationMs: number | null
  /** There is a down to revert it with. */
  readonly reversible: boolean
  /** For a dirty migration: which statement it got to, and in which direction. */
  readonly stoppedAt: {
    readonly direction: 'up' | 'down'
    readonly statement: number
    readonly certain: boolean
  } | null
}

export interface StatusResult {
  readonly pack: string
  readonly platform: PlatformName
  /** The highest version that is applied; 0 when none is. */
  readonly current: number
  readonly migrations: readonly MigrationStatus[]
  /** How files differ from what was applied. */
  readonly changes: readonly Change[]
}

/** Says where a pack stands; reads only. */
export async function migrationStatus({ sql, platform }: Database, pack: Pack): Promise<StatusResult> {
  const migrations = await discover(pack.migrations)
  const history = foldHistory(await readHistory(sql, pack))
  const changes = await findChanges(sql, pack, migrations, history)
  const known = new Set(migrations.map((migration) => migration.version))
  const lost = presentVersions(history).filter((record) => !known.has(record.version))
  const rows = [
    ...migrations.map((migration) => statusOf(migration, history.get(migration.version), platform.name)),
    ...lost.map(missing),
  ]
  return {
    pack: pack.name,
    platform: platform.name,
    current: currentVersion(history),
    migrations: rows.sort((a, b) => a.version - b.version),
    changes,
  }
}

function statusOf(migration: Migration, record: VersionRecord | undefined, platform: PlatformName): MigrationStatus {
  return {
    version: migration.version,
    name: migration.name,
    state: stateOf(migration, record),
    appliedAt: record?.appliedAt ?? null,
    durationMs: record?.durationMs ?? null,
    reversible: chooseScript(migration.down, record?.variant ?? platform) !== undefined,
    stoppedAt: stoppedAt(record),
  }
}

function stateOf(migration: Migration, record: VersionRecord | undefined): MigrationState {
  if (!record || record.state === 'reverted') return 'pending'
  if (record.state !== 'applied') return 'dirty'
  return hasChanged(migration, record) ? 'changed' : 'applied'
}

function stoppedAt(record: VersionRecord | undefined): MigrationStatus['stoppedAt'] {
  if (record?.state !== 'stopped' && record?.state !== 'unknown') return null
  return { direction: record.direction, statement: record.statement, certain: record.state === 'stopped' }
}

function missing(record: VersionRecord): MigrationStatus {
  const { version, name, appliedAt, durationMs } = record
  return { version, name, state: 'missing', appliedAt, durationMs, reversible: false, stoppedAt: stoppedAt(record) }
}
