import type { Database } from '../../database/connect.js'
import type { PlatformName } from '../../database/platform.js'
import { MigrationFilesError } from '../errors.js'
import { chooseScript, type Direction, type Migration, type Script } from '../migration.js'
import { prepareSteps } from '../prepare.js'
import type { PreparedStep } from '../step-run.js'

/** One migration with both of its ways, ready to run. */
export interface Trip {
  readonly migration: Migration
  readonly up: PreparedStep
  readonly down: PreparedStep | undefined
}

/**
 * Prepares every migration up to version `to`, oldest first.
 *
 * @throws MigrationFilesError with everything that is wrong in all files.
 */
export async function prepareTrips(
  database: Database,
  migrations: readonly Migration[],
  to: number,
): Promise<readonly Trip[]> {
  const platform = database.platform.name
  const chosen = migrations.filter((migration) => migration.version <= to)
  const ups = chosen.map((migration) => upStep(migration, platform))
  const downs = ups.flatMap((up) => downStep(up) ?? [])
  const prepared = await prepareSteps(database, [...ups, ...downs])
  const find = (migration: Migration, direction: Direction) =>
    prepared.find((step) => step.migration === migration && step.direction === direction)
  return chosen.flatMap((migration) => {
    const up = find(migration, 'up')
    return up ? [{ migration, up, down: find(migration, 'down') }] : []
  })
}

function upStep(migration: Migration, platform: PlatformName) {
  const script = chooseScript(migration.up, platform)
  if (!script) throw new MigrationFilesError([{ message: `${migration.id} has no form for ${platform}` }])
  return step(migration, 'up', script, chooseScript(migration.verify, platform))
}

/** The down that belongs to the form of the up, as `obs migrate down` chooses it. */
function downStep({ migration, script: up }: ReturnType<typeof upStep>) {
  const script = chooseScript(migration.down, up.variant)
  return script && step(migration, 'down', script, undefined)
}

function step(migration: Migration, direction: Direction, script: Script, verify: Script | undefined) {
  return { migration, direction, script, verify, resumeAt: 1, doneStatements: [], remark: null }
}
