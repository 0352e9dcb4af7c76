import { resolve } from 'node:path'
import { Command } from 'commander'
import { proveByRestoring } from '../../backup/prove-backup.js'
import { verifyBackup } from '../../backup/verify-backup.js'
import { UsageError } from '../../errors.js'
import { formatBytes, formatCount, formatDuration } from '../../terminal/format.js'
import { type Answer, action, type Invocation, targetAddress } from '../invocation.js'
import { parseCount } from '../migrate/flags.js'
import { decryptionOf, identityOption } from './decryption.js'
import { addressOf } from './target.js'

interface Options {
  readonly directory?: string
  readonly restore?: boolean
  readonly on?: string
  readonly identity?: readonly string[]
  readonly pgRestore?: string
  readonly jobs?: number
}

export function verifyBackupCommand(): Command {
  return new Command('verify')
    .description('read a backup again and compare every file with its hash, or prove it by restoring it')
    .argument('[id]', 'the backup, or latest', 'latest')
    .option('--restore', 'also restore it into a database of its own and compare rows and definitions')
    .option('--on <url-or-name>', 'with --restore: a server to do that on (default: the one obs works on)')
    .option('--jobs <count>', 'with --restore: how many tables to work on at a time (default: 2)', parseCount)
    .addOption(identityOption())
    .option('--pg-restore <path>', 'the pg_restore to use instead of the one on the PATH')
    .option('--directory <folder>', 'where backups are kept (default: the backups folder of the configuration)')
    .addHelpText(
      'after',
      `
Examples:
  $ obs backup verify
  $ obs backup verify 20261122T093015Z-traces
  $ obs backup verify --restore                            the proof that it can be brought back

Exits 1 and names every file that is missing, changed, shorter, longer or added; with --restore also
every table and object that is not as it was. Hashes are of what lies on the disk: an encrypted backup
needs its key (--identity) for --restore alone. What was proven is shown by obs backup list.`,
    )
    .action(
      action<Options, [string]>(async (invocation, id) => {
        const { options, settings } = invocation
        const directory = options.directory === undefined ? settings.backups : resolve(options.directory)
        refuseIdle(options)
        invocation.answer(await (options.restore ? prove : readAgain)(invocation, directory, id))
      }),
    )
}

/** Flags that do nothing without a restore. */
function refuseIdle({ restore, on, jobs }: Options): void {
  if (restore || (on === undefined && jobs === undefined)) return
  throw new UsageError('--on and --jobs are about a restore', { hint: 'Add --restore, or leave them out.' })
}

async function readAgain({ context, style }: Invocation<Options>, directory: string, id: string): Promise<Answer> {
  context.progress.step('checking the backup')
  const { manifest, ...result } = await verifyBackup(directory, id)
  return {
    json: { ...result, engine: manifest.engine, rows: manifest.rows, created_at: manifest.created_at },
    text: `${style.good('intact')} ${result.id}: ${formatCount(result.files)} files, ${formatBytes(result.bytes)}`,
  }
}

async function prove(invocation: Invocation<Options>, directory: string, id: string): Promise<Answer> {
  const { options, context, style } = invocation
  const on = options.on === undefined ? await targetAddress(invocation) : await addressOf(options.on, invocation)
  const wanted = {
    directory,
    id,
    on,
    by: 'verify',
    ...(await decryptionOf(invocation)),
    ...(options.jobs ? { jobs: options.jobs } : {}),
    ...(options.pgRestore ? { pgRestore: options.pgRestore } : {}),
  }
  const { manifest, ...proven } = await proveByRestoring(wanted, context)
  return {
    json: { ...proven, restored: true, verified: true, engine: manifest.engine, created_at: manifest.created_at },
    text: [
      `${style.good('proven')} ${proven.id}: restored and compared in ${formatDuration(proven.duration_ms)}`,
      `  tables: ${formatCount(proven.tables)}, rows: ${formatCount(proven.rows)}, counts, hashes and definitions as they were`,
    ].join('\n'),
  }
}
