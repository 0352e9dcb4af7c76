import { resolve } from 'node:path'
import { Command } from 'commander'
import { backupBefore } from '../../backup/find-before.js'
import { listBackups } from '../../backup/list-backups.js'
import {
  type ReplacedDatabase,
  type RestoreOptions,
  type RestoreResult,
  restoreBackup,
} from '../../backup/restore-backup.js'
import type { Selection } from '../../backup/selection.js'
import { datedName } from '../../backup/swap-databases.js'
import { type ServerAddress, withDatabaseName } from '../../database/address.js'
import { UsageError } from '../../errors.js'
import { formatCount, formatDuration } from '../../terminal/format.js'
import { action, type Invocation, targetAddress } from '../invocation.js'
import { parseCount, parseVersion } from '../migrate/flags.js'
import { decryptionOf, identityOption } from './decryption.js'
import { recordedApplication } from './migration-backups.js'
import { collectTables, type NamedTable } from './table-name.js'
import { addressOf, commandOn } from './target.js'

interface Options {
  readonly to?: string
  readonly before?: number
  readonly identity?: readonly string[]
  readonly table?: readonly NamedTable[]
  readonly schemaOnly?: boolean
  readonly dataOnly?: boolean
  readonly jobs?: number
  readonly replace?: boolean
  readonly directory?: string
  /** False with --no-owner. */
  readonly owner: boolean
  readonly pgRestore?: string
}

