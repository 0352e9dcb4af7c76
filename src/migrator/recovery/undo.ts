import type { RunContext } from '../../context.js'
import { type Session, withTransaction } from '../../database/connect.js'
import { codeOf, exitCodes, ObsError } from '../../errors.js'
import { StepError } from '../apply/step-error.js'
import { searchPath, statementChecksum } from '../apply/step-run.js'
import { describeBlockers } from '../errors.js'
import { recordEvent } from '../history/history.js'
import { withLockRetry } from '../lock/lock-wait.js'
import { chooseScript } from '../migration.js'
import { parseScript, parseStatement, type Statement } from '../statements/statements.js'
import { contentOf } from '../statements/written-name.js'
import { clearAway } from './clear-away.js'
import type { Investigation } from './investigate.js'
import { nextStatement, type Recovery, settledEvent } from './recover.js'
import { deriveInverse, tolerant } from './undo-statement.js'

/** How a half-done migration can be taken back, or why it cannot. */
export type Undo =
  | {
      readonly possible: true
      /** Where the statements come from: what ran, or the down file. */
      readonly from: 'statements' | 'down file'
      /** Runs first, and cannot run in a transaction. */
      readonly cleanup: readonly string[]
      /** Run in one transaction with the row that says so. */
      readonly sql: readonly string[]
    }
  | { readonly possible: false; readonly reason: string }

/**
 * Decides how to take back what a half-done `up` did: by dropping what its statements
 * made, or by its down file when every statement of that says `if exists`.
 */
export async function planUndo(found: Investigation, serverVersion: number): Promise<Undo> {
  const { record, statements, evidence } = found
  const next = nextStatement(found)
  if (record.direction === 'down') return refused('what a down has dropped is in the backup, not in its file')
  if (next === undefined) return refused('the catalog does not tell whether the statement it broke off in took effect')
  const ran = statements.slice(0, next - 1)
  const checksums = [...record.doneStatements, ...(next > record.statement ? [statementChecksum(found.statement)] : [])]
  if (ran.length < next - 1 || ran.some((one, i) => statementChecksum(one) !== checksums[i]))
    return refused('the file no longer says what was run')
  const cleanup = evidence?.verdict === 'done' ? [] : (evidence?.cleanup ?? [])
  const begun = record.begun === undefined ? [] : [await parseStatement(record.begun)]
  const all = [...ran, ...begun]
  const inverse = all.some(changesNames) ? { impossible: all.findIndex(changesNames) } : deriveInverse(all)
  if ('sql' in inverse) {
    const [last = '', ...others] = inverse.sql
    // A build in pieces may have broken off before it declared the index.
    const sql = begun.length > 0 ? [last.replace(/^drop index /, 'drop index if exists '), ...others] : inverse.sql
    return { possible: true, from: 'statements', cleanup, sql: sql.filter((one) => one !== '') }
  }
  const down = await tolerantDown(found, serverVersion)
  if (down) return { possible: true, from: 'down file', cleanup, sql: down }
  return refused(
    `statement ${inverse.impossible + 1} cannot be taken back with certainty, and there is no down file that says "if exists" throughout`,
  )
}

function refused(reason: string): Undo {
  return { possible: false, reason }
}

/** After it, the same name may mean something else. */
function changesNames(statement: Statement): boolean {
  const [kind, content] = contentOf(statement)
  return (
    kind === 'VariableSetStmt' && ['search_path', 'role', 'session_authorization'].includes(String(content['name']))
  )
}

async function tolerantDown(
  { migration, record }: Investigation,
  serverVersion: number,
): Promise<readonly string[] | undefined> {
  const script = migration && chooseScript(migration.down, record.variant)
  if (!script || script.run) return undefined
  const { parsed, problems } = await parseScript(script, serverVersion)
  const sql = parsed.statements.flatMap((statement) => statement.block ?? [statement]).map(tolerant)
  if (problems.length > 0 || sql.length === 0) return undefined
  return sql.every((one) => one !== undefined) ? sql : undefined
}

/**
 * Takes a half-done migration back, in one transaction with the history row that says so.
 *
 * @throws ObsError when a statement fails; then nothing was changed.
 */
export async function runUndo(
  session: Session,
  { pack, facts, locks }: Recovery,
  { record, id }: Investigation,
  undo: Extract<Undo, { possible: true }>,
  context: RunContext,
): Promise<void> {
  await clearAway(session, locks, id, undo.cleanup, context)
  const settings = `set local search_path to ${searchPath(pack.schema)}; set local lock_timeout to ${locks.attemptMs}`
  try {
    await withLockRetry(locks, id, context, () =>
      withTransaction(session, async () => {
        await session.unsafe(settings)
        for (const sql of undo.sql) await run(session, sql)
        await recordEvent(session, facts, settledEvent(record, 'down', 'applied', 'undone by obs migrate repair'))
      }),
    )
  } catch (error) {
    throw error instanceof StepError ? undoFailed(id, error) : error
  }
}

async function run(session: Session, sql: string): Promise<void> {
  try {
    await session.unsafe(sql)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new StepError({ message: `${sql}: ${message}`, sqlState: codeOf(cause) }, cause)
  }
}

function undoFailed(id: string, { failure, cause }: StepError): ObsError {
  const blocked = failure.blockers?.length ? `; blocked by ${describeBlockers(failure.blockers)}` : ''
  return new ObsError(`${id} could not be taken back: ${failure.message}${blocked}`, {
    code: 'undo_failed',
    exitCode: failure.sqlState === '55P03' ? exitCodes.lockTimeout : exitCodes.failed,
    cause,
    hint: `Take it back by hand and run obs migrate repair --mark reverted, or go on with --resume; nothing was changed.`,
    details: { migration: id, ...failure },
  })
}
