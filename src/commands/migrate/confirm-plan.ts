import type { PlannedMigration } from '../../migrator/run/planned-migration.js'
import type { RunOptions } from '../../migrator/run/run.js'
import type { Invocation } from '../invocation.js'
import type { RunFlags } from './flags.js'

/**
 * On a terminal, asks before anything is reverted.
 *
 * The plan that was confirmed is handed on: exactly this is run, or nothing is.
 */
export async function confirmPlan(
  invocation: Invocation<RunFlags>,
  plan: () => Promise<{ readonly planned: readonly PlannedMigration[] }>,
): Promise<Pick<RunOptions, 'confirmed'>> {
  if (!invocation.terminal.canAsk) return {}
  const { planned } = await plan()
  if (!planned.some((one) => one.direction === 'down')) return {}
  await invocation.confirm(question(planned))
  return { confirmed: planned }
}

function question(planned: readonly PlannedMigration[]): string {
  const names = (direction: PlannedMigration['direction']) =>
    planned
      .filter((one) => one.direction === direction)
      .map((one) => one.name)
      .join(', ')
  const apply = names('up') && `, then apply ${names('up')}`
  return `Revert ${names('down')} and drop what ${planned.length === 1 ? 'it' : 'they'} made${apply}?`
}
