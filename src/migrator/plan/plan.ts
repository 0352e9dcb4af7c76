import type { PlatformName } from '../../database/platform.js'
import { UsageError } from '../../errors.js'
import { hasChanged } from '../checksum/changes.js'
import type { Change } from '../checksum/difference.js'
import {
  ChangedMigrationError,
  DirtyHistoryError,
  LateMigrationError,
  MigrationFilesError,
  MissingDownError,
  MissingMigrationError,
  OutOfOrderDownError,
  UnfinishedMigrationError,
} from '../errors.js'
import {
  currentVersion,
  type HistoryState,
  isApplied,
  presentVersions,
  type VersionRecord,
} from '../history/history.js'
import { chooseScript, type Direction, type Migration, type Script } from '../migration.js'

/** One migration to run in one direction. */
export interface Step {
  readonly migration: Migration
  readonly direction: Direction
  readonly script: Script
  readonly verify: Script | undefined
  /** The statement to begin with, from 1; above 1 when an earlier run stopped halfway. */
  readonly resumeAt: number
  /** Checksums of the statements that ran already. */
  readonly doneStatements: readonly string[]
  /** What the history is to say about it besides the facts: `out of order`. */
  readonly remark: string | null
}

export { hasChanged } from '../checksum/changes.js'

/** What a plan is made from. */
export interface Situation {
  readonly migrations: readonly Migration[]
  readonly history: HistoryState
  /** How applied files differ from what was applied, as far as that is known. */
  readonly changes?: readonly Change[]
  readonly platform: PlatformName
  /** Where the files are, for messages. */
  readonly folder: string
}

/** How far up to go; everything by default. */
export interface UpTarget {
  readonly to?: number
  readonly steps?: number
  /** Also run migrations that are older than one that is applied. */
  readonly allowOutOfOrder?: boolean
}

/** How far down to go: to a version, or by a number of migrations. */
export type DownTarget = { readonly to: number } | { readonly steps: number }

/**
 * Decides which migrations to apply, oldest first.
 *
 * The past is checked before anything is chosen: a file that vanished or changed since
 * it was applied throws, so a plan never builds on a past the database does not share.
 *
 * @throws ObsError with exit code 5 when a migration is half done in a way that only a person can judge.
 * @throws LateMigrationError naming what came late, unless that is allowed.
 */
export function planUp(situation: Situation, target: UpTarget = {}): readonly Step[] {
  const { to, steps, allowOutOfOrder = false } = target
  refuseUnknown(situation)
  refuseStopped(situation, 'down')
  refuseMissing(situation)
  refuseChanged(situation)
  if (to !== undefined) checkTarget(situation, to)
  const pending = pendingUpTo(situation, to).slice(0, steps)
  if (!allowOutOfOrder) refuseLate(situation, pending)
  if (to !== undefined && pending.length === 0) refuseBackwards(situation.history, to)
  return pending.map((migration) => upStep(situation, migration))
}

/**
 * Decides which migrations to revert: what was applied last goes first, which is the
 * order of their versions unless some were applied out of order.
 *
 * A file that changed since it was applied is no obstacle here: reverting it is how a
 * person gets to apply it anew.
 *
 * @throws MissingDownError naming every migration that cannot be reverted, before the first one is.
 * @throws OutOfOrderDownError when a migration that would stay was applied after one that would go.
 */
export function planDown(situation: Situation, target: DownTarget): readonly Step[] {
  if ('steps' in target) return downSteps(situation, latestFirst(situation).slice(0, target.steps))
  refuseUnknown(situation)
  checkTarget(situation, target.to)
  const present = latestFirst(situation)
  const highest = Math.max(0, ...present.map((record) => record.version))
  if (target.to > highest) refuseForwards(situation, target.to)
  const chosen = present.filter((record) => record.version > target.to)
  refuseLaterBelow(situation, chosen, target.to)
  return downSteps(situation, chosen)
}

