import postgres from 'postgres'
import { exitCodes, InterruptedError, ObsError } from '../errors.js'

/** There are synthetic rows, and nobody said what should become of them; nothing was changed. */
export class AlreadySeededError extends ObsError {
  /** @param workspace where they are; undefined for a pack that knows of no workspaces. */
  constructor(
    readonly pack: string,
    readonly workspace: string | undefined,
    readonly runs: readonly string[],
  ) {
    super(`${workspace ? `workspace ${workspace}` : `the pack ${pack}`} has synthetic rows already`, {
      code: 'already_seeded',
      hint: 'Add a further run with --append, or put a new one in their place with --replace; nothing was changed.',
      details: { pack, workspace: workspace ?? null, runs },
    })
  }
}

/** A recorded run fills other workspaces than the one that is asked for, and some of the same; nothing was changed. */
export class OtherWorkspacesError extends ObsError {
  constructor(
    readonly run: string,
    readonly filled: readonly string[],
    readonly wanted: readonly string[],
  ) {
    super(`run ${run} fills ${count(filled)}, and this one would fill ${count(wanted)}`, {
      code: 'other_workspaces',
      hint: `Seed with the profile and the workspace of that run (obs seed runs), or take it away with obs seed remove ${run}; nothing was changed.`,
      details: { run_id: run, filled, wanted },
    })
  }
}

function count([first = '', ...others]: readonly string[]): string {
  return others.length === 0 ? `the workspace ${first} alone` : `${others.length + 1} workspaces from ${first} on`
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

/** An earlier run of the workspace was broken off; nothing was changed. */
export class UnfinishedRunError extends ObsError {
  constructor(
    readonly run: string,
    readonly runs: readonly string[],
  ) {
    super(
      runs.length > 1
        ? `there are ${runs.length} unfinished runs: ${runs.join(', ')}`
        : `run ${run} was broken off and is not finished`,
      {
        code: 'unfinished_run',
        hint:
          runs.length > 1
            ? `Choose one with --workspace, or take one away with obs seed remove ${run}; nothing was changed.`
            : `Go on with it by obs seed --resume, or take it away with obs seed remove ${run}; nothing was changed.`,
        details: { run_id: run, runs },
      },
    )
  }
}

/** There is no run to go on with. */
export class NothingToResumeError extends ObsError {
  constructor() {
    super('there is no unfinished run to resume', {
      code: 'nothing_to_resume',
      hint: 'Look at obs seed runs; begin one with obs seed without --resume.',
    })
  }
}

/** A run is resumed as it was begun or not at all. */
export class OtherOptionsError extends ObsError {
  constructor(
    readonly run: string,
    readonly differences: readonly string[],
  ) {
    super(`run ${run} was begun with other options: ${differences.join('; ')}`, {
      code: 'other_options',
      hint: 'Say obs seed --resume without further options; what the run was begun with is on record.',
      details: { run_id: run, differences },
    })
  }
}

/** Another version of obs may generate other rows, and a run is of one piece. */
export class OtherVersionError extends ObsError {
  constructor(run: string, before: string, now: string) {
    super(`run ${run} was begun by obs ${before}, and this is obs ${now}`, {
      code: 'other_version',
      hint: `Resume it with obs ${before}, or take it away with obs seed remove ${run} and seed again.`,
      details: { run_id: run, begun_with: before, version: now },
    })
  }
}

/** The server refused something in the middle of a run; nobody has seen a row of it. */
export class SeedFailedError extends ObsError {
  constructor(cause: postgres.PostgresError, kept?: string) {
    const [where] = (cause.where ?? '').split('\n')
    const became = kept ? `broke off, and run ${kept} is not finished` : 'failed and was rolled back'
    super(`seeding ${became}: ${cause.message}${where ? ` (${where})` : ''}`, {
      code: 'seed_failed',
      hint: kept
        ? `Mend the cause. ${keptHint(kept)}`
        : 'Mend the cause and run obs seed again; the database is as it was before.',
      cause,
      details: {
        ...{ sqlstate: cause.code, table: cause.table_name ?? null, constraint: cause.constraint_name ?? null },
        ...(kept ? { run_id: kept } : {}),
      },
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

/** The run was interrupted before its commit: what is loaded waits for --resume, and nobody sees it. */
export function interruptedWithin(runId: string, cause: unknown): InterruptedError {
  return new InterruptedError(`interrupted; run ${runId} is not finished, and nothing of it can be seen`, {
    hint: keptHint(runId),
    cause,
    details: { run_id: runId },
  })
}

/** Whether an error would come again if the run went on: the rows are refused, or are not what was sent. */
export function isLasting(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return /^(2[1-9]|42|44|0A|P0)/.test(error.code)
  if (error instanceof ObsError) return error.code !== 'table_altered'
  return !(error instanceof Error && 'code' in error)
}

/**
 * Turns what the server says in the middle of a run into what a person can act on.
 *
 * @param kept the run, when what is loaded of it was kept.
 */
export function explainFailure(error: unknown, kept?: string): never {
  if (kept && isLostConnection(error)) throw lostConnection(error, kept)
  if (!(error instanceof postgres.PostgresError)) throw error
  if (error.code === '55P03') throw lockedOut(error, kept)
  // Missing rights and read-only servers are explained where connections are.
  if (/^(42501|25006)$/.test(error.code)) throw error
  if (!kept && /^(08|57)/.test(error.code)) throw error
  throw new SeedFailedError(error, kept)
}

function isLostConnection(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^(CONNECTION_|ECONN|EPIPE|57P0[123]|08)/.test(String(error.code))
}

function lostConnection(cause: Error, run: string): ObsError {
  return new ObsError(`the server hung up, and run ${run} is not finished`, {
    code: 'connection_lost',
    exitCode: exitCodes.connection,
    hint: keptHint(run),
    cause,
    details: { run_id: run },
  })
}

function keptHint(run: string): string {
  return `Go on with it by obs seed --resume, or take it away with obs seed remove ${run}.`
}

function lockedOut(cause: postgres.PostgresError, kept: string | undefined): ObsError {
  const became = kept ? `so run ${kept} is not finished` : 'so the run was rolled back'
  const remedy = kept ? keptHint(kept) : 'Run obs seed again; the database is as it was before.'
  return new ObsError(`a table stayed locked by somebody else, ${became}`, {
    code: 'lock_timeout',
    exitCode: exitCodes.lockTimeout,
    hint: `Find who holds it in pg_stat_activity (long transactions, migrations). ${remedy}`,
    cause,
    ...(kept ? { details: { run_id: kept } } : {}),
  })
}
