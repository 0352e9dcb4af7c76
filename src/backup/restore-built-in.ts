import type { RunContext } from '../context.js'
import { type Database, type Session, throwIfAborted, withSession, withTransaction } from '../database/connect.js'
import { ObsError } from '../errors.js'
import { setvalStatement } from './built-in.js'
import { checkRestored } from './check-restored.js'
import { loadTables } from './copy-in.js'
import type { DdlStatement } from './ddl.js'
import type { RestorePlan } from './restore-plan.js'
import { applyCopySettings } from './snapshot.js'

type BuiltInPlan = Extract<RestorePlan, { engine: 'built-in' }>

/** Definitions, rows, sequences, then indexes and constraints, checked and committed as one. */
export async function fillBuiltIn(plan: BuiltInPlan, { sql, platform }: Database, context: RunContext): Promise<void> {
  await withSession(sql, (session) =>
    withTransaction(session, async () => {
      context.progress.step('restoring definitions')
      await runStatements(session, plan.preData, platform.serverVersion, context)
      context.progress.step('restoring rows')
      await applyCopySettings(session)
      await loadTables(session, plan.archive, plan.manifest.tables, context)
      for (const sequence of plan.manifest.sequences) await session.unsafe(setvalStatement(sequence))
      context.progress.step('restoring indexes and constraints')
      await runStatements(session, plan.postData, platform.serverVersion, context)
      await checkRestored(session, plan, platform, context)
    }),
  )
}

async function runStatements(
  session: Session,
  statements: readonly DdlStatement[],
  serverVersion: number,
  context: RunContext,
): Promise<void> {
  for (const { sql, setting } of statements) {
    throwIfAborted(context.signal)
    // A dump of a newer server sets what this one may not know.
    if (setting === 'transaction_timeout' && serverVersion < 170_000) continue
    await session.unsafe(sql).catch((error: unknown) => {
      throw statementFailed(sql, error)
    })
  }
}

/** The connection's own errors are explained elsewhere; what the server says of a statement is said with the statement. */
function statementFailed(sql: string, error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'PostgresError') return error
  const code = 'code' in error ? String(error.code) : ''
  if (code.startsWith('57P') || code.startsWith('08')) return error
  const statement = sql.replace(/^(\s*--.*\n|\s+)*/, '').split('\n', 1)[0]
  return new ObsError(`the target refused a statement of the backup: ${error.message} (${statement})`, {
    code: 'restore_failed',
    hint: 'Restore into a server that has what the statement needs; the target is as it was before.',
    cause: error,
    details: { statement: sql, sqlstate: code },
  })
}
