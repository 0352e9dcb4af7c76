import type { RunContext } from '../context.js'
import { type Database, type Session, throwIfAborted, withSession, withTransaction } from '../database/connect.js'
import { ObsError } from '../errors.js'
import { nearest } from '../suggest.js'
import { explainFailure } from './errors.js'
import { listRuns } from './list-runs.js'
import { abandonRun, prepareSession } from './open-run.js'
import type { SeedPack } from './pack.js'
import { clearPartitions, type Replacement, removeReferences, removeRuns } from './replace.js'
import { forgetRuns, readRuns } from './run-ledger.js'
import { bringUpToDate, withSeedLock } from './seed.js'
import { readUnfinished } from './unfinished-runs.js'

/** What was taken away of a run. */
export interface RemovedRun {
  readonly run_id: string
  readonly state: 'finished' | 'unfinished'
  /** Rows by table; of an unfinished run none, since nobody could see them. */
  readonly removed: Readonly<Record<string, number>>
}

export interface RemoveOptions {
  readonly generators: SeedPack
  readonly schema: string
  readonly run: string
  /** Milliseconds to wait for a table that somebody else has locked; 15 seconds by default. */
  readonly lockTimeout?: number
}

/** The ledger has no such run. */
export class UnknownRunError extends ObsError {
  constructor(run: string, known: readonly string[]) {
    const guess = nearest(run, known)
    super(`there is no run ${JSON.stringify(run)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`, {
      code: 'unknown_run',
      hint: 'Look at obs seed runs.',
      details: { run, runs: known },
    })
  }
}

/**
 * Takes a run away: rows that carry its mark, in its workspaces, and never more of them than the
 * ledger knows; of an unfinished run the tables that it was loaded into.
 *
 * One transaction; what is derived from the rows is brought up to date behind it.
 *
 * @throws UnknownRunError, or UnknownSyntheticRowsError when marks and ledger do not agree.
 */
export async function removeRun(database: Database, options: RemoveOptions, context: RunContext): Promise<RemovedRun> {
  const { run, schema } = options
  return withSession(database.sql, (session) =>
    withSeedLock(session, schema, async () => {
      const unfinished = (await readUnfinished(session)).find(({ run_id }) => run_id === run)
      if (unfinished) {
        context.progress.step('dropping what was loaded of the run')
        await abandonRun(session, unfinished)
        return { run_id: run, state: 'unfinished' as const, removed: {} }
      }
      const removed = await removeFinished(session, options, context).catch((error: unknown) => explainFailure(error))
      throwIfAborted(context.signal)
      context.progress.step('refreshing sums and gathering statistics')
      const { generators } = options
      await bringUpToDate(database.sql, session, schema, generators, Object.keys(removed), run)
      return { run_id: run, state: 'finished' as const, removed }
    }),
  )
}

async function removeFinished(
  session: Session,
  { generators: pack, schema, run, lockTimeout = 15_000 }: RemoveOptions,
  context: RunContext,
): Promise<Readonly<Record<string, number>>> {
  const known = await listRuns(session)
  const listed = known.find(({ run_id }) => run_id === run)
  if (!listed || listed.pack !== pack.name)
    throw new UnknownRunError(
      run,
      known.map(({ run_id }) => run_id),
    )
  context.progress.step('removing the rows of the run')
  await prepareSession(session, schema, lockTimeout)
  return withTransaction(session, async () => {
    const near = await readRuns(session, pack.name, [listed.workspace_id])
    const { workspaces = [] } = near.find(({ run_id }) => run_id === run) ?? {}
    const all = await readRuns(session, pack.name, workspaces)
    const replacement: Replacement = { pack, workspaces, runs: all.filter(({ run_id }) => run_id === run) }
    const place = { session, schema }
    const removal = await removeRuns(place, replacement, context, all)
    const [table = ''] = pack.facts
    const timeColumn = pack.timeColumns[table]
    const fact = { ...(timeColumn ? { timeColumn } : {}), ...(pack.changeLog ? { changeLog: pack.changeLog } : {}) }
    await clearPartitions(place, removal, replacement, fact, new Set())
    const references = await removeReferences(place, replacement)
    await forgetRuns(session, [run])
    return { ...removal.removed, ...references }
  })
}
