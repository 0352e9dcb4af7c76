import { basename } from 'node:path'
import { exitCodes, InterruptedError, ObsError, UsageError } from '../errors.js'
import { type Change, describeChange } from './checksum/difference.js'
import type { Problem } from './files/directives.js'
import { describeLocation, type Location } from './files/location.js'
import type { Direction } from './migration.js'
import type { Loss } from './preservation/receipt.js'

/** Migration files that cannot be used as they stand, all of them; nothing was changed. */
export class MigrationFilesError extends UsageError {
  constructor(readonly problems: readonly Problem[]) {
    super(problems.map(describeProblem).join('\n'), {
      code: 'invalid_migrations',
      hint: `Mend the ${problems.length === 1 ? 'file' : 'files'} and run it again; nothing was changed.`,
      details: { problems: problems.map(({ message, location }) => ({ message, ...location })) },
    })
  }
}

function describeProblem({ message, location }: Problem): string {
  return location ? `${describeLocation(location)}: ${message}\n${indent(location.snippet)}` : message
}

/** Applied migrations whose files say something else now; both sides are shown where the text was kept. */
export class ChangedMigrationError extends ObsError {
  constructor(
    readonly migrations: readonly string[],
    readonly changes: readonly Change[] = [],
  ) {
    super([`${list(migrations)} changed after being applied`, ...changes.map(describeChange)].join('\n'), {
      code: 'migration_changed',
      hint: 'Restore the file as it was and put the change into a new migration; nothing was changed.',
      details: { migrations, changes },
    })
  }
}

/** Applied migrations whose files are gone. */
export class MissingMigrationError extends ObsError {
  constructor(
    readonly migrations: readonly string[],
    readonly folder: string,
  ) {
    super(`${list(migrations)} ${migrations.length === 1 ? 'is' : 'are'} applied, but the files are not in ${folder}`, {
      code: 'migration_missing',
      hint: 'Bring the files back, or check that --pack and --config name the right folder; nothing was changed.',
      details: { migrations, folder },
    })
  }
}

/** Pending migrations that are older than one that was applied already. */
export class LateMigrationError extends ObsError {
  constructor(
    readonly migrations: readonly string[],
    readonly current: string,
  ) {
    super(`${list(migrations)} ${migrations.length === 1 ? 'is' : 'are'} older than ${current}, which is applied`, {
      code: 'migration_late',
      hint: `Rename ${migrations.length === 1 ? 'it' : 'them'} to a version above ${current}, or run ${migrations.length === 1 ? 'it' : 'them'} all the same with --allow-out-of-order; nothing was changed.`,
      details: { migrations, current },
    })
  }
}

/** A migration that was to stay was applied after one that was to be reverted, and may rest on it. */
export class OutOfOrderDownError extends UsageError {
  constructor(
    readonly later: readonly string[],
    readonly migrations: readonly string[],
    to: number,
  ) {
    super(`${list(later)} ${later.length === 1 ? 'was' : 'were'} applied out of order, after ${list(migrations)}`, {
      code: 'applied_later',
      hint: `Run obs migrate goto ${to}, which reverts in the order of application and then applies ${list(later)} again; nothing was changed.`,
      details: { later, migrations, to },
    })
  }
}

/** Under the lock the plan was no longer the one that a person had agreed to. */
export class PlanChangedError extends ObsError {
  constructor(confirmed: readonly string[], now: readonly string[]) {
    super(
      `the plan changed meanwhile: ${list(confirmed) || 'nothing'} was confirmed, now it is ${list(now) || 'nothing'}`,
      {
        code: 'plan_changed',
        hint: 'Run the command again to see the new plan; nothing was changed.',
        details: { confirmed, now },
      },
    )
  }
}

/** Migrations that were to be reverted and say nothing about how. */
export class MissingDownError extends UsageError {
  constructor(readonly migrations: readonly string[]) {
    super(`${list(migrations)} ${migrations.length === 1 ? 'has' : 'have'} no down file`, {
      code: 'missing_down',
      hint: `Write ${migrations.map((id) => `${id}.down.sql`).join(', ')}, or restore a backup instead; nothing was changed.`,
      details: { migrations },
    })
  }
}

