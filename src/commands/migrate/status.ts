import { Command } from 'commander'
import { describeChange } from '../../migrator/checksum/difference.js'
import type { MigrationStatus, StatusResult } from '../../migrator/history/status.js'
import { formatDuration, formatTime } from '../../terminal/format.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'
import { action, withTarget } from '../invocation.js'

export function migrateStatusCommand(): Command {
  return new Command('status')
    .description('show what is applied and what is pending')
    .addHelpText(
      'after',
      `
Examples:
  $ obs migrate status
  $ obs migrate status --json | jq .current

States: applied, pending, dirty (half done), changed (the file is no longer what was
applied), missing (applied, but the file is gone). Only reads; exits 0 whatever it finds.`,
    )
    .action(
      action<object, []>(async (invocation) => {
        const { settings, style } = invocation
        const { migrationStatus } = await import('../../migrator/history/status.js')
        const status = await withTarget(invocation, (database) => migrationStatus(database, settings.pack), {
          connections: 1,
          purpose: 'migrate status',
          readOnly: true,
        })
        invocation.answer({ json: statusJson(status), text: statusText(status, style) })
      }),
    )
}

function statusJson({ pack, platform, current, migrations, changes }: StatusResult) {
  return {
    pack,
    platform,
    current,
    migrations: migrations.map((one) => ({
      version: one.version,
      name: one.name,
      state: one.state,
      applied_at: one.appliedAt?.toISOString() ?? null,
      reversible: one.reversible,
      ...(one.stoppedAt ? { stopped_at: one.stoppedAt } : {}),
    })),
    ...(changes.length > 0 ? { changes } : {}),
  }
}

function statusText(status: StatusResult, style: Style): string {
  const { pack, platform, current, migrations, changes } = status
  if (migrations.length === 0) return `${pack} has no migrations yet; obs migrate create writes the first`
  const table = renderTable(
    [
      { title: 'version', align: 'right' },
      { title: 'name' },
      { title: 'state' },
      { title: 'applied at' },
      { title: 'took', align: 'right' },
      { title: 'down' },
    ],
    migrations.map((one) => [
      String(one.version),
      one.name,
      paint(one, style),
      one.appliedAt ? formatTime(one.appliedAt) : '',
      one.durationMs === null ? '' : formatDuration(one.durationMs),
      one.reversible ? 'yes' : 'no',
    ]),
  )
  return [
    `${style.strong(pack)} on ${platform}, at version ${current}`,
    '',
    table,
    '',
    nextStep(status, style),
    ...changes.map(describeChange),
  ].join('\n')
}

function paint({ state }: MigrationStatus, style: Style): string {
  if (state === 'applied') return style.good(state)
  return state === 'pending' ? style.notice(state) : style.bad(state)
}

/** The most pressing thing to say, with the command that deals with it. */
function nextStep({ migrations, current }: StatusResult, style: Style): string {
  const of = (state: MigrationStatus['state']) => migrations.filter((one) => one.state === state)
  const [dirty] = of('dirty')
  if (dirty) return dirtyStep(dirty, style)
  const names = (list: readonly MigrationStatus[]) => list.map((one) => `${one.version} ${one.name}`).join(', ')
  if (of('changed').length > 0) return `changed after being applied: ${names(of('changed'))}; restore the files`
  if (of('missing').length > 0) return `applied, but without a file: ${names(of('missing'))}; bring the files back`
  const late = of('pending').filter((one) => one.version < current)
  if (late.length > 0) return lateStep(names(late), current, style)
  const pending = of('pending').length
  if (pending === 0) return style.good('up to date')
  return `${pending} pending; ${style.strong('obs migrate up')} applies ${pending === 1 ? 'it' : 'them'}`
}

function lateStep(names: string, current: number, style: Style): string {
  const all = style.strong('obs migrate up --allow-out-of-order')
  return `came late, below version ${current}: ${names}; give it a version above, or ${all} runs it all the same`
}

function dirtyStep({ version, name, stoppedAt }: MigrationStatus, style: Style): string {
  const statement = stoppedAt?.statement ?? 1
  const command = stoppedAt?.direction === 'down' ? `obs migrate down --to ${version - 1}` : 'obs migrate up'
  if (stoppedAt?.certain) {
    return `${name} stopped before statement ${statement}; mend the file, then ${style.strong(command)} goes on there`
  }
  const look = style.strong(`obs migrate repair ${version}`)
  return `${name} is running, or broke off, in statement ${statement}; ${style.strong(command)} goes on if the catalog can tell, ${look} shows every way out; both wait for a run that is active`
}
