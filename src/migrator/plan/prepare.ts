import type { Database } from '../../database/connect.js'
import type { PreparedStep } from '../apply/step-run.js'
import { findBackfills } from '../backfill/find-backfills.js'
import { MigrationFilesError } from '../errors.js'
import type { Problem } from '../files/directives.js'
import type { Script } from '../migration.js'
import { type ParsedScript, parseScript } from '../statements/statements.js'
import type { Step } from './plan.js'

/**
 * Parses every file of a plan and checks what it requires, before anything is touched.
 *
 * @param earlier an earlier plan, whose files need not be parsed again
 * @throws MigrationFilesError with all that is wrong in all files.
 */
export async function prepareSteps(
  database: Database,
  steps: readonly Step[],
  earlier: readonly PreparedStep[] = [],
): Promise<readonly PreparedStep[]> {
  const known = new Map(earlier.map((step) => [step.script, step]))
  const problems: Problem[] = []
  const prepared: PreparedStep[] = []
  for (const step of steps) {
    const same = known.get(step.script)
    if (same) {
      prepared.push({ ...step, parsed: same.parsed, parsedVerify: same.parsedVerify })
      continue
    }
    const parsed = await parse(step.script, database, problems)
    const parsedVerify = step.verify && (await parse(step.verify, database, problems))
    prepared.push({ ...step, parsed, parsedVerify })
  }
  problems.push(...(await missingExtensions(database, steps)))
  if (problems.length > 0) throw new MigrationFilesError(problems)
  return prepared
}

async function parse(script: Script, { platform }: Database, problems: Problem[]): Promise<ParsedScript | undefined> {
  if (script.run) return undefined
  const { parsed, problems: found } = await parseScript(script, platform.serverVersion)
  problems.push(...found)
  if (found.length > 0) return parsed
  const backfills = await findBackfills(script, parsed)
  problems.push(...backfills.problems)
  return { ...parsed, statements: backfills.statements }
}

async function missingExtensions({ sql }: Database, steps: readonly Step[]): Promise<readonly Problem[]> {
  const wanted = steps.filter((step) => step.direction === 'up' && step.script.directives.requires.length > 0)
  if (wanted.length === 0) return []
  const rows = await sql<{ name: string }[]>`select name from pg_available_extensions`
  const available = new Set(rows.map((row) => row.name))
  return wanted.flatMap(({ migration, script }) =>
    script.directives.requires
      .filter((name) => !available.has(name))
      .map((name) => ({ message: `${migration.id} requires the extension ${name}, which this server does not offer` })),
  )
}
