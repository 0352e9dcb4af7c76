import type { Evidence } from './label.js'
import { findLosses, findSequenceLosses, type Loss, nameOfLoss, restrictTo } from './losses.js'
import type { Attempt, Scope, ScratchRun, State } from './scratch-run.js'
import { attempt, readRows, readState, scopeOf } from './scratch-run.js'
import type { Trip } from './trips.js'
import { compareCatalogs, isSame } from './whole-catalog.js'

/** Adds rows to tables whose form is new, and tells whether there was any such table. */
export type FillNew = () => Promise<boolean>

export interface RoundTrip {
  readonly evidence: Evidence
  /** What down takes away of rows and values that were written after up. */
  readonly lostOnDown: readonly string[]
  readonly notes: readonly string[]
  /** False when the scratch database is no longer where the migration leaves it. */
  readonly intact: boolean
}

/** The first up did not succeed with the rows that are there. */
export interface UpFailed {
  readonly upFailure: string
}

/**
 * Runs one migration up, down and up; then, if it changed the form of a table, writes rows
 * of the new form and runs it down and up once more.
 *
 * The first up and the first down run as `obs migrate` runs them, with every value
 * compared, so that what it would refuse is refused here.
 */
export async function roundTrip(run: ScratchRun, trip: Trip, fillNew: FillNew): Promise<RoundTrip | UpFailed> {
  const scope = scopeOf(trip)
  const before = await readState(run, scope)
  const first = await firstUp(run, trip)
  if ('upFailure' in first) return first
  const { upRefused } = first
  const start = { hasDown: trip.down !== undefined, ...(upRefused === undefined ? {} : { upRefused }) }
  if (!trip.down) return finish(fillNew, { ...start, losses: [] })
  const after = await readState(run, scope, before.tables)

  const down = await attempt(run, trip.down, 'hashes')
  if (!down.ok) return finish(fillNew, { ...start, downFailure: down.message, losses: [] }, !down.halfDone)
  const reverted = await readState(run, scope, before.tables)
  const evidence: Evidence = {
    ...start,
    afterDown: compareCatalogs(before.catalog, reverted.catalog),
    losses: lossesBetween(before, reverted),
  }
  const again = await attempt(run, trip.up)
  if (!again.ok) return afterFailedUp(run, trip, fillNew, evidence, again, after)
  return withNewRows(run, trip, fillNew, evidence, { scope, before, after })
}

async function firstUp(run: ScratchRun, { up }: Trip): Promise<UpFailed | { readonly upRefused: string | undefined }> {
  const first = await attempt(run, up, 'hashes')
  if (first.ok) return { upRefused: undefined }
  if (!first.refused) return { upFailure: first.message }
  const second = await attempt(run, up)
  return second.ok ? { upRefused: first.message } : { upFailure: second.message }
}

/** A down that does nothing leaves a database in which up fails, and which is what up leaves. */
async function afterFailedUp(
  run: ScratchRun,
  trip: Trip,
  fillNew: FillNew,
  evidence: Evidence,
  again: Attempt & { ok: false },
  after: State,
): Promise<RoundTrip> {
  const now = await readState(run, scopeOf(trip), after.tables)
  const intact = !again.halfDone && isSame(compareCatalogs(after.catalog, now.catalog))
  return finish(fillNew, { ...evidence, upAgainFailure: again.message }, intact)
}

interface Course {
  readonly scope: Scope
  readonly before: State
  readonly after: State
}

async function withNewRows(
  run: ScratchRun,
  trip: Trip,
  fillNew: FillNew,
  pure: Evidence,
  { scope, before, after }: Course,
): Promise<RoundTrip> {
  const again = await readState(run, scope, before.tables)
  const old = restrictTo(after.prints, before.prints)
  const evidence: Evidence = {
    ...pure,
    afterUpAgain: compareCatalogs(after.catalog, again.catalog),
    losses: [...pure.losses, ...unlike(findLosses(old, again.prints), pure.losses)],
  }
  const notes = [...leftBehind(after, again), ...others(after, again, evidence.losses, run.home)]
  if (!trip.down || !(await fillNew())) return { evidence, lostOnDown: [], notes, intact: true }

  const filled = await readRows(run, scope, before.tables)
  const down = await attempt(run, trip.down)
  if (!down.ok) {
    return {
      evidence: { ...evidence, downWithRowsFailure: down.message },
      lostOnDown: [],
      notes,
      intact: !down.halfDone,
    }
  }
  const reverted = await readState(run, scope, before.tables)
  const lost = findLosses(filled.prints, reverted.prints)
  const found: Evidence = {
    ...evidence,
    afterDownWithRows: compareCatalogs(before.catalog, reverted.catalog),
    losses: [...evidence.losses, ...unlike(findLosses(before.prints, reverted.prints), evidence.losses)],
  }
  const lostOnDown = [...new Set(lost.map((loss) => nameOfLoss(loss, run.home)))].sort()
  const up = await attempt(run, trip.up)
  if (!up.ok) return { evidence: { ...found, upAfterRowsFailure: up.message }, lostOnDown, notes, intact: false }
  await fillNew()
  return { evidence: found, lostOnDown, notes, intact: true }
}

async function finish(fillNew: FillNew, evidence: Evidence, intact = true): Promise<RoundTrip> {
  if (intact) await fillNew()
  return { evidence, lostOnDown: [], notes: [], intact }
}

function lossesBetween(before: State, after: State): readonly Loss[] {
  return [...findLosses(before.prints, after.prints), ...findSequenceLosses(before.sequences, after.sequences)]
}

/** Those that do not tell of the same table and column. */
function unlike(losses: readonly Loss[], known: readonly Loss[]): readonly Loss[] {
  const place = ({ table, column }: Loss) => JSON.stringify([table, column])
  const places = new Set(known.map(place))
  return losses.filter((loss) => !places.has(place(loss)))
}

/** Rows that up adds and down leaves are there twice after the second up. */
function leftBehind(after: State, again: State): readonly string[] {
  return [...after.prints.values()].flatMap((print) => {
    const now = again.prints.get(print.table.path)?.rows.length ?? 0
    const more = now - print.rows.length
    return more > 0
      ? [`up adds ${more} ${more === 1 ? 'row' : 'rows'} to ${print.table.path} that down leaves there`]
      : []
  })
}

/** Values of new columns that are others the second time, `now()` for one. */
function others(after: State, again: State, losses: readonly Loss[], home: string): readonly string[] {
  const names = unlike(findLosses(after.prints, again.prints), losses).map((loss) => nameOfLoss(loss, home))
  return names.length > 0 ? [`up gives other values the second time: ${[...new Set(names)].join(', ')}`] : []
}
