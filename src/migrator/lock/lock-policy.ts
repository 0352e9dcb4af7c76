import type { Database, Session } from '../../database/connect.js'
import type { LockPolicy } from './lock-wait.js'

/** How patient a run is asked to be about tables that others use. */
export interface LockPatience {
  /** How long one attempt may wait for a lock on a table, while others queue behind it; 2 s by default, 0 for ever. */
  readonly ddlLockTimeoutMs?: number
  /** How long to go on with new attempts; a minute by default. */
  readonly ddlRetryForMs?: number
}

/** The patience of a run whose migrations run in this session. */
export async function lockPolicy(
  session: Session,
  { sql }: Database,
  { ddlLockTimeoutMs = 2_000, ddlRetryForMs = 60_000 }: LockPatience,
): Promise<LockPolicy> {
  const [row] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`
  return { sql, pid: row?.pid ?? 0, attemptMs: ddlLockTimeoutMs, retryForMs: ddlRetryForMs }
}
