import type { RunContext } from '../../context.js'
import { type Session, throwIfAborted, withTransaction } from '../../database/connect.js'
import type { PlatformName } from '../../database/platform.js'
import { ObsError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import { checksumOf } from '../checksum/checksum.js'
import { MigrationFilesError } from '../errors.js'
import { chooseScript, type Migration, type Script } from '../migration.js'
import { ensureHistory, type HistoryEvent, type HistoryState, presentVersions, recordEvent } from './history.js'
import { factsAbout } from './run-facts.js'

/** A migration that is applied already, though obs did not apply it. */
export interface Adopted {
  readonly migration: Migration
  /** Null when nobody knows. */
  readonly appliedAt: Date | null
  readonly durationMs: number | null
}

/** The database has a history of obs, which says already what is applied; nothing was changed. */
export class HistoryNotEmptyError extends ObsError {
  constructor(
    readonly pack: string,
    readonly versions: readonly number[],
  ) {
    super(
      `obs has a history of ${pack} in this database already: ${versions.length} applied, up to ${versions.at(-1)}`,
      {
        code: 'history_not_empty',
        hint: 'Run obs migrate status to see where it stands; import and baseline are for a database that obs has not migrated. Nothing was changed.',
        details: { pack, versions },
      },
    )
  }
}

/**
 * Refuses a history in which anything is applied or half done. Attempts that were
 * rolled back are no obstacle.
 */
export function refuseHistory(pack: Pack, history: HistoryState): void {
  const present = presentVersions(history)
  if (present.length > 0) {
    throw new HistoryNotEmptyError(
      pack.name,
      present.map((record) => record.version),
    )
  }
}

/**
 * The history rows that say that migrations are applied, without running any.
 *
 * @throws MigrationFilesError when one has no form for the platform.
 */
export async function adoptionEvents(
  adopted: readonly Adopted[],
  platform: PlatformName,
  remark: string,
): Promise<readonly HistoryEvent[]> {
  const without = adopted.filter(({ migration }) => chooseScript(migration.up, platform) === undefined)
  if (without.length > 0) {
    throw new MigrationFilesError(
      without.map(({ migration: { id } }) => ({ message: `${id} has no form for ${platform}` })),
    )
  }
  const events: HistoryEvent[] = []
  for (const one of adopted) {
    const script = chooseScript(one.migration.up, platform)
    if (script) events.push(eventOf(one, script, await checksumOf(script), remark))
  }
  return events
}

function eventOf(
  { migration, appliedAt, durationMs }: Adopted,
  script: Script,
  checksum: string,
  remark: string,
): HistoryEvent {
  return {
    version: migration.version,
    name: migration.name,
    direction: 'up',
    checksum,
    variant: script.variant,
    state: 'applied',
    in_transaction: true,
    started_at: appliedAt ?? new Date(),
    finished_at: appliedAt,
    duration_ms: durationMs,
    statement: null,
    error: null,
    backup_id: null,
    receipt: null,
    script: script.text,
    remark,
  }
}

/** Writes the rows in one transaction: all of them, or none. The caller holds the migration lock. */
export async function recordAdoption(
  session: Session,
  pack: Pack,
  events: readonly HistoryEvent[],
  { signal }: RunContext,
): Promise<void> {
  throwIfAborted(signal)
  await ensureHistory(session, pack)
  const facts = await factsAbout(session, pack)
  await withTransaction(session, async () => {
    for (const event of events) await recordEvent(session, facts, event)
  })
}
