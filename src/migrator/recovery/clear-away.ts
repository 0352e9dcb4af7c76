import type { RunContext } from '../../context.js'
import type { Session } from '../../database/connect.js'
import { exitCodes, ObsError } from '../../errors.js'
import { type LockPolicy, withLockRetry } from '../lock/lock-wait.js'

/**
 * Runs what clears away, or completes, the half-done work of a statement.
 *
 * Such statements (`drop index concurrently`) hold nobody up while they wait, so they
 * wait as long as it takes, and say for whom.
 *
 * @throws ObsError with the statement that did not succeed, so that somebody can run it.
 */
export async function clearAway(
  session: Session,
  locks: LockPolicy,
  migration: string,
  cleanup: readonly string[],
  context: RunContext,
): Promise<void> {
  if (cleanup.length === 0) return
  const [row] = await session<{ limit: string }[]>`select current_setting('lock_timeout') as limit`
  await session`set lock_timeout to 0`
  try {
    for (const sql of cleanup) {
      await withLockRetry({ ...locks, attemptMs: 0 }, migration, context, () => clear(session, migration, sql))
    }
  } finally {
    await session`select set_config('lock_timeout', ${row?.limit ?? '0'}, false)`.catch(() => undefined)
  }
}

async function clear(session: Session, migration: string, sql: string): Promise<void> {
  try {
    await session.unsafe(sql)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ObsError(`could not clear away what ${migration} left: ${why}`, {
      code: 'cleanup_failed',
      exitCode: exitCodes.dirty,
      cause,
      hint: `Run ${sql}; yourself, then the command again.`,
      details: { migration, statement: sql },
    })
  }
}
