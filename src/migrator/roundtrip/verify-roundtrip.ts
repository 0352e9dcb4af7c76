import type { RunContext } from '../../context.js'
import { type Database, type Session, throwIfAborted, withSession } from '../../database/connect.js'
import { withScratchDatabase } from '../../database/scratch.js'
import { ObsError, UsageError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import { StepError } from '../apply/step-error.js'
import { discover } from '../files/discover.js'
import type { Migration } from '../migration.js'
import { judge, type Verdict } from './label.js'
import type { ScratchTable } from './prints.js'
import { type RoundTrip, roundTrip } from './round-trip.js'
import type { FilledTable, RowSource, RowStyle } from './row-source.js'
import { readSampleFile, runSampleFile, type SampleFile } from './sample-file.js'
import { attempt, beginScratchRun, describeFailure, type ScratchRun, scopeOf, tablesOf } from './scratch-run.js'
import { prepareTrips, type Trip } from './trips.js'

export interface RoundtripOptions {
  /** The first version to judge; those before it are only applied. */
  readonly from?: number
  /** The last version to judge. */
  readonly to?: number
  /** A file of SQL that runs before the first migration. */
  readonly sample?: string
}

/** What a round trip showed of one migration. */
export interface TrippedMigration extends Verdict {
  readonly version: number
  readonly name: string
  readonly id: string
  /** Rows and values written after up that down takes away, `table` or `table.column`. */
  readonly lostOnDown: readonly string[]
  readonly notes: readonly string[]
  readonly durationMs: number
}

/** A table that has fewer rows than were wanted, and since which version. */
export interface ShortTable extends FilledTable {
  readonly version: number
}

export interface RoundtripResult {
  readonly platform: string
  readonly migrations: readonly TrippedMigration[]
  readonly shortTables: readonly ShortTable[]
  readonly durationMs: number
}

/** How rows are made; `none` leaves tables as the migrations leave them. */
type Style = RowStyle | 'none'

/** Tried in this order when a migration does not take the rows that are there. */
const styles: readonly Style[] = ['mixed', 'plain', 'none']

interface Course {
  readonly database: Database
  readonly pack: Pack
  readonly trips: readonly Trip[]
  readonly rows: RowSource
  readonly from: number
  readonly sample: SampleFile | undefined
}

/**
 * Proves of every migration of a pack whether it can be taken back, in scratch databases
 * beside `database`, which itself is not touched.
 *
 * Everything is applied once without rows, to learn what later versions demand of them.
 * Then the migrations make their round trips one after the other in one database that is
 * filled as it grows. Where a round trip leaves it in a state that the next migration
 * does not expect, a new one is brought to that version.
 *
 * @throws MigrationFilesError when files cannot be used; ObsError `roundtrip_up_failed`
 *   when a migration does not even apply to an empty database.
 */
export async function verifyRoundtrip(
  database: Database,
  pack: Pack,
  rows: RowSource,
  options: RoundtripOptions,
  context: RunContext,
): Promise<RoundtripResult> {
  const started = performance.now()
  const migrations = await discover(pack.migrations)
  refuseUnknown(migrations, options)
  const trips = await prepareTrips(database, migrations, options.to ?? Number.MAX_SAFE_INTEGER)
  const sample =
    options.sample === undefined ? undefined : await readSampleFile(options.sample, database.platform.serverVersion)
  const course: Course = { database, pack, trips, rows, from: options.from ?? 0, sample }
  if (trips.length > 0) await learn(course, context)
  const results: TrippedMigration[] = []
  const short = new Map<string, ShortTable>()
  let next = trips.findIndex((trip) => trip.migration.version >= course.from)
  let style: Style = 'mixed'
  while (next >= 0 && next < trips.length) {
    const walk = new Walk(course, style, short, context)
    const stopped: Stop = await walk.from(next, results)
    next = stopped.next
    style = stopped.style
  }
  return {
    platform: database.platform.name,
    migrations: results,
    shortTables: [...short.values()],
    durationMs: Math.round(performance.now() - started),
  }
}

function refuseUnknown(migrations: readonly Migration[], { from, to }: RoundtripOptions): void {
  const versions = migrations.map((migration) => migration.version)
  for (const [flag, version] of [
    ['--from', from],
    ['--to', to],
  ] as const) {
    if (version === undefined || versions.includes(version)) continue
    throw new UsageError(`there is no migration with version ${version}`, {
      code: 'unknown_version',
      hint: `Name one of ${versions.join(', ')} with ${flag}; nothing was changed.`,
      details: { [flag.slice(2)]: version, versions },
    })
  }
  if (from !== undefined && to !== undefined && from > to) {
    throw new UsageError(`--from ${from} is above --to ${to}`, { hint: 'Give the lower version with --from.' })
  }
}

function inScratch<T>(course: Course, context: RunContext, work: (run: ScratchRun) => Promise<T>): Promise<T> {
  return withScratchDatabase(course.database.address, context, (scratch) =>
    withSession(scratch.sql, async (session) => {
      const run = await beginScratchRun(session, scratch, course.pack, course.database.platform.name, context)
      if (course.sample) await runSample(session, course.pack, course.sample)
      return work(run)
    }),
  )
}

async function runSample(session: Session, { schema }: Pack, sample: SampleFile): Promise<void> {
  try {
    await runSampleFile(session, schema, sample)
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    throw new ObsError(`the sample file does not run in an empty database: ${describeFailure(error.failure)}`, {
      code: 'sample_failed',
      cause: error,
      hint: 'Mend the file; only a scratch database was touched.',
      details: { file: sample.script.file },
    })
  }
}

async function learn(course: Course, context: RunContext): Promise<void> {
  context.progress.step(`applying ${course.trips.length} migrations to an empty scratch database`)
  await inScratch(course, context, async (run) => {
    const seen = new Map<string, string>()
    for (const [i, { migration, up }] of course.trips.entries()) {
      throwIfAborted(context.signal)
      const outcome = await attempt(run, up)
      if (!outcome.ok) throw upFailed(migration, outcome.message)
      await course.rows.learn(run.session, migration.version, newForms(await tablesOf(run), seen))
      context.progress.advance(i + 1, course.trips.length, 'migrations')
    }
  })
}

function upFailed(migration: Migration, message: string): ObsError {
  return new ObsError(`migration ${migration.id} (up) does not apply to an empty database: ${message}`, {
    code: 'roundtrip_up_failed',
    hint: `Mend ${migration.id}, or give the tables it expects with --sample; only a scratch database was touched.`,
    details: { migration: migration.id },
  })
}

/** The tables whose form is another than the one that is noted, which is then noted. */
function newForms(tables: readonly ScratchTable[], noted: Map<string, string>): readonly ScratchTable[] {
  const changed = tables.filter((table) => noted.get(table.path) !== table.form)
  for (const table of changed) noted.set(table.path, table.form)
  return changed
}

interface Stop {
  /** The trip to go on with in a new scratch database. */
  readonly next: number
  readonly style: Style
}

/** A walk through the migrations in one scratch database. */
class Walk {
  readonly #filled = new Map<string, string>()

  constructor(
    readonly course: Course,
    readonly style: Style,
    readonly short: Map<string, ShortTable>,
    readonly context: RunContext,
  ) {}

  /** Applies the trips before `first`, and makes those from there on, as far as the scratch database lasts. */
  from(first: number, results: TrippedMigration[]): Promise<Stop> {
    const { trips } = this.course
    return inScratch(this.course, this.context, async (run) => {
      await this.#fill(run, 0, this.style)
      for (const { migration, up } of trips.slice(0, first)) {
        throwIfAborted(this.context.signal)
        const outcome = await attempt(run, up)
        if (!outcome.ok) return this.#plainer(first, migration, outcome.message)
        await this.#fill(run, migration.version, this.style)
      }
      for (const [i, trip] of trips.slice(first).entries()) {
        throwIfAborted(this.context.signal)
        // Rows that one migration could not take are no reason to spare the next one.
        const style = i === 0 ? this.style : 'mixed'
        const made = await this.#make(run, trip, style)
        // Definitions that name something else now are read again.
        if (scopeOf(trip).renames) run.cache.forget()
        if ('upFailure' in made) return this.#plainer(first + i, trip.migration, made.upFailure, i > 0)
        results.push(made.result)
        if (!made.intact) return { next: first + i + 1, style: 'mixed' }
      }
      return { next: trips.length, style: 'mixed' }
    })
  }

  /** @param fresh the walk was not made for this migration, so that its style says nothing about it */
  #plainer(next: number, migration: Migration, failure: string, fresh = false): Stop {
    const style = styles[(fresh ? 0 : styles.indexOf(this.style)) + 1]
    if (!style) throw upFailed(migration, failure)
    return { next, style }
  }

  async #make(run: ScratchRun, trip: Trip, style: Style) {
    const { version, name, id } = trip.migration
    const started = performance.now()
    this.context.progress.step(`round trip of ${id}`)
    const trial = await roundTrip(run, trip, () => this.#fill(run, version, style))
    if ('upFailure' in trial) return trial
    if (trial.intact && style === 'none') await this.#fill(run, version, 'mixed')
    const notes = [...styleNotes(style), ...trial.notes, ...staleDeclaration(trip, trial)]
    const directives = [trip.up, ...(trip.down ? [trip.down] : [])].map((step) => step.script.directives)
    const verdict = judge(trial.evidence, directives, run.home)
    const durationMs = Math.round(performance.now() - started)
    const result = { version, name, id, ...verdict, lostOnDown: trial.lostOnDown, notes, durationMs }
    return { result, intact: trial.intact }
  }

  async #fill(run: ScratchRun, version: number, style: Style): Promise<boolean> {
    if (style === 'none') return false
    const tables = newForms(await tablesOf(run), this.#filled)
    if (tables.length === 0) return false
    const filled = await this.course.rows.fill(run.session, { version, tables, style })
    for (const one of filled) {
      if (one.reason !== undefined && !this.short.has(one.table)) this.short.set(one.table, { ...one, version })
    }
    return filled.some((one) => one.rows > 0)
  }
}

function styleNotes(style: Style): readonly string[] {
  if (style === 'plain')
    return ['up does not take rows with nulls and values at the edge of their types; tried with plain rows']
  if (style === 'none') return ['up does not take generated rows; tried with the rows of the migrations alone']
  return []
}

function staleDeclaration({ up, down }: Trip, { evidence }: RoundTrip): readonly string[] {
  const directives = [up, ...(down ? [down] : [])].map((step) => step.script.directives)
  const says = directives.some((one) => one.irreversible !== undefined || one.lossy !== undefined)
  return says && judge(evidence, []).label === 'lossless' ? ['it says that it cannot be taken back, and it can'] : []
}
