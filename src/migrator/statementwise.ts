import type { RunContext } from '../context.js'
import { type Session, throwIfAborted } from '../database/connect.js'
import { recordEvent } from './history.js'
import { locate } from './location.js'
import type { PreservationReceipt } from './preservation.js'
import { runFunction, runStatement, runVerify } from './run-script.js'
import { mayChangeSettings, restoreSettings } from './session-settings.js'
import { isSetting, type Statement } from './statements.js'
import { StepError } from './step-error.js'
import { finished, type PreparedStep, type Run, reached, searchPath, statementChecksum, touched } from './step-run.js'

/**
 * Runs the statements one by one, each committed by itself.
 *
 * The row written before a statement says that it is about to run; should the process
 * die in it, that row is the last one and the history is dirty. When the server
 * reports an error instead, the statement had no effect and can be run again.
 */
export async function applyStatementwise(
  session: Session,
  run: Run,
  step: PreparedStep,
  started: Date,
  context: RunContext,
): Promise<PreservationReceipt> {
  await session.unsafe(sessionSettings(run))
  const statements = step.parsed?.statements ?? []
  const total = step.script.run ? 1 : statements.length
  refuseOtherBeginning(step, statements)
  await setAgain(session, step, statements)
  for (let number = step.resumeAt; number <= total; number++) {
    throwIfAborted(context.signal)
    await recordEvent(session, run.facts, reached(run, step, started, 'running', number))
    const statement = statements[number - 1]
    if (step.script.run) await runFunction(session, step.script, step.script.run)
    else if (statement) await runStatement(session, step.script, statement, number)
    context.progress.advance(number, total, 'statements')
  }
  if (mayChangeSettings(step)) await restoreSettings(session, sessionSettings(run))
  await atNumber(total + 1, () => runVerify(session, step))
  const untouched = touched(step).length === 0
  const receipt: PreservationReceipt = { mode: untouched ? run.preserve : 'off', tables: [] }
  await session`reset role`
  await recordEvent(session, run.facts, finished(run, step, started, receipt))
  return receipt
}

function sessionSettings({ schema, ddlLockTimeoutMs }: Run): string {
  return `set search_path to ${searchPath(schema)}; set lock_timeout to ${ddlLockTimeoutMs}`
}

/** What the file set before the statement to go on with was lost with the session it was set in. */
async function setAgain(session: Session, step: PreparedStep, statements: readonly Statement[]): Promise<void> {
  for (const [i, statement] of statements.slice(0, step.resumeAt - 1).entries()) {
    if (isSetting(statement.tree)) await runStatement(session, step.script, statement, i + 1)
  }
}

/** What ran already has to be what the file still begins with. */
function refuseOtherBeginning({ doneStatements, script }: PreparedStep, statements: readonly Statement[]): void {
  const index = doneStatements.findIndex((done, i) => done !== statementChecksum(statements[i]))
  if (index < 0) return
  const message = `statement ${index + 1} ran already and says something else now`
  const location = locate(script.file, script.text, statements[index]?.index ?? script.text.length)
  throw new StepError(
    { message, location, advice: `Restore the first ${doneStatements.length} statements of the file as they were.` },
    undefined,
  )
}

async function atNumber(statement: number, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof StepError) throw new StepError({ ...error.failure, statement }, error.cause)
    throw error
  }
}
