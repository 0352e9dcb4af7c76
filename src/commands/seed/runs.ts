import { Command } from 'commander'
import { withSession } from '../../database/connect.js'
import { type ListedRun, listRuns } from '../../generators/list-runs.js'
import { formatCount } from '../../terminal/format.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'
import { action, withTarget } from '../invocation.js'

export function seedRunsCommand(): Command {
  return new Command('runs')
    .description('list what was seeded, and what is unfinished')
    .addHelpText('after', '\nExamples:\n  $ obs seed runs\n  $ obs seed runs --json')
    .action(
      action<object, []>(async (invocation) => {
        const runs = await withTarget(invocation, ({ sql }) => withSession(sql, listRuns), {
          purpose: 'seed runs',
          connections: 1,
        })
        invocation.answer({ json: { runs }, text: render(runs, invocation.style) })
      }),
    )
}

function render(runs: readonly ListedRun[], style: Style): string {
  if (runs.length === 0) return 'Nothing was seeded here.'
  const columns = ['run', 'state', 'begun (UTC)', 'profile', 'seed', 'days', 'workspace'].map((title) => ({ title }))
  const rows = runs.map(({ run_id, state, started_at, profile, seed, days, workspace_id, rows: byTable }) => [
    ...[run_id, state === 'finished' ? state : style.strong(state), started_at.slice(0, 16).replace('T', ' ')],
    ...[profile, String(seed), String(days), workspace_id],
    formatCount(Object.values(byTable).reduce((sum, count) => sum + count, 0)),
  ])
  const table = renderTable([...columns, { title: 'rows', align: 'right' }], rows)
  const unfinished = runs.find(({ state }) => state === 'unfinished')
  if (!unfinished) return table
  return `${table}\n\nGo on with obs seed --resume, or take it away with obs seed remove ${unfinished.run_id}.`
}
