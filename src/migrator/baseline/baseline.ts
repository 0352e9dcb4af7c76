import type { RunContext } from '../../context.js'
import type { Database } from '../../database/connect.js'
import { UsageError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import { type Adopted, adoptionEvents, recordAdoption, refuseHistory } from '../history/adopt.js'
import type { HistoryEvent } from '../history/history.js'
import { withMigrationLock } from '../lock/lock.js'
import type { Migration } from '../migration.js'
import type { Situation } from '../plan/plan.js'
import { readSituation } from '../run/situation.js'
import { type Compared, compareVersions } from './compare-versions.js'
import { countOf, type Difference, sizeOf } from './difference.js'
import { BaselineUnclearError, cannotCompare, differsFrom, matchesNone } from './errors.js'

export interface BaselineOptions {
  /** The version that the database stands at; without it, the one that it matches is found. */
  readonly to?: number
  /** Records the version though the database differs from what its migrations build. */
  readonly acceptDifferences?: boolean
  /** False: records the version without looking. */
  readonly compare?: boolean
  /** Only says what would be recorded: nothing is locked and nothing is changed. */
  readonly dryRun?: boolean
  /** How long to wait for another run; 60 s by default. */
  readonly lockTimeoutMs?: number
}

export interface BaselineResult {
  /** The version that the database is taken to stand at. */
  readonly migration: Migration
  readonly adopted: readonly Adopted[]
  readonly pending: readonly Migration[]
  /** Null when nothing was compared. */
  readonly difference: Difference | null
}

/**
 * Adopts a database that has no history: records the migrations up to a version as
 * applied, without running them.
 *
 * Before that the schema which those migrations build, in a scratch database, is
 * compared with the one that is there.
 *
 * @throws BaselineDiffersError when the two are not the same; BaselineUnclearError when
 *   several versions fit; HistoryNotEmptyError when obs has a history of the pack already.
 */
export async function baseline(
  database: Database,
  pack: Pack,
  options: BaselineOptions,
  context: RunContext,
): Promise<BaselineResult> {
  refuseContradictions(options)
  if (options.dryRun) return (await decide(database, pack, options, context)).result
  const lock = { schema: pack.schema, timeoutMs: options.lockTimeoutMs ?? 60_000 }
  return withMigrationLock(database, lock, context, async (session) => {
    const { result, events } = await decide(database, pack, options, context)
    await recordAdoption(session, pack, events, context)
    return result
  })
}

function refuseContradictions({ to, acceptDifferences, compare = true }: BaselineOptions): void {
  const refuse = (message: string, hint: string) => {
    throw new UsageError(message, { code: 'invalid_baseline', hint: `${hint}; nothing was changed.` })
  }
  if (!compare && acceptDifferences)
    refuse('--no-compare finds no differences that --accept-differences could accept', 'Use one of them')
  if (to !== undefined) return
  if (!compare) refuse('--no-compare needs the version to record', 'Name it with --to')
  if (acceptDifferences) refuse('--accept-differences needs the version to record', 'Name it with --to')
}

interface Decision {
  readonly result: BaselineResult
  readonly events: readonly HistoryEvent[]
}

async function decide(
  database: Database,
  pack: Pack,
  options: BaselineOptions,
  context: RunContext,
): Promise<Decision> {
  const situation = await readSituation(database, pack)
  const { migrations, history, platform } = situation
  refuseHistory(pack, history)
  if (options.to !== undefined) findVersion(situation, options.to)
  const { migration, difference } = await choose(database, pack, situation, options, context)
  const adopted = migrations
    .filter((one) => one.version <= migration.version)
    .map((one) => ({ migration: one, appliedAt: null, durationMs: null }))
  const pending = migrations.filter((one) => one.version > migration.version)
  return {
    result: { migration, adopted, pending, difference },
    events: await adoptionEvents(adopted, platform, remarkOn(difference)),
  }
}

function findVersion({ migrations, folder }: Situation, to: number): Migration {
  const migration = migrations.find((one) => one.version === to)
  if (migration) return migration
  throw new UsageError(`there is no migration with version ${to} in ${folder}`, {
    code: 'unknown_version',
    hint: 'Name the version that the database stands at with --to; obs migrate status lists them. Nothing was changed.',
    details: { to, versions: migrations.map((one) => one.version) },
  })
}

async function choose(
  database: Database,
  pack: Pack,
  situation: Situation,
  { to, compare = true, acceptDifferences = false }: BaselineOptions,
  context: RunContext,
): Promise<{ readonly migration: Migration; readonly difference: Difference | null }> {
  if (to !== undefined && !compare) return { migration: findVersion(situation, to), difference: null }
  if (situation.migrations.length === 0) throw cannotCompare(`there is no migration in ${situation.folder}`)
  const { nearest, stuck } = await compareVersions(database, pack, situation.migrations, to, context)
  const best = nearest.at(-1)
  if (!best) throw cannotCompare(stuck ?? 'no migration was run')
  if (to === undefined) return onlyMatch(pack, nearest, best, stuck)
  if (sizeOf(best.difference) > 0 && !acceptDifferences) throw differsFrom(best.migration, best.difference)
  return best
}

function onlyMatch(pack: Pack, nearest: readonly Compared[], best: Compared, stuck: string | undefined): Compared {
  if (sizeOf(best.difference) > 0) throw matchesNone(pack.name, best.migration, best.difference, stuck)
  if (nearest.length > 1) throw new BaselineUnclearError(nearest.map((one) => one.migration))
  return best
}

function remarkOn(difference: Difference | null): string {
  if (difference === null) return 'baseline, not compared'
  return sizeOf(difference) === 0 ? 'baseline' : `baseline, ${countOf(difference)} accepted`
}
