import { ObsError } from '../../errors.js'
import type { Migration } from '../migration.js'
import type { ToolName } from './foreign-history.js'

/** Another tool's history says that it is not finished with something; nothing was changed. */
export class UnsettledForeignHistoryError extends ObsError {
  constructor(
    readonly tool: ToolName,
    readonly migrations: readonly string[],
    message: string,
    hint: string,
  ) {
    super(message, { code: 'foreign_history_unsettled', hint, details: { tool, migrations } })
  }
}

/** Migrations that another tool applied and that obs finds no file for, all of them; nothing was changed. */
export class UnmatchedForeignHistoryError extends ObsError {
  constructor(
    readonly tool: ToolName,
    readonly problems: readonly string[],
    readonly folder: string,
  ) {
    super(problems.join('\n'), {
      code: 'foreign_history_unmatched',
      hint: `Bring the files into ${folder} under the versions that ${tool} knows, or adopt the database as it stands with obs migrate baseline; nothing was changed.`,
      details: { tool, problems, folder },
    })
  }
}

/** Files that another tool has applied to this database would be run again; nothing was changed. */
export class OtherToolError extends ObsError {
  constructor(
    readonly tool: ToolName,
    readonly table: string,
    readonly migrations: readonly Migration[],
  ) {
    const count = migrations.length === 1 ? '1 of these migrations' : `${migrations.length} of these migrations`
    super(`${tool} has applied ${count} to this database, says ${table}; obs would run them again`, {
      code: 'other_tool_history',
      hint: 'Run obs migrate import to take its history over, or, if those are other migrations with the same versions, obs migrate up --beside-other-tool; nothing was changed.',
      details: { tool, table, versions: migrations.map((one) => one.version) },
    })
  }
}
