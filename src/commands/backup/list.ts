import { resolve } from 'node:path'
import { Command } from 'commander'
import { type BackupEntry, listBackups } from '../../backup/list-backups.js'
import { formatAge, formatBytes, formatCount } from '../../terminal/format.js'
import type { Style } from '../../terminal/style.js'
import { renderTable } from '../../terminal/table.js'
import { action } from '../invocation.js'

interface Options {
  readonly directory?: string
}

export function listBackupsCommand(): Command {
  return new Command('list')
    .description('list backups, newest first')
    .option('--directory <folder>', 'where backups are kept (default: the backups folder of the configuration)')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup list
  $ obs backup list --json

States: complete; damaged (the manifest was touched); writing (a run is at it);
partial (a run died: the next obs backup create removes it); deleting (the next prune finishes it).
Proof: hashed (every file was read and compared with its hash) or restored (it was brought back into a
database that turned out to be the same), by which command and when.
Files are not read again here; obs backup verify does that.`,
    )
    .action(
      action<Options, []>(async ({ options, settings, style, answer }) => {
        const directory = options.directory === undefined ? settings.backups : resolve(options.directory)
        const backups = await listBackups(directory)
        answer({ json: { directory, backups }, text: backupTable(backups, directory, style, Date.now()) })
      }),
    )
}

function backupTable(backups: readonly BackupEntry[], directory: string, style: Style, now: number): string {
  if (backups.length === 0) return `no backups in ${directory}; take one with obs backup create`
  const table = renderTable(
    [
      { title: 'backup' },
      { title: 'age' },
      { title: 'size', align: 'right' },
      { title: 'rows', align: 'right' },
      { title: 'engine' },
      { title: 'scope' },
      { title: 'proof' },
      { title: 'version' },
      { title: 'state' },
    ],
    backups.map((backup) => [
      backup.id,
      backup.created_at === null ? '' : formatAge(now - Date.parse(backup.created_at)),
      backup.bytes === null ? '' : formatBytes(backup.bytes),
      backup.rows === null ? '' : formatCount(backup.rows),
      [backup.engine ?? '', ...(backup.encryption === 'age' ? ['encrypted'] : [])].join('\n'),
      backup.scope ?? '',
      proofOf(backup, now),
      versionsOf(backup.migrations),
      stateOf(backup, style),
    ]),
  )
  return `${table}\n${style.faint(directory)}`
}

function proofOf({ proof }: BackupEntry, now: number): string {
  return proof ? `${proof.level} by ${proof.by}\n${formatAge(now - Date.parse(proof.at))} ago` : ''
}

function versionsOf(migrations: BackupEntry['migrations']): string {
  return Object.entries(migrations)
    .map(([pack, version]) => `${pack} ${version}`)
    .join(', ')
}

function stateOf({ state, problem }: BackupEntry, style: Style): string {
  const text = problem ? `${state}: ${problem}` : state
  if (state === 'complete') return style.good(text)
  return state === 'damaged' ? style.bad(text) : style.notice(text)
}
