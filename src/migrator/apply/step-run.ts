import { createHash } from 'node:crypto'
import { quoteIdentifier } from '../../database/quote.js'
import type { HistoryEvent, RunFacts } from '../history/history.js'
import type { LockPolicy } from '../lock/lock-wait.js'
import type { Step } from '../plan/plan.js'
import type { PreservationMode } from '../preservation/choose-preservation.js'
import type { PreservationReceipt } from '../preservation/receipt.js'
import type { PreservationRequest } from '../preservation/snapshots.js'
import { keepsTypes, type Touched, touchedTables } from '../preservation/touched-tables.js'
import type { ParsedScript, Statement } from '../statements/statements.js'

/** A step whose files have been read and found in order. */
export interface PreparedStep extends Step {
  /** The statements; undefined when the migration is a function. */
  readonly parsed: ParsedScript | undefined
  readonly parsedVerify: ParsedScript | undefined
}

/** What every migration of a run has in common. */
export interface Run {
  readonly schema: string
  readonly facts: RunFacts
  readonly preserve: PreservationMode
  readonly backupId: string | null
  /** What the history says beside each of them. */
  readonly remark: string | null
  /** Milliseconds that a statement may wait for a lock on a table. */
  readonly ddlLockTimeoutMs: number
  readonly locks: LockPolicy
}

/** True when the migration and its history row are one transaction. */
export function isTransactional(step: PreparedStep): boolean {
  return step.parsed?.transactional ?? !step.script.directives.noTransaction
}

/** The names of a pack are found in its own schema first. */
export function searchPath(schema: string): string {
  return schema === 'public' ? 'public' : `${quoteIdentifier(schema)}, public`
}

/** The tables whose rows a step may alter; any of them where it is a function. */
export function touched({ script, parsed }: PreparedStep): Touched | 'all' {
  return script.run || !parsed ? 'all' : touchedTables(parsed.statements)
}

/** True when the text of a step leaves no doubt that it alters no row of any table. */
export function touchesNothing(step: PreparedStep): boolean {
  const what = touched(step)
  return what !== 'all' && what.tables.length === 0 && what.uncertain.length === 0
}

/** What of the existing data is compared around a step, and how. */
export function preservationOf({ schema, preserve }: Run, step: PreparedStep): PreservationRequest {
  const { script, parsed } = step
  const keeps = !script.run && parsed !== undefined && keepsTypes(parsed.statements)
  const what = touched(step)
  return { schema, mode: preserve, touched: what === 'all' ? what : what.tables, keepsTypes: keeps }
}

/** Tells whether a statement that ran is still the same. */
export function statementChecksum(statement: Statement | undefined): string {
  if (!statement) return ''
  const hash = createHash('sha256').update(statement.sql)
  if (statement.rows) hash.update(statement.rows.text)
  return hash.digest('hex').slice(0, 16)
}

/** The row of a step that went through. */
export function finished(run: Run, step: PreparedStep, started: Date, receipt: PreservationReceipt): HistoryEvent {
  const count = step.parsed?.statements.length ?? 1
  return { ...reached(run, step, started, 'applied', count), receipt }
}

/** The row of a step that got to `statement`. */
export function reached(
  run: Run,
  step: PreparedStep,
  started: Date,
  state: HistoryEvent['state'],
  statement: number | null,
): HistoryEvent {
  const now = new Date()
  const done = (step.parsed?.statements ?? []).slice(0, Math.max(0, (statement ?? 1) - 1)).map(statementChecksum)
  const over = state !== 'running'
  const transactional = isTransactional(step)
  return {
    version: step.migration.version,
    name: step.migration.name,
    direction: step.direction,
    checksum: step.parsed?.checksum ?? step.script.checksum,
    variant: step.script.variant,
    state,
    in_transaction: transactional,
    started_at: started,
    finished_at: over ? now : null,
    duration_ms: over ? now.getTime() - started.getTime() : null,
    statement,
    error: null,
    backup_id: run.backupId,
    receipt: transactional ? null : { done },
    script: over ? step.script.text : null,
    remark: [step.remark, run.remark].filter((text) => text !== null).join('; ') || null,
  }
}
