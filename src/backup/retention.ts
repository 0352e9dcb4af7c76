import type { BackupEntry } from './list-backups.js'

/** Which backups to keep; a rule that is undefined keeps none. */
export interface RetentionPolicy {
  /** The newest ones. */
  readonly keepLast?: number
  /** The newest one of each of the last days, in UTC, on which there are some. */
  readonly keepDaily?: number
  /** The newest one of each of the last weeks, which begin on Monday. */
  readonly keepWeekly?: number
  /** Those that are not older than this many milliseconds. */
  readonly olderThan?: number
}

/** What a policy means for one backup. */
export interface RetentionVerdict {
  readonly backup: BackupEntry
  /** Why it is kept; empty when it is not. */
  readonly keptBecause: readonly string[]
}

/**
 * Decides which complete backups go.
 *
 * Databases are looked at one by one, and backups of everything apart from those of a part, so that a
 * backup of three tables never takes the place of a whole one. Of each kind the newest stays whatever the
 * policy says, and so does the newest one that was restored once. Damaged ones are for a person to look at.
 *
 * @param needed why backups are needed elsewhere, by id.
 */
export function planRetention(
  backups: readonly BackupEntry[],
  policy: RetentionPolicy,
  needed: ReadonlyMap<string, string>,
  now: number,
): readonly RetentionVerdict[] {
  const complete = backups.filter((backup) => backup.state === 'complete')
  const kinds = new Map<string, BackupEntry[]>()
  for (const backup of [...complete].sort(byTime)) {
    const kind = JSON.stringify([backup.database, backup.scope === 'full'])
    kinds.set(kind, [...(kinds.get(kind) ?? []), backup])
  }
  return [...kinds.values()].flatMap((kind) => judge(kind, policy, needed, now))
}

/** Newest first. */
function byTime(a: BackupEntry, b: BackupEntry): number {
  return timeOf(b) - timeOf(a) || (a.id < b.id ? 1 : -1)
}

function timeOf({ created_at }: BackupEntry): number {
  return Date.parse(created_at ?? '')
}

function judge(
  newestFirst: readonly BackupEntry[],
  policy: RetentionPolicy,
  needed: ReadonlyMap<string, string>,
  now: number,
): readonly RetentionVerdict[] {
  const { keepLast = 0, keepDaily = 0, keepWeekly = 0, olderThan } = policy
  const daily = newestOfEach(newestFirst, keepDaily, (backup) => Math.floor(timeOf(backup) / day))
  const weekly = newestOfEach(newestFirst, keepWeekly, (backup) => Math.floor((timeOf(backup) / day + thursday) / 7))
  const newestRestored = newestFirst.find(({ proof }) => proof?.level === 'restored')
  return newestFirst.map((backup, index) => {
    const why = needed.get(backup.id)
    const reasons: readonly (string | false)[] = [
      index === 0 && 'the newest one',
      backup === newestRestored && 'the newest one that was restored',
      why !== undefined && why,
      index < keepLast && `--keep-last ${keepLast}`,
      daily.has(backup) && `--keep-daily ${keepDaily}`,
      weekly.has(backup) && `--keep-weekly ${keepWeekly}`,
      olderThan !== undefined && now - timeOf(backup) <= olderThan && 'not old enough',
    ]
    return { backup, keptBecause: reasons.filter((reason) => reason !== false) }
  })
}

const day = 86_400_000
/** Days from a Monday to 1 January 1970, a Thursday. */
const thursday = 3

function newestOfEach(
  newestFirst: readonly BackupEntry[],
  count: number,
  period: (backup: BackupEntry) => number,
): ReadonlySet<BackupEntry> {
  const found = new Map<number, BackupEntry>()
  for (const backup of newestFirst) {
    if (!found.has(period(backup)) && found.size < count) found.set(period(backup), backup)
  }
  return new Set(found.values())
}