/** Decides how to revert the migrations that were applied last and to apply them again, oldest first. */
export function planRedo(situation: Situation, count: number): readonly Step[] {
  const down = planDown(situation, { steps: count })
  const again = new Set(down.map((step) => step.migration.version))
  const after = afterReverting(situation, down)
  refuseMissing(after)
  refuseChanged(after)
  const up = pendingUpTo(after).filter((migration) => again.has(migration.version))
  return [...down, ...up.map((migration) => upStep(after, migration))]
}

/**
 * Decides how to get to a version from wherever the database is: reverts from the one
 * applied last until nothing above is left, then applies what is missing below.
 */
export function planGoto(situation: Situation, to: number, allowOutOfOrder = false): readonly Step[] {
  refuseUnknown(situation)
  checkTarget(situation, to)
  const present = latestFirst(situation)
  const above = present.findLastIndex((record) => record.version > to)
  if (above < 0) return planUp(situation, { to, allowOutOfOrder })
  const down = downSteps(situation, present.slice(0, above + 1))
  const after = afterReverting(situation, down)
  const up = pendingUpTo(after, to).length === 0 ? [] : planUp(after, { to, allowOutOfOrder })
  return [...down, ...up]
}

/**
 * A planner that keeps to what it chose first. "One step" means one step from where the
 * database stands when the person asks: if another run takes it meanwhile, a second plan
 * must not go one further.
 */
export function planOnce(plan: (situation: Situation) => readonly Step[]): (situation: Situation) => readonly Step[] {
  let chosen: ReadonlySet<string> | undefined
  const key = (step: Step) => `${step.direction} ${step.migration.version}`
  return (situation) => {
    const steps = plan(situation)
    chosen ??= new Set(steps.map(key))
    return steps.filter((step) => chosen?.has(key(step)))
  }
}

function latestFirst({ history }: Situation): readonly VersionRecord[] {
  return [...presentVersions(history)].sort((a, b) => b.order - a.order)
}

function pendingUpTo({ migrations, history }: Situation, to = Number.MAX_SAFE_INTEGER): readonly Migration[] {
  return migrations.filter((one) => !isApplied(history.get(one.version)) && one.version <= to)
}

function downSteps(situation: Situation, records: readonly VersionRecord[]): readonly Step[] {
  refuseUnknown(situation)
  refuseStopped(situation, 'up')
  refuseMissing(situation, records)
  const steps = records.map((record) => downStep(situation, record))
  const stuck = steps.filter((step) => 'missing' in step).map((step) => step.missing)
  if (stuck.length > 0) throw new MissingDownError(stuck)
  return steps.filter((step) => 'script' in step)
}

/** The situation as it will be once the steps have been taken. */
function afterReverting(situation: Situation, steps: readonly Step[]): Situation {
  const history = new Map(situation.history)
  for (const { migration } of steps) {
    const record = history.get(migration.version)
    if (record) history.set(migration.version, { ...record, state: 'reverted', appliedAt: null })
  }
  return { ...situation, history }
}

/** The remark on a migration that was applied although a newer one was there. */
export const outOfOrder = 'out of order'

function upStep({ history, platform }: Situation, migration: Migration): Step {
  const script = chooseScript(migration.up, platform)
  if (!script) throw noFormFor(migration, platform)
  const record = history.get(migration.version)
  const stopped = record?.state === 'stopped' ? record : undefined
  return {
    migration,
    direction: 'up',
    script,
    verify: chooseScript(migration.verify, platform),
    resumeAt: stopped?.statement ?? 1,
    doneStatements: stopped?.doneStatements ?? [],
    remark: migration.version < currentVersion(history) ? outOfOrder : null,
  }
}

function downStep({ migrations }: Situation, record: VersionRecord): Step | { missing: string } {
  const migration = migrations.find((one) => one.version === record.version)
  const script = migration && chooseScript(migration.down, record.variant)
  if (!migration || !script) return { missing: migration?.id ?? idOf(record) }
  const stopped = record.state === 'stopped' ? record : undefined
  return {
    migration,
    direction: 'down',
    script,
    verify: undefined,
    resumeAt: stopped?.statement ?? 1,
    doneStatements: stopped?.doneStatements ?? [],
    remark: null,
  }
}