/** A migration started and is known neither to have finished nor to have been undone. */
export class DirtyHistoryError extends ObsError {
  constructor(
    readonly migration: string,
    readonly version: number,
    readonly direction: Direction,
    readonly statement: number,
    /** What the catalog said, where it was asked. */
    readonly findings: readonly string[] = [],
  ) {
    const seen = findings.map((finding) => `: ${finding}`).join('')
    super(
      `migration ${migration} (${direction}) stopped in statement ${statement}, and whether that took effect is not known${seen}`,
      {
        code: 'history_dirty',
        exitCode: exitCodes.dirty,
        hint: `Run obs migrate repair ${version}: it shows the statement, what the catalog says about it, and the ways out; nothing was changed by this run.`,
        details: { migration, version, direction, statement },
      },
    )
  }
}

/** A migration that ran halfway in one direction has to be finished before the other is possible. */
export class UnfinishedMigrationError extends ObsError {
  constructor(
    readonly migration: string,
    readonly version: number,
    readonly direction: Direction,
    readonly statement: number,
  ) {
    const next = direction === 'up' ? 'obs migrate up' : `obs migrate down --to ${version - 1}`
    super(`migration ${migration} (${direction}) stopped before statement ${statement} and is not finished`, {
      code: 'migration_unfinished',
      exitCode: exitCodes.dirty,
      hint: `Run ${next} to go on with statement ${statement}, or settle it with obs migrate repair ${version}; nothing was changed by this run.`,
      details: { migration, version, direction, statement },
    })
  }
}

/** What the server or a check said about a migration that did not succeed. */
export interface Failure {
  readonly message: string
  readonly location?: Location
  readonly detail?: string
  readonly serverHint?: string
  readonly sqlState?: string
  /** The code of the error of obs that stopped it, when it was not the server. */
  readonly reason?: string
  /** What would have been lost, when that is why it was stopped. */
  readonly losses?: readonly Loss[]
  /** Number of the statement, from 1. */
  readonly statement?: number
  /** What a person can do about it, when more is known than "mend the file". */
  readonly advice?: string
  /** What of the statement was left and has been cleared away: an invalid index. */
  readonly cleared?: readonly string[]
  /** Who held the lock that was not to be had, how often it was tried, and for how long. */
  readonly blockers?: readonly Blocker[]
  readonly attempts?: number
  readonly waitedMs?: number
}

/** A session that holds a lock somebody waits for; its query is left out, because there is data in it. */
export interface Blocker {
  readonly pid: number
  readonly application: string
  readonly user: string
  /** As pg_stat_activity says: `active`, `idle in transaction`, …; empty when the role may not see it. */
  readonly state: string
  /** The table or index, null when the wait is for the whole transaction of the other session. */
  readonly relation: string | null
  /** How long its transaction has lasted; undefined when the role may not see it. */
  readonly seconds: number | undefined
}

/** `pid 4711 (psql of bob, idle in transaction for 42 s) on public.pet`. */
export function describeBlockers(blockers: readonly Blocker[]): string {
  return list(blockers.map(describeBlocker))
}

function describeBlocker({ pid, application, user, state, relation, seconds }: Blocker): string {
  const who = `${application || 'a session'} of ${user || 'another role'}`
  const doing = state === '' ? '' : `, ${state}${seconds === undefined ? '' : ` for ${seconds} s`}`
  return `pid ${pid} (${who}${doing})${relation === null ? '' : ` on ${relation}`}`
}

/** The facts of a run that ended early. */
export interface RunState {
  readonly migration: string
  readonly direction: Direction
  /** The migrations of this run that succeeded before; they stay as they are. */
  readonly done: readonly string[]
  /** Where the database is now, in words. */
  readonly now: string
  readonly backup?: { readonly id: string; readonly path: string; readonly restore?: string } | null
}

/** A migration failed; those before it in the same run stay as they are. */
export class MigrationFailedError extends ObsError {
  readonly migration: string
  readonly done: readonly string[]

