import type { Database } from '../../database/connect.js'
import type { PreparedStep } from '../apply/step-run.js'
import { MigrationFilesError } from '../errors.js'
import type { Problem } from '../files/directives.js'
import { locate } from '../files/location.js'
import type { Statement } from '../statements/statements.js'
import { contentOf } from '../statements/written-name.js'
import { findWalkedTable } from './walked-table.js'

/**
 * Refuses backfills that could not begin: no such table, no such key, no index on it.
 *
 * Where something that runs earlier may still make or mend the table, it is left to the
 * moment when the backfill begins.
 *
 * @returns the steps as they are.
 * @throws MigrationFilesError
 */
export async function refuseImpossible(
  { sql }: Database,
  schema: string,
  steps: readonly PreparedStep[],
): Promise<readonly PreparedStep[]> {
  const problems: Problem[] = []
  const earlier: (Statement | undefined)[] = []
  for (const { script, parsed, resumeAt } of steps) {
    if (!parsed) earlier.push(undefined)
    for (const statement of parsed?.statements.slice(resumeAt - 1) ?? []) {
      const { backfill } = statement
      if (backfill && !earlier.some((one) => mayConcern(one, backfill.request.table.table))) {
        const table = await findWalkedTable(sql, schema, backfill.request)
        const location = locate(script.file, script.text, backfill.index)
        if (typeof table === 'string') problems.push({ message: table, location })
      }
      earlier.push(statement)
    }
  }
  if (problems.length > 0) throw new MigrationFilesError(problems)
  return steps
}

/** True unless the text of a statement shows that it has nothing to do with the table; a function has no text. */
function mayConcern(statement: Statement | undefined, table: string): boolean {
  if (!statement?.tree) return true
  const [kind] = contentOf(statement)
  return opaque.has(kind) || JSON.stringify(statement.tree).includes(JSON.stringify(table))
}

const opaque = new Set(['DoStmt', 'CallStmt', 'SelectStmt', 'ExecuteStmt'])
