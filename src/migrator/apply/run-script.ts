import { type Session, withTransaction } from '../../database/connect.js'
import type { BackfillFunction } from '../backfill/backfill-function.js'
import { refuseBackfill } from '../backfill/function-backfill.js'
import { locate } from '../files/location.js'
import type { MigrationEnvironment, Script } from '../migration.js'
import type { Statement } from '../statements/statements.js'
import { runCopy } from './run-copy.js'
import { atStep, failureOf, StepError } from './step-error.js'
import type { PreparedStep } from './step-run.js'

/** Calls a function of a TypeScript migration. */
export async function runFunction(
  session: Session,
  script: Script,
  run: NonNullable<Script['run']>,
  backfill: BackfillFunction = refuseBackfill,
): Promise<unknown> {
  return atStep(script, async () => run(await environment(session, script, backfill)))
}

/** Kysely is loaded for who needs it, which are migrations in TypeScript. */
async function environment(
  session: Session,
  { directives }: Script,
  backfill: BackfillFunction,
): Promise<MigrationEnvironment> {
  const { kyselyInTransaction, kyselyOn } = await import('../../database/kysely-on.js')
  return { sql: session, db: directives.noTransaction ? kyselyOn(session) : kyselyInTransaction(session), backfill }
}

/** Runs one statement; `number` counts from 1. */
export async function runStatement(
  session: Session,
  script: Script,
  statement: Statement,
  number: number,
): Promise<readonly unknown[]> {
  try {
    if (statement.block) return await runBlock(session, script, statement.block, number)
    if (!statement.rows) return await session.unsafe(statement.sql)
    await runCopy(session, statement.sql, statement.rows)
    return []
  } catch (error) {
    if (error instanceof StepError) throw error
    throw new StepError({ ...failureOf(error, script, statement), statement: number }, error)
  }
}

/** What stands between a `begin` and its `commit` happens wholly or not at all. */
function runBlock(
  session: Session,
  script: Script,
  statements: readonly Statement[],
  number: number,
): Promise<readonly unknown[]> {
  return withTransaction(session, async () => {
    for (const statement of statements) await runStatement(session, script, statement, number)
    return []
  })
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
