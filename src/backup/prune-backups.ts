import type { RunContext } from '../context.js'
import { throwIfAborted } from '../database/connect.js'
import {
  deletingNames,
  explainWriteError,
  finishRemovals,
  partialArchives,
  removeArchive,
  removeDeadPartials,
} from './archive.js'
import { listBackups } from './list-backups.js'
import { planRetention, type RetentionPolicy, type RetentionVerdict } from './retention.js'

/** What would be removed, and what not. */
export interface PrunePlan {
  readonly directory: string
  readonly verdicts: readonly RetentionVerdict[]
  /** What runs that died left behind: partial folders, and removals that were not finished. */
  readonly remains: readonly string[]
  /** Folders that a person has to look at: damaged ones, and partial ones of other hosts. */
  readonly leftAlone: readonly string[]
}

/** Decides what to remove from `directory` and changes nothing. */
export async function planPrune(
  directory: string,
  policy: RetentionPolicy,
  needed: ReadonlyMap<string, string>,
  now = Date.now(),
): Promise<PrunePlan> {
  const backups = await listBackups(directory)
  const partial = await partialArchives(directory)
  return {
    directory,
    verdicts: planRetention(backups, policy, needed, now),
    remains: [
      ...partial.filter(({ owner }) => owner === 'dead').map(({ name }) => name),
      ...(await deletingNames(directory)),
    ],
    leftAlone: [
      ...backups.filter(({ state }) => state === 'damaged').map(({ id }) => id),
      ...partial.filter(({ owner }) => owner === 'unknown').map(({ name }) => name),
    ],
  }
}

/** The ids of the backups that a plan removes, oldest first. */
export function doomed({ verdicts }: PrunePlan): readonly string[] {
  return verdicts
    .filter(({ keptBecause }) => keptBecause.length === 0)
    .map(({ backup }) => backup.id)
    .sort()
}

/**
 * Removes what the plan says, oldest first; what is gone after an interruption is gone, the rest is whole.
 *
 * @returns the ids of the backups that were removed.
 */
export async function prune(plan: PrunePlan, { progress, signal }: RunContext): Promise<readonly string[]> {
  const { directory } = plan
  const removed: string[] = []
  try {
    await removeDeadPartials(directory)
    await finishRemovals(directory)
    for (const id of doomed(plan)) {
      throwIfAborted(signal)
      progress.step(`removing ${id}`)
      await removeArchive(directory, id)
      removed.push(id)
    }
  } catch (error) {
    throw explainWriteError(error, directory)
  }
  return removed
}
