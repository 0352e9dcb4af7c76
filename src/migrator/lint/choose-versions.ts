import { UsageError } from '../../errors.js'
import { nearest } from '../../suggest.js'
import type { Migration } from '../migration.js'

/** Which migrations somebody wants to hear about. */
export interface VersionChoice {
  /** Version numbers or ids: `7`, `0007_rollups`. */
  readonly versions: readonly string[]
  /** Everything above this version. */
  readonly since?: number
}

/**
 * The chosen versions, all of them when nothing is chosen.
 *
 * @throws UsageError naming a version that no migration has.
 */
export function chooseVersions(
  migrations: readonly Migration[],
  { versions, since }: VersionChoice,
): ReadonlySet<number> | undefined {
  if (versions.length === 0 && since === undefined) return undefined
  if (since !== undefined) return new Set(migrations.map((one) => one.version).filter((version) => version > since))
  return new Set(versions.map((text) => findVersion(migrations, text)))
}

function findVersion(migrations: readonly Migration[], text: string): number {
  const found = migrations.find((one) => one.id === text || (/^\d+$/.test(text) && one.version === Number(text)))
  if (found) return found.version
  const guess = nearest(
    text,
    migrations.map((one) => one.id),
  )
  throw new UsageError(`no migration is called ${JSON.stringify(text)}${guess ? `, did you mean ${guess}?` : ''}`, {
    code: 'unknown_version',
    hint: 'Name versions as obs migrate status lists them.',
    details: { version: text },
  })
}
