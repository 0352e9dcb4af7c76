import { join } from 'node:path'
import { loadPackValidation } from '../../../src/commands/pack-validation.js'
import { quietContext } from '../../../src/context.js'
import type { Database, Sql } from '../../../src/database/connect.js'
import { loadCsv } from '../../../src/database/load-csv.js'
import { observability } from '../../../src/generators/observability/pack.js'
import { seed } from '../../../src/generators/seed.js'
import { migrateUp } from '../../../src/migrator/run/up.js'
import { packageRoot } from '../../../src/package.js'
import { resolvePack } from '../../../src/packs.js'
import type { CheckResult, ValidationResult } from '../../../src/validators/result.js'
import { selectSuites } from '../../../src/validators/suites.js'
import { validate } from '../../../src/validators/validate.js'
import { demoWorkspace } from '../../support/observability.js'

const pack = resolvePack('observability', [], packageRoot)
const context = quietContext()

/** Carries the MVP data set over to the newest version, beginning with its adoption. */
export async function migrateMvp(database: Database): Promise<void> {
  await migrateUp(database, pack, { to: 1 }, context)
  for (const table of ['traces', 'events', 'performance_metrics']) {
    await loadCsv(database.sql, { schema: 'public', table }, join(packageRoot, `fixtures/mvp/${table}.csv`), context)
  }
  await database.sql`drop schema obs cascade`
  await migrateUp(database, pack, {}, context)
}

/** Adds a generated history that ends on 22 November 2026. */
export async function seedHistory(database: Database, days: number, scale: number): Promise<void> {
  const asOf = new Date('2026-11-22T00:00:00Z')
  await seed(database, { generators: observability, days, asOf, scale, workspace: demoWorkspace }, context)
}

/** Runs the suites called `names`, or all of them. */
export async function validated(database: Database, ...names: string[]): Promise<ValidationResult> {
  const { suites, facts } = await loadPackValidation(pack)
  return validate(database, selectSuites(suites, names), { schema: pack.schema, facts }, context)
}

/** The checks that did not pass, by id; those that found nothing to look at are left out. */
export function complaints({ checks }: ValidationResult): Record<string, Pick<CheckResult, 'status' | 'rows_failing'>> {
  const loud = checks.filter(({ status }) => status === 'failed' || status === 'warned')
  return Object.fromEntries(loud.map(({ id, status, rows_failing }) => [id, { status, rows_failing }]))
}

export function checkCalled(result: ValidationResult, id: string): CheckResult {
  const check = result.checks.find((candidate) => candidate.id === id)
  if (!check) throw new Error(`there is no check ${id}`)
  return check
}

/** Runs the statements in one session, which then forgets its settings. */
export async function plant(sql: Sql, statements: string): Promise<void> {
  const session = await sql.reserve()
  try {
    await session.unsafe(statements)
    await session.unsafe('reset all')
  } finally {
    session.release()
  }
}
