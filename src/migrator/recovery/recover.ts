import type { RunContext } from '../../context.js'
import type { Database, Session } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import { statementChecksum } from '../apply/step-run.js'
import { type HistoryEvent, type RunFacts, recordEvent, type VersionRecord } from '../history/history.js'
import type { LockPolicy } from '../lock/lock-wait.js'
import type { Direction } from '../migration.js'
import type { Situation } from '../plan/plan.js'
import { clearAway } from './clear-away.js'
import { halfDone, type Investigation, investigate } from './investigate.js'

/** What settling needs besides the session that holds the migration lock. */
export interface Recovery {
  readonly database: Database
  readonly pack: Pack
  readonly facts: RunFacts
  readonly locks: LockPolicy
}

/**
 * Settles every migration that broke off, as far as the catalog tells what became of it:
 * half-done work is cleared away or completed, and the history says where to go on.
 *
 * Must be called under the migration lock. What the catalog cannot tell stays as it is.
 *
 * @returns whether anything was settled, so that the plan has to be made anew.
 */
export async function settleByCatalog(
  session: Session,
  recovery: Recovery,
  situation: Situation,
  context: RunContext,
): Promise<boolean> {
  let settled = false
  for (const record of brokenOff(situation)) {
    const found = await investigate(session, recovery.database, recovery.pack, situation, record)
    if (!canSettle(found)) continue
    context.progress.warn(`${found.id} ${describeFinding(found)}`)
    await settle(session, recovery, found, context)
    settled = true
  }
  return settled
}

/** What a look at the catalog says that will become of what broke off. */
export interface Foresight {
  readonly situation: Situation
  /** What was found, by version. */
  readonly findings: ReadonlyMap<number, string>
}

/**
 * The situation as `settleByCatalog` would leave it under the migration lock; looks only, and changes
 * nothing. What the catalog cannot tell stays as it is.
 */
export async function foreseeSettling(
  session: Session,
  database: Database,
  pack: Pack,
  situation: Situation,
): Promise<Foresight> {
  const history = new Map(situation.history)
  const findings = new Map<number, string>()
  for (const record of brokenOff(situation)) {
    const found = await investigate(session, database, pack, situation, record)
    if (!canSettle(found)) continue
    history.set(record.version, { ...record, ...standingAt(found), state: 'stopped' })
    findings.set(record.version, describeFinding(found))
  }
  return { situation: { ...situation, history }, findings }
}

/** Of a migration that stopped between two statements there is nothing to look for. */
function brokenOff(situation: Situation): readonly VersionRecord[] {
  return halfDone(situation).filter(({ state, interrupted }) => state === 'unknown' || interrupted)
}

/** The catalog tells where to go on, and the history does not say so yet or something has to be cleared away first. */
function canSettle(found: Investigation): boolean {
  if (!found.evidence || nextStatement(found) === undefined) return false
  return found.record.state === 'unknown' || found.evidence.cleanup.length > 0
}

/** The statement to go on with, or undefined when the catalog cannot tell. */
export function nextStatement({ record, evidence }: Investigation): number | undefined {
  if (!evidence || record.state === 'stopped') return record.statement
  if (evidence.verdict === 'unknown') return undefined
  return evidence.verdict === 'done' ? record.statement + 1 : record.statement
}

/** Clears away what the statement left, and writes down where to go on. */
export async function settle(
  session: Session,
  { facts, locks }: Recovery,
  found: Investigation,
  context: RunContext,
): Promise<void> {
  const { record, evidence } = found
  await clearAway(session, locks, found.id, evidence?.cleanup ?? [], context)
  const { statement, doneStatements } = standingAt(found)
  const remark = `settled by the catalog: ${evidence?.findings.join('; ') ?? ''}`
  await recordEvent(session, facts, {
    ...settledEvent(record, record.direction, 'settled', remark),
    statement,
    receipt: { done: doneStatements },
  })
}

/** Where a migration goes on, and what of it ran before. */
function standingAt(found: Investigation): Pick<VersionRecord, 'statement' | 'doneStatements'> {
  const { record, statement } = found
  const next = nextStatement(found) ?? record.statement
  const ended = next > record.statement ? [statementChecksum(statement)] : []
  return { statement: next, doneStatements: [...record.doneStatements, ...ended] }
}

/** `broke off in statement 2; the index … is INVALID, so it is dropped and statement 2 runs again`. */
export function describeFinding({ record, evidence }: Investigation): string {
  const where =
    record.state === 'unknown'
      ? `broke off in statement ${record.statement}`
      : `failed in statement ${record.statement}`
  const findings = evidence?.findings ?? []
  const clearing = (evidence?.cleanup ?? []).map((sql) => `clearing away with ${sql}`)
  return [where, ...findings, ...clearing].join('; ')
}

/** A row that somebody's finding, or the catalog's, adds to the history. */
export function settledEvent(
  { version, name, checksum, variant }: VersionRecord,
  direction: Direction,
  state: 'settled' | 'applied',
  remark: string,
): HistoryEvent {
  const now = new Date()
  return {
    version,
    name,
    direction,
    checksum,
    variant,
    state,
    in_transaction: false,
    started_at: now,
    finished_at: now,
    duration_ms: 0,
    statement: null,
    error: null,
    backup_id: null,
    receipt: null,
    script: null,
    remark,
  }
}
