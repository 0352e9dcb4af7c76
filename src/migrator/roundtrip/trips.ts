import type { Database } from '../../database/connect.js'
import type { PlatformName } from '../../database/platform.js'
import { UsageError } from '../../errors.js'
import type { PreparedStep } from '../apply/step-run.js'
import { MigrationFilesError } from '../errors.js'
import { chooseScript, type Direction, type Migration, type Script } from '../migration.js'
import { prepareSteps } from '../plan/prepare.js'
import { reachesBeyond } from '../scratch/whole-server.js'

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
 * @throws UsageError naming the statements that would reach out of the scratch database.
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
  refuseBeyond(prepared)
  const find = (migration: Migration, direction: Direction) =>
    prepared.find((step) => step.migration === migration && step.direction === direction)
  return chosen.flatMap((migration) => {
    const up = find(migration, 'up')
    return up ? [{ migration, up, down: find(migration, 'down') }] : []
  })
}

/** A scratch database is a place of its own, but its server is not. */
function refuseBeyond(steps: readonly PreparedStep[]): void {
  const beyond = steps.flatMap(({ script, parsed }) => (parsed && reachesBeyond(script, parsed)) ?? [])
  if (beyond.length === 0) return
  throw new UsageError(beyond.join('\n'), {
    code: 'beyond_database',
    hint: 'Name a version below with --to; nothing was changed.',
    details: { statements: beyond },
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
