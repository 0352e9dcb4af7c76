import { resolve } from 'node:path'
import { Command } from 'commander'
import { verifyBackup } from '../../backup/verify-backup.js'
import { formatBytes, formatCount } from '../../terminal/format.js'
import { action } from '../invocation.js'

interface Options {
  readonly directory?: string
}

export function verifyBackupCommand(): Command {
  return new Command('verify')
    .description('read a backup again and compare every file with its hash')
    .argument('[id]', 'the backup, or latest', 'latest')
    .option('--directory <folder>', 'where backups are kept (default: the backups folder of the configuration)')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup verify
  $ obs backup verify 20261122T093015Z-traces

Exits 1 and names every file that is missing, changed, shorter, longer or added.`,
    )
    .action(
      action<Options, [string]>(async ({ options, settings, style, context, answer }, id) => {
        const directory = options.directory === undefined ? settings.backups : resolve(options.directory)
        context.progress.step('checking the backup')
        const { manifest, ...result } = await verifyBackup(directory, id)
        answer({
          json: { ...result, engine: manifest.engine, rows: manifest.rows, created_at: manifest.created_at },
          text: `${style.good('intact')} ${result.id}: ${formatCount(result.files)} files, ${formatBytes(result.bytes)}`,
        })
      }),
    )
}
