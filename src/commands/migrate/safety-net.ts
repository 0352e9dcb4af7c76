import { resolve } from 'node:path'
import type { ProofDemand } from '../../backup/external-proof.js'
import type { BackupPreview } from '../../backup/preview-backup.js'
import type { BackupMode } from '../../backup-settings.js'
import { connectionUrl, type ServerAddress } from '../../database/address.js'
import type { Database } from '../../database/connect.js'
import { InterruptedError, ObsError, UsageError } from '../../errors.js'
import type { PlannedBackup, RelianceOnOther } from '../../migrator/preview/preview.js'
import type { BackupRequest, WayBack } from '../../migrator/run/run.js'
import { shellWord } from '../../shell-word.js'
import { formatBytes, formatCount, formatTime } from '../../terminal/format.js'
import { makeBackup } from '../backup/make-backup.js'
import type { Invocation } from '../invocation.js'
import type { BackupFlags } from './flags.js'

/** What is done before migrations so that there is a way back. */
export interface SafetyNet {
  /** Makes the backup, or demands proof of another one. */
  make(database: Database): (request: BackupRequest) => Promise<WayBack>
  /** Says what `make` would do. */
  preview(database: Database): (request: BackupRequest) => Promise<PlannedBackup | RelianceOnOther>
}

/**
 * Decides what to rely on, by the flags and the configuration; undefined for nothing.
 *
 * @throws UsageError when `external` is asked for and nothing says where the proof comes from.
 */
export function safetyNet(invocation: Invocation<BackupFlags>): SafetyNet | undefined {
  const { options, settings } = invocation
  const mode = options.backup ?? settings.backup.mode
  refuseUselessProof(options, mode)
  if (mode === 'none') return undefined
  return mode === 'external' ? external(invocation, proofDemand(invocation)) : own(invocation, mode)
}

function refuseUselessProof(
  { backupProofCommand, backupProofFile, backupMaxAge }: BackupFlags,
  mode?: BackupMode,
): void {
  if (mode === 'external') return
  if (backupProofCommand === undefined && backupProofFile === undefined && backupMaxAge === undefined) return
  throw new UsageError('the proof of another backup is asked for with --backup external alone', {
    hint: 'Add --backup external, or leave out the --backup-proof and --backup-max-age flags; nothing was changed.',
  })
}

function proofDemand({ options, settings }: Invocation<BackupFlags>): ProofDemand {
  const { backupProofCommand: words, backupProofFile: file, backupMaxAge } = options
  const maxAge = backupMaxAge ?? settings.backup.maxAge
  if (words && file) throw twoProofs('--backup-proof-command and --backup-proof-file')
  if (words) return { source: { kind: 'command', words }, maxAge }
  if (file !== undefined) return { source: { kind: 'file', path: resolve(file) }, maxAge }
  const { proofCommand, proofFile } = settings.backup
  if (proofCommand && proofFile) throw twoProofs('backup.proofCommand and backup.proofFile')
  if (proofCommand) return { source: { kind: 'command', words: proofCommand }, maxAge }
  if (proofFile !== undefined) return { source: { kind: 'file', path: proofFile }, maxAge }
  throw new UsageError('--backup external needs to know what proves that there is a backup', {
    code: 'no_proof_named',
    hint: 'Name a program with --backup-proof-command, a file with --backup-proof-file, or one of them in the configuration file; nothing was changed.',
  })
}

function twoProofs(names: string): UsageError {
  return new UsageError(`${names} are two answers to one question`, { hint: 'Use one of them; nothing was changed.' })
}

function external({ context }: Invocation<BackupFlags>, demand: ProofDemand): SafetyNet {
  const { source, maxAge } = demand
  return {
    make: () => async () => {
      const { demandProof } = await import('../../backup/external-proof.js')
      const { at, by } = await demandProof(demand, context)
      context.progress.step(`relying on the other backup${at ? ` of ${formatTime(at)}` : ''}, as ${by} says`)
      return { remark: `relied on the backup of another system${at ? ` of ${at.toISOString()}` : ''}, as ${by} said` }
    },
    preview: () => async () => ({
      external: source.kind === 'file' ? source.path : source.words.join(' '),
      maxAge,
    }),
  }
}

function own(
  invocation: Invocation<BackupFlags>,
  mode: Exclude<BackupMode, 'external' | 'none'> | undefined,
): SafetyNet {
  const { settings, context } = invocation
  const wanted = { directory: settings.backups, ...(mode ? { mode } : {}) }
  const look = async (database: Database, { reach }: BackupRequest) => {
    const { previewBackup } = await import('../../backup/preview-backup.js')
    return previewBackup(database, wanted, reach)
  }
  return {
    preview: (database) => async (request) => {
      const { chosen: _, ...preview } = await look(database, request)
      return preview
    },
    make: (database) => (request) =>
      orStop(async () => {
        const preview = await look(database, request)
        context.progress.step(`backing up ${describeScope(preview)}: ${preview.scopeReason}`)
        const options = { directory: settings.backups, scope: preview.chosen }
        const { id, path, bytes, manifest } = await makeBackup(invocation, database, options)
        context.progress.step(`backed up ${formatCount(manifest.rows)} rows (${formatBytes(bytes)}) as ${id}`)
        return { id, path, restore: restoreCommand(id, preview.scope, invocation) }
      }),
  }
}

/** `everything`, `the tables app.pet and app.owner, with what they reference`, … */
export function describeScope({ scope, tables }: Pick<BackupPreview, 'scope' | 'tables'>): string {
  if (scope === 'full') return 'the whole database'
  if (scope === 'schema') return 'the definitions alone'
  const names = tables.map(({ schema, name }) => `${schema}.${name}`)
  return `${names.length === 1 ? 'the table' : 'the tables'} ${names.join(', ')} with what they reference`
}

/** A backup of everything takes the place of the database; one of a part is restored beside it. */
function restoreCommand(
  id: string,
  scope: BackupPreview['scope'],
  { options, settings }: Invocation<BackupFlags>,
): string {
  const { databaseUrl, config } = options
  const { target } = settings
  const where = [
    ...(databaseUrl !== undefined && target.kind === 'server'
      ? ['--database-url', urlWithoutPassword(target.address)]
      : []),
    ...(config === undefined ? [] : ['--config', config]),
  ]
  return ['obs', 'backup', 'restore', id, ...(scope === 'full' ? ['--replace'] : []), ...where].map(shellWord).join(' ')
}

/** The password is for PGPASSWORD or the password file: a command may be kept in many places. */
function urlWithoutPassword({ password: _, ...address }: ServerAddress): string {
  return connectionUrl(address)
}

/** A backup that fails stops the run before anything was changed, and says so. */
async function orStop<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ObsError) || error instanceof InterruptedError) throw error
    throw new ObsError(`no migration was run, because the backup before it failed: ${error.message}`, {
      code: error.code,
      exitCode: error.exitCode,
      cause: error,
      hint: `${error.hint ?? 'Look at the message above.'} --backup none goes ahead without one.`,
      ...(error.details ? { details: error.details } : {}),
    })
  }
}
