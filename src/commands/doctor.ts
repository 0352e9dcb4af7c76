import { Command } from 'commander'
import { chooseEngine } from '../backup/choose-engine.js'
import { findTool } from '../backup/native-tools.js'
import type { ServerAddress } from '../database/address.js'
import { type Database, withDatabase } from '../database/connect.js'
import { examineDatabase, unreachable } from '../database/doctor/examine-database.js'
import { examineDocker } from '../database/doctor/examine-docker.js'
import {
  examineAccount,
  examineNode,
  examinePackage,
  examineSpace,
  examineState,
} from '../database/doctor/examine-machine.js'
import { type Finding, type FindingStatus, fail, ok, warn } from '../database/doctor/finding.js'
import { runningServer } from '../database/embedded/server.js'
import { ConnectionError } from '../database/explain-error.js'
import { exitCodes, ObsError } from '../errors.js'
import { migrationStatus } from '../migrator/history/status.js'
import type { Pack } from '../packs.js'
import type { Style } from '../terminal/style.js'
import { renderTable } from '../terminal/table.js'
import type { Terminal } from '../terminal/terminal.js'
import { action, type Invocation } from './invocation.js'

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('show what is installed, reachable and missing, with the remedy')
    .addHelpText(
      'after',
      `
Examples:
  $ obs doctor
  $ obs doctor --database-url postgres://me@db.example.com/observability --json

Looks and changes nothing; the embedded server is not started for it.

Exits 1 when something is found that keeps obs from working.`,
    )
    .action(action<object, []>(runDoctor))
}

async function runDoctor(invocation: Invocation<object>): Promise<void> {
  const { settings, terminal, style, context } = invocation
  const embedded = settings.target.kind === 'embedded'
  context.progress.step('looking around')
  const findings = [
    examineNode(),
    ok('configuration', settings.configFile ?? 'no configuration file: defaults and environment'),
    examinePackage(embedded),
    ...(embedded ? [await examineAccount(settings.stateDirectory), await examineState(settings.stateDirectory)] : []),
    await examineSpace('disk-space', embedded ? settings.stateDirectory : settings.backups),
    ...(await examineTarget(invocation)),
    await examineDocker(),
    examineTerminal(terminal),
  ]
  const summary = { ok: count(findings, 'ok'), warn: count(findings, 'warn'), fail: count(findings, 'fail') }
  invocation.answer({ json: { summary, findings }, text: render(findings, summary, style) })
  if (summary.fail > 0) process.exitCode = exitCodes.failed
}

async function examineTarget(invocation: Invocation<object>): Promise<readonly Finding[]> {
  const { settings, context } = invocation
  const examine = (address: ServerAddress) =>
    withDatabase(address, context, (database) => examineAnswering(database, settings.pack), {
      connections: 1,
      purpose: 'doctor',
    })
  try {
    const address =
      settings.target.kind === 'server' ? settings.target.address : await runningServer(settings.stateDirectory)
    return address
      ? await examine(address)
      : [ok('connection', 'the next command that needs it starts the embedded server')]
  } catch (error) {
    if (error instanceof ConnectionError) return [unreachable(error)]
    // What keeps one from looking into the state directory is a finding of its own.
    if (error instanceof ObsError && error.code === 'server_folder_foreign') return []
    if (error instanceof ObsError && error.code === 'password_missing') {
      return [fail('connection', error.message, error.hint ?? '')]
    }
    throw error
  }
}

async function examineAnswering(database: Database, pack: Pack): Promise<readonly Finding[]> {
  return [
    ...(await examineDatabase(database, pack.schema)),
    await examineBackups(database),
    await examineHistory(database, pack),
  ]
}

async function examineBackups({ platform }: Database): Promise<Finding> {
  const id = 'backup-engine'
  const [native, restore] = await Promise.all([findTool('pg_dump'), findTool('pg_restore')])
  try {
    const { engine, reason } = chooseEngine({
      wanted: undefined,
      native,
      nativeSource: 'the PATH',
      serverMajor: Math.floor(platform.serverVersion / 10_000),
      extensions: platform.extensions,
    })
    const observed = `${engine}: ${reason}`
    if (engine === 'built-in' || (restore && native && restore.major >= native.major)) return ok(id, observed)
    return warn(id, `${observed}, but no pg_restore to match`, 'Install the pg_restore that belongs to your pg_dump.')
  } catch (error) {
    if (!(error instanceof ObsError)) throw error
    return fail(id, error.message, error.hint ?? '')
  }
}

async function examineHistory(database: Database, pack: Pack): Promise<Finding> {
  const id = 'migrations'
  try {
    const { current, migrations } = await migrationStatus(database, pack)
    const inState = (state: string) =>
      migrations.filter((migration) => migration.state === state).map(({ name }) => name)
    const [dirty, changed, missing, pending] = ['dirty', 'changed', 'missing', 'pending'].map(inState)
    if (dirty?.length)
      return fail(
        id,
        `${dirty.join(', ')} did not finish`,
        'Run obs migrate status, which names the command that settles it.',
      )
    const odd = [...(changed ?? []), ...(missing ?? [])]
    if (odd.length) return warn(id, `changed or missing since applied: ${odd.join(', ')}`, 'Run obs migrate status.')
    const observed = `${pack.name} is at version ${current}`
    if (!pending?.length) return ok(id, observed)
    return warn(id, `${observed}, ${pending.length} pending`, 'Run obs migrate up.')
  } catch (error) {
    if (!(error instanceof ObsError) || error instanceof ConnectionError) throw error
    return fail(id, error.message, error.hint ?? '')
  }
}

function examineTerminal({ interactive, color, width }: Terminal): Finding {
  const kind = interactive ? 'a terminal' : 'no terminal: plain lines instead of progress bars'
  return ok('terminal', `${kind}, ${color ? 'colour' : 'no colour'}, ${width} columns`)
}

function count(findings: readonly Finding[], status: FindingStatus): number {
  return findings.filter((finding) => finding.status === status).length
}

function render(findings: readonly Finding[], summary: Record<FindingStatus, number>, style: Style): string {
  const paint = { ok: style.good, warn: style.notice, fail: style.bad }
  const table = renderTable(
    [{ title: '' }, { title: 'what' }, { title: 'found' }],
    findings.map(({ id, status, observed }) => [paint[status](status), id, observed]),
  )
  const remedies = findings.flatMap(({ id, status, remedy }) => (remedy ? [`${paint[status](id)}: ${remedy}`] : []))
  const verdict = `${summary.ok} ok, ${summary.warn} to watch, ${summary.fail} to mend`
  return [table, '', ...remedies, ...(remedies.length > 0 ? [''] : []), verdict].join('\n')
}
