import { Command } from 'commander'
import { type RemovedRun, removeRun } from '../../generators/remove-run.js'
import { formatCount } from '../../terminal/format.js'
import { action, withTarget } from '../invocation.js'
import { generatorsOf } from './generators-of.js'

export function seedRemoveCommand(): Command {
  return new Command('remove')
    .argument('<run>', 'the id of the run, as obs seed runs shows it')
    .description('take a run away, and nothing else')
    .addHelpText(
      'after',
      `
Removes the rows that carry the mark of the run, and never more of them than the ledger knows; what
other rows refer to stays. Of a plan of your own, removes the rows that have the keys of the run. Of an unfinished run, drops the tables that it was loaded into.
Asks first; --yes answers.

Examples:
  $ obs seed remove 6c0664c98c07ff0e
  $ obs seed remove 6c0664c98c07ff0e --yes --json`,
    )
    .action(
      action<object, [string]>(async (invocation, run) => {
        const { settings, context } = invocation
        const generators = await generatorsOf(settings.pack)
        await invocation.confirm(`Take run ${run} away, with all its rows?`)
        const removed = await withTarget(
          invocation,
          (database) => removeRun(database, { generators, schema: settings.pack.schema, run }, context),
          { purpose: 'seed', connections: 2 },
        )
        invocation.answer({ json: removed, text: render(removed) })
      }),
    )
}

function render({ run_id, state, removed }: RemovedRun): string {
  if (state === 'unfinished') return `Run ${run_id} is gone; nobody had seen a row of it.`
  const counts = Object.entries(removed).filter(([, rows]) => rows > 0)
  return `Run ${run_id} is gone: ${counts.map(([table, rows]) => `${formatCount(rows)} ${table}`).join(', ') || 'it had no rows left'}.`
}
