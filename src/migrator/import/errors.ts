import { ObsError } from '../../errors.js'
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
