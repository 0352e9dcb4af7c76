import type { RunContext } from '../../context.js'
import { type Database, type Session, throwIfAborted, withSession, withTransaction } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import { runFunction, runStatement } from '../apply/run-script.js'
import { StepError } from '../apply/step-error.js'
import { searchPath } from '../apply/step-run.js'
import { type Failure, MigrationFilesError } from '../errors.js'
import type { Problem } from '../files/directives.js'
import { type Location, locate } from '../files/location.js'
import { currentVersion, isApplied, presentVersions } from '../history/history.js'
import { chooseScript, type Script } from '../migration.js'
import { type ParsedScript, parseScript } from '../statements/statements.js'
import { readSituation } from './situation.js'

/** What the verify script of one applied migration says today. */
export interface VerifiedMigration {
  readonly version: number
  readonly name: string
  /** `rows`: it returned rows, and none may be; `error`: it did not run; `none`: there is no such script. */
  readonly state: 'passed' | 'rows' | 'error' | 'none'
  readonly rows: number
  /** The first row. */
  readonly sample?: unknown
  readonly error?: string
  readonly location?: Location
}

export interface VerifyResult {
  readonly current: number
  readonly migrations: readonly VerifiedMigration[]
}

interface Task {
  readonly version: number
  readonly name: string
  readonly script: Script | undefined
  readonly parsed: ParsedScript | undefined
}

/**
 * Runs the verify scripts of all applied migrations again, in one transaction that sees
 * one state of the database and that the server keeps from writing.
 *
 * A script that fails does not keep the others from running.
 *
 * @throws MigrationFilesError when a script cannot be parsed.
 */
export async function verifyApplied(database: Database, pack: Pack, context: RunContext): Promise<VerifyResult> {
  const { migrations, history, platform } = await readSituation(database, pack)
  const problems: Problem[] = []
  const tasks: Task[] = []
  for (const { version, name } of presentVersions(history).filter(isApplied)) {
    const migration = migrations.find((one) => one.version === version)
    const script = migration && chooseScript(migration.verify, platform)
    const parsed = script && !script.run ? await parse(script, database, problems) : undefined
    tasks.push({ version, name, script, parsed })
  }
  if (problems.length > 0) throw new MigrationFilesError(problems)
  const found = await withSession(database.sql, (session) =>
    withTransaction(
      session,
      () => runAll(session, pack, tasks, context),
      'begin isolation level repeatable read, read only',
    ),
  )
  return { current: currentVersion(history), migrations: found }
}

async function parse(script: Script, { platform }: Database, problems: Problem[]): Promise<ParsedScript> {
  const result = await parseScript(script, platform.serverVersion)
  problems.push(...result.problems)
  return result.parsed
}

async function runAll(
  session: Session,
  { schema }: Pack,
  tasks: readonly Task[],
  context: RunContext,
): Promise<readonly VerifiedMigration[]> {
  await session.unsafe(`set local search_path to ${searchPath(schema)}`)
  const found: VerifiedMigration[] = []
  for (const [i, task] of tasks.entries()) {
    throwIfAborted(context.signal)
    found.push(await runOne(session, task))
    context.progress.advance(i + 1, tasks.length, 'migrations verified')
  }
  return found
}

async function runOne(session: Session, { version, name, script, parsed }: Task): Promise<VerifiedMigration> {
  if (!script) return { version, name, state: 'none', rows: 0 }
  await session`savepoint obs_verify`
  try {
    const broken = await firstRows(session, script, parsed)
    if (!broken) return { version, name, state: 'passed', rows: 0 }
    const { rows, location } = broken
    return { version, name, state: 'rows', rows: rows.length, sample: plain(rows[0]), location }
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    return { version, name, state: 'error', rows: 0, ...facts(error.failure) }
  } finally {
    await session`rollback to savepoint obs_verify`
  }
}

async function firstRows(
  session: Session,
  script: Script,
  parsed: ParsedScript | undefined,
): Promise<{ readonly rows: readonly unknown[]; readonly location: Location } | undefined> {
  if (script.run) {
    const rows = await runFunction(session, script, script.run)
    return Array.isArray(rows) && rows.length > 0 ? { rows, location: locate(script.file, script.text, 0) } : undefined
  }
  for (const [i, statement] of (parsed?.statements ?? []).entries()) {
    const rows = await runStatement(session, script, statement, i + 1)
    if (rows.length > 0) return { rows, location: locate(script.file, script.text, statement.index) }
  }
  return undefined
}

function facts({ message, location }: Failure): Pick<VerifiedMigration, 'error' | 'location'> {
  return { error: message, ...(location ? { location } : {}) }
}

/** As JSON has it, which knows no bigint. */
function plain(row: unknown): unknown {
  const text = JSON.stringify(row, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
  return JSON.parse(text)
}