export function restoreBackupCommand(): Command {
  return new Command('restore')
    .description('bring a backup back, beside what is there or in its place')
    .argument('[id]', 'the backup, or latest')
    .option(
      '--before <version>',
      'the backup that holds the database as it was before this migration (see --pack)',
      parseVersion,
    )
    .option(
      '--to <url-or-name>',
      'a PostgreSQL URL, or the name of a database on the server that obs works on; made when it does not exist ' +
        '(default: <database>_restored_<time>; with --replace the database obs works on)',
    )
    .option('--replace', 'take the place of a database that holds something; that one is kept under another name')
    .option(
      '--table <name>',
      'the rows of this table alone, with the definitions of everything; may be given several times',
      collectTables,
    )
    .option('--schema-only', 'definitions without rows')
    .option('--data-only', 'rows alone, into tables that exist and are empty, in one transaction')
    .option('--jobs <count>', 'how many tables and indexes to work on at a time (default: 2)', parseCount)
    .addOption(identityOption())
    .option('--no-owner', 'leave out owners and grants: everything belongs to the role that restores')
    .option('--pg-restore <path>', 'the pg_restore to use instead of the one on the PATH')
    .option('--directory <folder>', 'where backups are kept (default: the backups folder of the configuration)')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup restore latest                              into a new database, to look at
  $ obs backup restore latest --replace                    back to the backup; the present database is kept
  $ obs backup restore --before 7 --replace                back to before migration 7 was applied
  $ obs backup restore latest --table app.users            the rows of one table, in a database of its own
  $ obs backup restore latest --data-only --table users    into the empty table of the present database
  $ obs backup restore latest --to traces_copy
  $ obs backup restore 20261122T093015Z-traces --to postgres://me@db.example.com/traces --no-owner

The backup is checked first. A new database gets its name when it holds everything; an empty one
is filled in one transaction; one that holds anything is refused without --replace. With it the
backup is restored beside that database, checked, and both are renamed in one transaction.`,
    )
    .action(
      action<Options, [string | undefined]>(async (invocation, id) => {
        const { options, settings, context } = invocation
        const directory = options.directory === undefined ? settings.backups : resolve(options.directory)
        const decrypt = await decryptionOf(invocation)
        const to = await chooseTarget(invocation)
        const wanted: RestoreOptions = {
          directory,
          id: await chooseBackup(invocation, id, directory),
          ...decrypt,
          selection: selectionOf(options),
          ...(options.jobs ? { jobs: options.jobs } : {}),
          to,
          noOwner: !options.owner,
          ...(options.pgRestore ? { pgRestore: options.pgRestore } : {}),
          ...(options.replace ? { replace: (replaced) => invocation.confirm(question(replaced)) } : {}),
        }
        const result = await restoreBackup(wanted, context)
        invocation.answer({ json: jsonOf(result, to, options), text: textOf(result, to, invocation) })
      }),
    )
}

function selectionOf({ table, schemaOnly, dataOnly, replace }: Options): Selection {
  const flags = [table && '--table', schemaOnly && '--schema-only', dataOnly && '--data-only', replace && '--replace']
  const given = flags.filter((flag) => typeof flag === 'string')
  const together = given.join(' ') === '--table --data-only'
  if (given.length > 1 && !together) {
    throw new UsageError(`${given.join(' and ')} do not go together`, {
      hint: replace
        ? 'A part never takes the place of the whole: leave out --replace.'
        : 'Use one of them; nothing was changed.',
    })
  }
  return {
    ...(table ? { tables: table } : {}),
    ...(schemaOnly ? { only: 'schema' } : dataOnly ? { only: 'data' } : {}),
  }
}

/** The backup that is named, or the one from before a migration. */
async function chooseBackup(
  invocation: Invocation<Options>,
  id: string | undefined,
  directory: string,
): Promise<string> {
  const { before } = invocation.options
  if ((id === undefined) === (before === undefined)) {
    throw new UsageError('restore takes the id of a backup (or latest), or --before with the version of a migration', {
      hint: 'Give one of the two; nothing was changed.',
    })
  }
  if (before === undefined) return id ?? ''
  const { settings, context, options } = invocation
  const own =
    options.to === undefined || !options.replace
      ? await targetAddress(invocation)
      : await addressOf(options.to, invocation)
  const point = { pack: settings.pack.name, version: before, database: own.database }
  const recorded = await recordedApplication(invocation, own, before)
  const { backup, how } = backupBefore(await listBackups(directory), point, recorded)
  context.progress.step(`restoring ${backup.id}: ${how}`)
  return backup.id
}

async function chooseTarget(invocation: Invocation<Options>): Promise<ServerAddress> {
  const { to, replace, dataOnly } = invocation.options
  if (to !== undefined) return addressOf(to, invocation)
  const own = await targetAddress(invocation)
  return replace || dataOnly ? own : withDatabaseName(own, datedName(own.database, 'restored', new Date()))
}

function question({ database, contents, sessions, kept, backupOf, backupAt }: ReplacedDatabase): string {
  const other = backupOf === database ? '' : ` of the database ${backupOf}`
  const who = sessions === 0 ? 'nobody is connected to it' : `its ${sessions} sessions will be ended`
  return `Replace ${database} (it holds ${contents.join(', ')}; ${who}) by the backup${other} of ${backupAt}? The present one is kept as ${kept}.`
}

function jsonOf(result: RestoreResult, to: ServerAddress, options: Options) {
  const { kept } = result
  if (kept === null) return result
  return {
    ...result,
    swap_back: commandOn(to, ['swap', kept], options.to),
    discard: commandOn(to, ['discard', kept], options.to),
  }
}

function textOf(result: RestoreResult, to: ServerAddress, { style, options }: Invocation<Options>): string {
  const { id, database, kept, tables, rows, duration_ms } = result
  return [
    `${style.good('restored')} ${id} into ${style.strong(database)} in ${formatDuration(duration_ms)}`,
    `  tables: ${formatCount(tables)}, rows: ${formatCount(rows)}, counted and compared with the backup`,
    ...(kept === null
      ? []
      : [
          `  what was there before is kept as ${style.strong(kept)}`,
          style.faint(`back to it: ${commandOn(to, ['swap', kept], options.to)}`),
          style.faint(`drop it:    ${commandOn(to, ['discard', kept], options.to)}`),
        ]),
  ].join('\n')
}
