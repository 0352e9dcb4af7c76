import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import type { BackupResult, CreateBackupOptions } from '../../backup/create-backup.js'
import { type EngineName, engines, type ScopeName, scopes } from '../../backup/manifest.js'
import type { Scope } from '../../backup/scope.js'
import { UsageError } from '../../errors.js'
import { formatBytes, formatCount, formatDuration } from '../../terminal/format.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { parseCount } from '../migrate/flags.js'
import { type MakeBackupFlags, makeBackup } from './make-backup.js'
import { afterSuccessOption, encryptToOption } from './own-command.js'
import { collectTables, type NamedTable } from './table-name.js'

interface Options extends MakeBackupFlags {
  readonly engine?: EngineName
  readonly pgDump?: string
  readonly directory?: string
  readonly scope?: ScopeName
  readonly table?: readonly NamedTable[]
  readonly jobs?: number
}

export function createBackupCommand(): Command {
  return new Command('create')
    .description('back the database up and check the backup')
    .addOption(
      new Option('--engine <name>', 'native (pg_dump) or built-in; without it pg_dump where it is new enough').choices([
        ...engines,
      ]),
    )
    .option('--pg-dump <path>', 'the pg_dump to use instead of the one on the PATH')
    .addOption(
      new Option('--scope <scope>', 'full, tables (those of --table with what they reference) or schema').choices([
        ...scopes,
      ]),
    )
    .option('--table <name>', 'back up only this table; may be given several times', collectTables)
    .option('--jobs <count>', 'how many tables to read at a time (default: 2)', parseCount)
    .addOption(encryptToOption())
    .addOption(afterSuccessOption())
    .option('--directory <folder>', 'where backups are kept (default: the backups folder of the configuration)')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup create
  $ obs backup create --engine built-in --directory /mnt/backups
  $ obs backup create --table app.users --table app.orders
  $ obs backup create --encrypt-to backup-key.txt --after-success './upload.sh --bucket backups'

The database is only read, in one snapshot. Exits 0 once every file was written, read back
and compared with its hash, and the program of --after-success ended with 0; when a file cannot
be written nothing is left behind, when that program fails the backup stays.`,
    )
    .action(
      action<Options, []>(async (invocation) => {
        const { options, settings } = invocation
        const wanted: CreateBackupOptions = {
          directory: options.directory === undefined ? settings.backups : resolve(options.directory),
          scope: scopeOf(options),
          ...(options.engine ? { engine: options.engine } : {}),
          ...(options.pgDump ? { pgDump: options.pgDump } : {}),
          ...(options.jobs ? { jobs: options.jobs } : {}),
        }
        const backup = await withTarget(invocation, (database) => makeBackup(invocation, database, wanted), {
          purpose: 'backup create',
        })
        invocation.answer({ json: jsonOf(backup), text: textOf(backup, invocation) })
      }),
    )
}

function scopeOf({ scope, table }: Options): Scope {
  if (table && scope !== undefined && scope !== 'tables') {
    throw new UsageError(`--table and --scope ${scope} say two different things`, {
      hint: 'Leave one of them out; nothing was written.',
    })
  }
  if (table) return { kind: 'tables', tables: table }
  if (scope !== 'tables') return { kind: scope ?? 'full' }
  throw new UsageError('--scope tables needs to know which tables', {
    hint: 'Name them with --table; nothing was written.',
  })
}

function jsonOf({ id, path, engine, reason, bytes, verified, manifest }: BackupResult) {
  const { rows, tables, duration_ms, database, scope, encryption } = manifest
  return {
    id,
    path,
    engine,
    reason,
    scope,
    encryption,
    bytes,
    verified,
    database: database.name,
    tables: tables.length,
    rows,
    duration_ms,
  }
}

function textOf({ id, path, engine, reason, bytes, manifest }: BackupResult, { style }: Invocation<Options>): string {
  const { rows, tables, duration_ms, database, scope, encryption } = manifest
  const part = { full: '', tables: 'some tables of ', schema: 'the definitions of ' }[scope]
  return [
    `${style.good('backed up')} ${part}${database.name} as ${style.strong(id)} in ${formatDuration(duration_ms)}`,
    `  tables: ${formatCount(tables.length)}, rows: ${formatCount(rows)}, size: ${formatBytes(bytes)}, every file checked${encryption === 'age' ? ', encrypted' : ''}`,
    `  engine: ${engine} (${reason})`,
    `  path:   ${path}`,
    style.faint(`restore it with: obs backup restore ${id}`),
  ].join('\n')
}