  constructor(
    readonly state: RunState,
    readonly failure: Failure,
    cause: unknown,
  ) {
    super(failureText(state, failure), {
      code: 'migration_failed',
      exitCode: failure.sqlState === lockNotAvailable ? exitCodes.lockTimeout : exitCodes.failed,
      cause,
      hint: failureHint(state, failure),
      details: {
        migration: state.migration,
        direction: state.direction,
        [state.direction === 'up' ? 'applied' : 'reverted']: state.done,
        now: state.now,
        ...(state.backup ? { backup: state.backup } : {}),
        ...failure,
        ...failure.location,
      },
    })
    this.migration = state.migration
    this.done = state.done
  }
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const lockNotAvailable = '55P03'

function failureText(state: RunState, failure: Failure): string {
  const { location } = failure
  const lines = [
    `migration ${state.migration} (${state.direction}) failed: ${failure.message}`,
    location && `at ${location.file}:${location.line}:${location.column}`,
    location && indent(location.snippet),
    failure.detail && `detail: ${failure.detail}`,
    failure.serverHint && `the server suggests: ${failure.serverHint}`,
    failure.blockers && blockedText(failure),
    ...(failure.cleared ?? []).map((what) => `cleared away: ${what}`),
    state.done.length > 0 && `${state.direction === 'up' ? 'applied' : 'reverted'} before it: ${list(state.done)}`,
    state.now,
    state.backup &&
      `the backup before it is ${state.backup.id}; this brings it back: ${state.backup.restore ?? `obs backup restore ${state.backup.id}`}`,
  ]
  return lines.filter(Boolean).join('\n')
}

function blockedText({ blockers = [], attempts = 1, waitedMs = 0 }: Failure): string {
  const who = blockers.length > 0 ? describeBlockers(blockers) : 'a session that was gone when obs looked'
  const tries = attempts === 1 ? 'tried once' : `tried ${attempts} times in ${Math.round(waitedMs / 1000)} s`
  return `blocked by ${who}; ${tries}`
}

function failureHint({ migration, direction }: RunState, { location, advice }: Failure): string {
  if (advice) return advice
  const file = location ? basename(location.file) : migration
  return `Mend ${file} and run obs migrate ${direction} again; obs migrate status shows where the database stands.`
}

/** Somebody stopped the run; the migration that was running is undone. */
export function interruptedRun(state: RunState): InterruptedError {
  const done = state.done.length > 0 ? `; ${list(state.done)} stayed ${past(state.direction)}` : ''
  return new InterruptedError(
    `interrupted during migration ${state.migration} (${state.direction})${done}\n${state.now}`,
    {
      hint: `Run obs migrate ${state.direction} to go on, or obs migrate status to look first.`,
      details: { migration: state.migration, direction: state.direction, done: state.done, now: state.now },
    },
  )
}

/** Somebody else is migrating, and went on for longer than we were told to wait. */
export class LockTimeoutError extends ObsError {
  constructor(
    readonly holder: LockHolder | undefined,
    readonly waitedMs: number,
  ) {
    super(`another run holds the migration lock: ${describeHolder(holder)}`, {
      code: 'lock_timeout',
      exitCode: exitCodes.lockTimeout,
      hint: 'Wait for it to finish and run the command again, or wait longer with --lock-timeout; nothing was changed.',
      details: { holder, waited_ms: waitedMs },
    })
  }
}

/** Who holds the migration lock, as pg_stat_activity knows it. */
export interface LockHolder {
  readonly pid: number
  readonly application: string
  readonly user: string
  readonly host: string
  readonly since: Date
}

export function describeHolder(holder: LockHolder | undefined): string {
  if (!holder) return 'a session that has just ended or that this role may not see'
  const { pid, application, user, host, since } = holder
  return `${application || 'a session'} of ${user} on ${host} (pid ${pid}, connected since ${since.toISOString().slice(0, 19)}Z)`
}

/** `a`, `a and b`, `a, b and c`. */
function list(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

function past(direction: Direction): string {
  return direction === 'up' ? 'applied' : 'reverted'
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}

/** A migration would have lost rows or values; it was rolled back. */
export class PreservationError extends ObsError {
  constructor(
    readonly losses: readonly Loss[],
    /** What became of the work, for the hint. */
    readonly outcome = 'Nothing of this migration was kept.',
  ) {
    super(`data would be lost: ${losses.map(describeLoss).join('; ')}`, {
      code: 'data_would_be_lost',
      hint: `If it is meant, begin the file with ${losses.map(({ directive }) => `-- obs: ${directive}`).join(', ')}.`,
      details: { losses },
    })
  }
}

function describeLoss({ table, column, before, after }: Loss): string {
  return `${column === undefined ? table : `${table}.${column}`} had ${before}, then ${after}`
}
