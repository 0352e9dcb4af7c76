import { isTransactional, type PreparedStep } from '../apply/step-run.js'
import { PlanChangedError } from '../errors.js'
import type { Direction } from '../migration.js'

/** One migration of a plan, with what tells it from another plan's. */
export interface PlannedMigration {
  readonly version: number
  readonly name: string
  readonly direction: Direction
  readonly transactional: boolean
  readonly checksum: string
  readonly resumeAt: number
}

export function asPlanned(step: PreparedStep): PlannedMigration {
  const { migration, direction, script, resumeAt } = step
  const { version, name } = migration
  return { version, name, direction, transactional: isTransactional(step), checksum: script.checksum, resumeAt }
}

/** Exactly what was confirmed is run, or nothing. */
export function refuseOtherPlan(confirmed: readonly PlannedMigration[], steps: readonly PreparedStep[]): void {
  const now = steps.map(asPlanned)
  const key = (plan: readonly PlannedMigration[]) =>
    JSON.stringify(plan.map(({ version, direction, checksum, resumeAt }) => [version, direction, checksum, resumeAt]))
  if (key(confirmed) === key(now)) return
  const names = (plan: readonly PlannedMigration[]) =>
    plan.map(({ version, name, direction }) => `${version} ${name} (${direction})`)
  throw new PlanChangedError(names(confirmed), names(now))
}
