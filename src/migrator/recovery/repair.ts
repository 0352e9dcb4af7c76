import type { RunContext } from '../../context.js'
import type { Database, Session } from '../../database/connect.js'
import { holdsData } from '../../database/tables.js'
import { UsageError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import { statementChecksum } from '../apply/step-run.js'
import { checksumOf } from '../checksum/checksum.js'
import { DirtyHistoryError } from '../errors.js'
import { ensureHistory, recordEvent, type VersionRecord } from '../history/history.js'
import { factsAbout } from '../history/run-facts.js'
import { withMigrationLock } from '../lock/lock.js'
import { lockPolicy } from '../lock/lock-policy.js'
import { chooseScript, type Direction } from '../migration.js'
import type { Situation } from '../plan/plan.js'
import { type BackupReference, madeBackup, type RunOptions } from '../run/run.js'
import { readSituation } from '../run/situation.js'
import { halfDone, type Investigation, investigate } from './investigate.js'
import { describeFinding, nextStatement, type Recovery, settle, settledEvent } from './recover.js'
import { planUndo, runUndo, type Undo } from './undo.js'

/** What a person decides about a migration that is half done. */
export type RepairChoice =
  /** Goes on where the catalog says that it stands. */
  | { readonly resume: true }
  /** The statements before this one took effect, this one and those after it did not; `byHand` against what the history knows. */
  | { readonly resumeAt: number; readonly byHand?: boolean }
  /** Takes back what it did so far. */
  | { readonly undo: true }
  /** All of it took effect, or none of it is left: the history says so from now on. */
  | { readonly mark: 'applied' | 'reverted' }

export type RepairOptions = Pick<RunOptions, 'lockTimeoutMs' | 'ddlLockTimeoutMs' | 'ddlRetryForMs' | 'backup'>

export interface RepairResult {
  readonly version: number
  readonly name: string
  /** The statements that were run. */
  readonly ran: readonly string[]
  readonly backup: BackupReference | null
  /** The command that goes on from here. */
  readonly next: string
}

/** What is known about one half-done migration, and the ways out. */
export interface RepairFinding {
  readonly found: Investigation
  /** The statement to go on with; undefined when the catalog cannot tell. */
  readonly next: number | undefined
  readonly undo: Undo
  /** The command that goes on once the history says where. */
  readonly goOn: string
}

/**
 * Says what is known about the migrations that are half done; changes nothing.
 *
 * Waits for the migration lock, because only then nothing of it is still running.
 *
 * @throws UsageError when a version is named that is not half done.
 */
export async function explainRepair(
  database: Database,
  pack: Pack,
  version: number | undefined,
  options: RepairOptions,
  context: RunContext,
): Promise<readonly RepairFinding[]> {
  return underLock(database, pack, options, context, async (session) => {
    const situation = await readSituation(database, pack)
    const records = version === undefined ? halfDone(situation) : [chosen(situation, version)]
    const findings: RepairFinding[] = []
    for (const record of records) {
      const found = await investigate(session, database, pack, situation, record)
      const undo = await planUndo(found, database.platform.serverVersion)
      findings.push({ found, next: nextStatement(found), undo, goOn: commandToGoOn(record) })
    }
    return findings
  })
}

/**
 * Does with a half-done migration what a person has decided.
 *
 * Without a version it is the one that is half done. A backup is made before anything is
 * taken back, when there is data.
 *
 * @throws UsageError when the version is not half done, when the statement does not exist,
 *   or when it cannot be taken back; DirtyHistoryError when the catalog does not tell where to resume.
 */
export async function repairMigration(
  database: Database,
  pack: Pack,
  version: number | undefined,
  choice: RepairChoice,
  options: RepairOptions,
  context: RunContext,
): Promise<RepairResult> {
  return underLock(database, pack, options, context, async (session) => {
    const situation = await readSituation(database, pack)
    const record = chosen(situation, version)
    const found = await investigate(session, database, pack, situation, record)
    await ensureHistory(session, pack)
    const facts = await factsAbout(session, pack)
    const recovery = { database, pack, facts, locks: await lockPolicy(session, database, options) }
    const nothing = { version: record.version, name: record.name, ran: [], backup: null, next: commandToGoOn(record) }
    if ('resume' in choice) return { ...nothing, ran: await resume(session, recovery, found, context) }
    if ('resumeAt' in choice) await resumeAt(session, recovery, found, choice)
    if ('mark' in choice) await mark(session, recovery, found, choice.mark)
    if ('undo' in choice) {
      const undone = await undo(session, recovery, found, options, context)
      return { ...nothing, ...undone, next: 'obs migrate status' }
    }
    return 'mark' in choice ? { ...nothing, next: 'obs migrate status' } : nothing
  })
}

function underLock<T>(
  database: Database,
  { schema }: Pack,
  { lockTimeoutMs = 60_000 }: RepairOptions,
  context: RunContext,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  return withMigrationLock(database, { schema, timeoutMs: lockTimeoutMs }, context, work)
}

function chosen(situation: Situation, version: number | undefined): VersionRecord {
  const records = halfDone(situation)
  const [only] = version === undefined ? records : records.filter((one) => one.version === version)
  if (only && (version !== undefined || records.length === 1)) return only
  const versions = records.map((one) => one.version)
  const what =
    version === undefined
      ? `${versions.length || 'no'} migrations are half done`
      : `version ${version} is not half done`
  throw new UsageError(versions.length > 1 && version === undefined ? what : `${what}, so there is nothing to repair`, {
    code: 'nothing_to_repair',
    hint:
      versions.length > 0
        ? `Name version ${versions.join(' or ')}.`
        : 'Run obs migrate status to see where the database stands.',
    details: { version, half_done: versions },
  })
}

async function resume(
  session: Session,
  recovery: Recovery,
  found: Investigation,
  context: RunContext,
): Promise<readonly string[]> {
  const { record, id, evidence } = found
  if (nextStatement(found) === undefined) {
    throw new DirtyHistoryError(id, record.version, record.direction, record.statement, evidence?.findings)
  }
  if (record.state === 'stopped' && !evidence?.cleanup.length) return []
  context.progress.step(`${id} ${describeFinding(found)}`)
  await settle(session, recovery, found, context)
  return evidence?.cleanup ?? []
}

async function resumeAt(
  session: Session,
  { facts }: Recovery,
  found: Investigation,
  { resumeAt: statement, byHand = false }: { readonly resumeAt: number; readonly byHand?: boolean },
): Promise<void> {
  const { record, id, script, statements } = found
  const limit = (script && !script.run ? statements.length : 1) + 1
  if (statement < 1 || statement > limit) {
    throw new UsageError(`${id} has no statement ${statement}`, {
      code: 'unknown_statement',
      hint: `Name a number from 1 to ${limit} with --resume-at; ${limit} means that all of them ran.`,
      details: { version: record.version, statements: limit - 1 },
    })
  }
  if (!byHand) refuseContradiction(found, statement)
  const done = statements.slice(0, statement - 1).map(statementChecksum)
  const event = settledEvent(record, record.direction, 'settled', settledByPerson)
  await recordEvent(session, facts, { ...event, statement, receipt: { done } })
}

/**
 * What the history knows is not overruled by a slip of the finger: only whether the statement
 * that broke off took effect is open. A file whose beginning was rewritten numbers otherwise.
 */
function refuseContradiction({ record, id, statements }: Investigation, statement: number): void {
  const { statement: broken, doneStatements, version } = record
  const first = statements.slice(0, broken - 1)
  const rewritten = !first.every((one, i) => statementChecksum(one) === doneStatements[i])
  if (rewritten || statement === broken || statement === broken + 1) return
  const known =
    statement < broken
      ? `${numbered(statement, broken - 1)} took effect, and would run again`
      : `${numbered(broken + 1, statement - 1)} never began, and would be left out`
  throw new UsageError(`${id}: the history knows that ${known}`, {
    code: 'contradicts_history',
    hint: `Say --resume-at ${broken} or ${broken + 1}; or add --by-hand, if you have taken back, or run, the others yourself.`,
    details: { version, statement, broke_off: broken },
  })
}

function numbered(from: number, to: number): string {
  return from === to ? `statement ${from}` : `statements ${from} to ${to}`
}

const settledByPerson = 'settled by obs migrate repair'

/** What is applied now is what the file says now; it may have been mended, or been on its way down. */
async function mark(
  session: Session,
  { facts, database }: Recovery,
  { record, migration }: Investigation,
  state: 'applied' | 'reverted',
): Promise<void> {
  const up = state === 'applied' && migration ? chooseScript(migration.up, database.platform.name) : undefined
  const checksum = up ? await checksumOf(up) : record.checksum
  const variant = up ? up.variant : record.variant
  const direction: Direction = state === 'applied' ? 'up' : 'down'
  const event = settledEvent({ ...record, checksum, variant }, direction, 'applied', settledByPerson)
  await recordEvent(session, facts, { ...event, script: up?.text ?? null })
}

async function undo(
  session: Session,
  recovery: Recovery,
  found: Investigation,
  { backup }: RepairOptions,
  context: RunContext,
): Promise<Pick<RepairResult, 'ran' | 'backup'>> {
  const plan = await planUndo(found, recovery.database.platform.serverVersion)
  if (!plan.possible) {
    throw new UsageError(`${found.id} cannot be taken back: ${plan.reason}`, {
      code: 'undo_impossible',
      hint: `Go on with --resume or --resume-at, or take it back by hand and say --mark reverted; nothing was changed.`,
      details: { version: found.record.version, reason: plan.reason },
    })
  }
  const made =
    backup && (await holdsData(session, recovery.pack.schema))
      ? await backup({ reach: async () => ({ anyBecause: 'a repair is made' }) })
      : null
  await runUndo(session, recovery, found, plan, context)
  return { ran: [...plan.cleanup, ...plan.sql], backup: madeBackup(made) }
}

function commandToGoOn({ direction, version }: VersionRecord): string {
  return direction === 'up' ? 'obs migrate up' : `obs migrate down --to ${version - 1}`
}
