import type { Session } from '../database/connect.js'
import { locate } from './location.js'
import type { Script } from './migration.js'
import type { Statement } from './statements.js'
import { atStep, failureOf, StepError } from './step-error.js'
import type { PreparedStep } from './step-run.js'

/** Calls a function of a TypeScript migration. */
export async function runFunction(session: Session, script: Script, run: NonNullable<Script['run']>): Promise<unknown> {
  return atStep(script, () => run({ sql: session }))
}

/** Runs one statement; `number` counts from 1. */
export async function runStatement(
  session: Session,
  script: Script,
  statement: Statement,
  number: number,
): Promise<readonly unknown[]> {
  try {
    return await session.unsafe(statement.sql)
  } catch (error) {
    throw new StepError({ ...failureOf(error, script, statement), statement: number }, error)
  }
}

/** Verification queries state what must not be there, so a row is a failure. */
export async function runVerify(session: Session, { verify, parsedVerify }: PreparedStep): Promise<void> {
  if (verify?.run) refuseRows(await runFunction(session, verify, verify.run), verify, undefined)
  for (const [i, statement] of (parsedVerify?.statements ?? []).entries()) {
    if (!verify) return
    refuseRows(await runStatement(session, verify, statement, i + 1), verify, statement)
  }
}

function refuseRows(rows: unknown, script: Script, statement: Statement | undefined): void {
  if (!Array.isArray(rows) || rows.length === 0) return
  const sample = JSON.stringify(rows[0], (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
  throw new StepError(
    {
      message: `the verification returned ${rows.length} ${rows.length === 1 ? 'row' : 'rows'} where none may be`,
      detail: `the first is ${sample.slice(0, 500)}`,
      location: locate(script.file, script.text, statement?.index ?? 0),
    },
    undefined,
  )
}
