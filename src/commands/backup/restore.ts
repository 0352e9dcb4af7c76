import { resolve } from 'node:path'
import { Command } from 'commander'
import { type RestoreOptions, restoreBackup } from '../../backup/restore-backup.js'
import { parseDatabaseUrl, type ServerAddress, withDatabaseName } from '../../database/address.js'
import { UsageError } from '../../errors.js'
import { formatCount, formatDuration } from '../../terminal/format.js'
import { action, type Invocation, targetAddress } from '../invocation.js'

interface Options {
  readonly to: string
  readonly directory?: string
  /** False with --no-owner. */
  readonly owner: boolean
  readonly pgRestore?: string
}

export function restoreBackupCommand(): Command {
  return new Command('restore')
    .description('bring a backup back into a new or an empty database')
    .argument('<id>', 'the backup, or latest')
    .requiredOption(
      '--to <url-or-name>',
      'a PostgreSQL URL, or the name of a database on the server that obs works on; made when it does not exist',
    )
    .option('--no-owner', 'leave out owners and grants: everything belongs to the role that restores')
    .option('--pg-restore <path>', 'the pg_restore to use instead of the one on the PATH')
    .option('--directory <folder>', 'where backups are kept (default: the backups folder of the configuration)')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup restore latest --to traces_copy
  $ obs backup restore 20261122T093015Z-traces --to postgres://me@db.example.com/traces --no-owner

The backup is checked first. A new database gets its name when it holds everything; an empty one
is filled in one transaction; one that holds anything is refused. The source is never touched.`,
    )
    .action(
      action<Options, [string]>(async (invocation, id) => {
        const { options, settings, context, style } = invocation
        const wanted: RestoreOptions = {
          directory: options.directory === undefined ? settings.backups : resolve(options.directory),
          id,
          to: await addressOf(options.to, invocation),
          noOwner: !options.owner,
          ...(options.pgRestore ? { pgRestore: options.pgRestore } : {}),
        }
        const result = await restoreBackup(wanted, context)
        invocation.answer({
          json: result,
          text: [
            `${style.good('restored')} ${result.id} into ${style.strong(result.database)} in ${formatDuration(result.duration_ms)}`,
            `  tables: ${formatCount(result.tables)}, rows: ${formatCount(result.rows)}, counted and compared with the backup`,
          ].join('\n'),
        })
      }),
    )
}

/** A URL as it stands; anything else names a database on the server of the settings. */
async function addressOf(to: string, invocation: Invocation<unknown>): Promise<ServerAddress> {
  if (/^[a-z]+:\/\//i.test(to)) return parseDatabaseUrl(to, '--to')
  if (/(^|\s)(host|hostaddr|port|dbname|user|password)\s*=/i.test(to)) {
    throw new UsageError('--to takes a URL or the name of a database, not a connection string of keywords', {
      hint: 'Write it as postgres://user:password@host:port/database; nothing was changed.',
    })
  }
  const bytes = Buffer.byteLength(to)
  if (bytes === 0 || bytes > 63) {
    throw new UsageError(`--to names a database of ${bytes} bytes; a name has 1 to 63`, { details: { to } })
  }
  return { ...withDatabaseName(await targetAddress(invocation), to), source: '--to' }
}
