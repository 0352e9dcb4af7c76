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
  for (const record of halfDone(situation)) {
    if (record.state === 'stopped' && !record.interrupted) continue
    const found = await investigate(session, recovery.database, recovery.pack, situation, record)
    if (!found.evidence || nextStatement(found) === undefined) continue
    if (record.state === 'stopped' && found.evidence.cleanup.length === 0) continue
    context.progress.warn(`${found.id} ${describeFinding(found)}`)
    await settle(session, recovery, found, context)
    settled = true
  }
  return settled
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
  const next = nextStatement(found) ?? record.statement
  const ended = next > record.statement ? [statementChecksum(found.statement)] : []
  const remark = `settled by the catalog: ${evidence?.findings.join('; ') ?? ''}`
  await recordEvent(session, facts, {
    ...settledEvent(record, record.direction, 'settled', remark),
    statement: next,
    receipt: { done: [...record.doneStatements, ...ended] },
  })
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
