import postgres from 'postgres'
import { exitCodes, InterruptedError, ObsError } from '../errors.js'

/** The workspace has synthetic rows, and nobody said what should become of them; nothing was changed. */
export class AlreadySeededError extends ObsError {
  constructor(
    readonly workspace: string,
    readonly runs: readonly string[],
  ) {
    super(`workspace ${workspace} has synthetic rows already`, {
      code: 'already_seeded',
      hint: 'Add a further run with --append, or put a new one in their place with --replace; nothing was changed.',
      details: { workspace, runs },
    })
  }
}

/** Another run holds the lock of the schema; nothing was changed. */
export class SeedRunningError extends ObsError {
  constructor(readonly schema: string) {
    super('another obs seed is under way in this database', {
      code: 'seed_running',
      exitCode: exitCodes.lockTimeout,
      hint: 'Wait until it is done and run obs seed again; nothing was changed.',
      details: { schema },
    })
  }
}

/** The server refused something in the middle of a run, and all of it was undone. */
export class SeedFailedError extends ObsError {
  constructor(cause: postgres.PostgresError) {
    const [where] = (cause.where ?? '').split('\n')
    super(`seeding failed and was rolled back: ${cause.message}${where ? ` (${where})` : ''}`, {
      code: 'seed_failed',
      hint: 'Mend the cause and run obs seed again; the database is as it was before.',
      cause,
      details: { sqlstate: cause.code, table: cause.table_name ?? null, constraint: cause.constraint_name ?? null },
    })
  }
}

/** The rows are there, but what is derived from them is behind. */
export class RefreshFailedError extends ObsError {
  constructor(
    readonly refresh: string,
    readonly runId: string,
    cause: Error,
  ) {
    super(`run ${runId} is loaded, but ${refresh} failed: ${cause.message}`, {
      code: 'refresh_failed',
      hint: `Run ${refresh}() in the database once the cause is mended; the rows need not be seeded again.`,
      cause,
      details: { run_id: runId, refresh },
    })
  }
}

/** The run was interrupted behind its commit: the rows stay, what is derived from them is behind. */
export function interruptedBehind(refresh: string, runId: string, cause: unknown): InterruptedError {
  return new InterruptedError(`interrupted; run ${runId} is loaded, but its sums were not refreshed`, {
    hint: `Run ${refresh}() in the database; the rows need not be seeded again.`,
    cause,
    details: { run_id: runId, refresh },
  })
}

/** The database holds another number of rows than was generated; the run was rolled back. */
export class RowsMissingError extends ObsError {
  constructor(
    readonly table: string,
    readonly generated: number,
    readonly landed: number,
  ) {
    super(`${generated} rows were generated for ${table} and ${landed} are there, so the run was rolled back`, {
      code: 'rows_missing',
      hint: `Look for triggers or rules on ${table} that drop or add rows, then run obs seed again.`,
      details: { table, generated, landed },
    })
  }
}

/** Turns what the server says in the middle of a run into what a person can act on. */
export function explainFailure(error: unknown): never {
  if (!(error instanceof postgres.PostgresError)) throw error
  if (error.code === '55P03') throw lockedOut(error)
  // Lost connections, missing rights and read-only servers are explained where connections are.
  if (/^(08|57)|^(42501|25006)$/.test(error.code)) throw error
  throw new SeedFailedError(error)
}

function lockedOut(cause: postgres.PostgresError): ObsError {
  return new ObsError('a table stayed locked by somebody else, so the run was rolled back', {
    code: 'lock_timeout',
    exitCode: exitCodes.lockTimeout,
    hint: 'Find who holds it in pg_stat_activity (long transactions, migrations) and run obs seed again; the database is as it was before.',
    cause,
  })
}