function refuseUnknown({ history, migrations }: Situation): void {
  const record = presentVersions(history).find((one) => one.state === 'unknown')
  if (!record) return
  throw new DirtyHistoryError(nameOf(record, migrations), record.version, record.direction, record.statement)
}

function refuseStopped({ history, migrations }: Situation, direction: Direction): void {
  const record = presentVersions(history).find((one) => one.state === 'stopped' && one.direction === direction)
  if (!record) return
  throw new UnfinishedMigrationError(nameOf(record, migrations), record.version, direction, record.statement)
}

function refuseMissing({ migrations, history, folder }: Situation, records = presentVersions(history)): void {
  const known = new Set(migrations.map((migration) => migration.version))
  const missing = records.filter((record) => !known.has(record.version))
  if (missing.length > 0) throw new MissingMigrationError(missing.map(idOf), folder)
}

function refuseChanged({ migrations, history, changes = [] }: Situation): void {
  const changed = migrations.filter((migration) => hasChanged(migration, history.get(migration.version)))
  if (changed.length === 0) return
  const shown = changes.filter(({ migration }) => changed.some(({ id }) => id === migration))
  throw new ChangedMigrationError(
    changed.map((migration) => migration.id),
    shown,
  )
}

function refuseLate({ history, migrations }: Situation, pending: readonly Migration[]): void {
  const current = currentVersion(history)
  const late = pending.filter((one) => one.version < current && history.get(one.version)?.state !== 'stopped')
  if (late.length === 0) return
  const newest = migrations.find((migration) => migration.version === current)
  throw new LateMigrationError(
    late.map((migration) => migration.id),
    newest?.id ?? String(current),
  )
}

/** Reverting what a later one was built upon could take that down with it. */
function refuseLaterBelow(situation: Situation, chosen: readonly VersionRecord[], to: number): void {
  const earliest = Math.min(...chosen.map((record) => record.order))
  const later = latestFirst(situation).filter((one) => one.order > earliest && !chosen.includes(one))
  if (later.length === 0) return
  const names = (records: readonly VersionRecord[]) => records.map((one) => nameOf(one, situation.migrations))
  throw new OutOfOrderDownError(names(later), names(chosen), to)
}

function checkTarget({ migrations, history }: Situation, to: number): void {
  if (to === 0 || migrations.some((migration) => migration.version === to) || history.has(to)) return
  const known = migrations.map((migration) => migration.version)
  throw new UsageError(`there is no migration with version ${to}`, {
    code: 'unknown_version',
    hint: `Name 0 or one of ${known.join(', ')} with --to; nothing was changed.`,
    details: { to, versions: known },
  })
}

function refuseBackwards(history: HistoryState, to: number): void {
  const current = currentVersion(history)
  if (to >= current) return
  throw new UsageError(`the database is at version ${current} already, above ${to}`, {
    code: 'wrong_direction',
    hint: `Run obs migrate down --to ${to} to go back; nothing was changed.`,
    details: { current, to },
  })
}

function refuseForwards({ history }: Situation, to: number): void {
  const current = currentVersion(history)
  throw new UsageError(`the database is at version ${current}, below ${to}`, {
    code: 'wrong_direction',
    hint: `Run obs migrate up --to ${to} to go there; nothing was changed.`,
    details: { current, to },
  })
}

function noFormFor(migration: Migration, platform: PlatformName): MigrationFilesError {
  const there = migration.up.map((script) => script.variant).join(', ')
  return new MigrationFilesError([
    { message: `${migration.id} has no form for ${platform}, only for ${there}; add ${migration.id}.up.sql` },
  ])
}

function nameOf(record: VersionRecord, migrations: readonly Migration[]): string {
  return migrations.find((migration) => migration.version === record.version)?.id ?? idOf(record)
}

function idOf(record: VersionRecord): string {
  return `${record.version}_${record.name}`
}
