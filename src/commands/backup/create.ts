import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { type CreateBackupOptions, createBackup } from '../../backup/create-backup.js'
import { type EngineName, engines } from '../../backup/manifest.js'
import { formatBytes, formatCount, formatDuration } from '../../terminal/format.js'
import { action, withTarget } from '../invocation.js'

interface Options {
  readonly engine?: EngineName
  readonly pgDump?: string
  readonly directory?: string
}

export function createBackupCommand(): Command {
  return new Command('create')
    .description('back the whole database up and check the backup')
    .addOption(
      new Option('--engine <name>', 'native (pg_dump) or built-in; without it pg_dump where it is new enough').choices([
        ...engines,
      ]),
    )
    .option('--pg-dump <path>', 'the pg_dump to use instead of the one on the PATH')
    .option('--directory <folder>', 'where backups are kept (default: the backups folder of the configuration)')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup create
  $ obs backup create --engine built-in --directory /mnt/backups
  $ obs backup create --pg-dump /usr/lib/postgresql/18/bin/pg_dump

The database is only read, in one snapshot. Exits 0 once every file was written, read back
and compared with its hash; otherwise nothing is left behind.`,
    )
    .action(
      action<Options, []>(async (invocation) => {
        const { options, settings, context, style } = invocation
        const wanted: CreateBackupOptions = {
          directory: options.directory === undefined ? settings.backups : resolve(options.directory),
          ...(options.engine ? { engine: options.engine } : {}),
          ...(options.pgDump ? { pgDump: options.pgDump } : {}),
        }
        const backup = await withTarget(invocation, (database) => createBackup(database, wanted, context), {
          purpose: 'backup create',
        })
        const { id, path, engine, reason, bytes, verified, manifest } = backup
        const { rows, tables, duration_ms, database } = manifest
        invocation.answer({
          json: {
            id,
            path,
            engine,
            reason,
            bytes,
            verified,
            database: database.name,
            tables: tables.length,
            rows,
            duration_ms,
          },
          text: [
            `${style.good('backed up')} ${database.name} as ${style.strong(id)} in ${formatDuration(duration_ms)}`,
            `  tables: ${formatCount(tables.length)}, rows: ${formatCount(rows)}, size: ${formatBytes(bytes)}, every file checked`,
            `  engine: ${engine} (${reason})`,
            `  path:   ${path}`,
            style.faint(`restore it with: obs backup restore ${id} --to <new database>`),
          ].join('\n'),
        })
      }),
    )
}
