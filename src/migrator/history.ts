import { z } from 'zod'
import type { Session, Sql } from '../database/connect.js'
import type { PlatformName } from '../database/platform.js'
import { ObsError } from '../errors.js'
import type { Direction } from './migration.js'

/**
 * What became of one attempt.
 *
 * `running` is written only outside transactions, before each statement, so that a
 * killed run leaves behind which statement it was in. `settled` is written by repair.
 */
export type EventState = 'running' | 'applied' | 'failed' | 'settled'

/** One row of the history; rows are only ever added. */
export interface HistoryEvent {
  readonly version: number
  readonly name: string
  readonly direction: Direction
  readonly checksum: string
  readonly variant: PlatformName | null
  readonly state: EventState
  readonly in_transaction: boolean
  readonly started_at: Date
  readonly finished_at: Date | null
  readonly duration_ms: number | null
  /** The statement reached, from 1. */
  readonly statement: number | null
  readonly error: string | null
  readonly backup_id: string | null
  readonly receipt: unknown
}

/** Where one version of the pack stands, according to the history. */
export interface VersionRecord {
  readonly version: number
  readonly name: string
  /**
   * `stopped`: a migration outside a transaction failed cleanly before `statement`;
   * `unknown`: it broke off in `statement`, and nobody knows whether that took effect.
   */
  readonly state: 'applied' | 'reverted' | 'stopped' | 'unknown'
  readonly direction: Direction
  readonly checksum: string
  readonly variant: PlatformName | null
  /** When it was applied; null when it is not. */
  readonly appliedAt: Date | null
  readonly durationMs: number | null
  readonly statement: number
  /** Checksums of the statements that ran before `statement`. */
  readonly doneStatements: readonly string[]
}

export type HistoryState = ReadonlyMap<number, VersionRecord>

/** The form of the history table that this obs writes and understands. */
const format = 1

const createTable = `
  create schema if not exists obs;
  create table if not exists obs.migration_history (
    id bigint generated always as identity primary key,
    format smallint not null,
    pack text not null,
    version bigint not null,
    name text not null,
    direction text not null check (direction in ('up', 'down')),
    checksum text not null,
    variant text,
    state text not null check (state in ('running', 'applied', 'failed', 'settled')),
    in_transaction boolean not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    duration_ms bigint,
    statement integer,
    error text,
    who text not null,
    host text not null,
    obs_version text not null,
    backup_id text,
    receipt jsonb
  );
  comment on table obs.migration_history is 'what obs migrate applied and reverted; rows are only ever added';
  create index if not exists idx_migration_history_pack on obs.migration_history (pack, id)`

/** Any number that is the same for every run; keeps two packs from making the table at the same moment. */
const creationLock = 6_017_342_985

/** Makes the history table unless it exists. */
export async function ensureHistory(session: Session): Promise<void> {
  if (await historyExists(session)) return
  await session
    .unsafe(`begin; select pg_advisory_xact_lock(${creationLock}); ${createTable}; commit`)
    .catch(async (error) => {
      await session`rollback`
      throw error
    })
}

async function historyExists(sql: Sql | Session): Promise<boolean> {
  const [row] = await sql`
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'obs' and c.relname = 'migration_history'`
  return row !== undefined
}

/**
 * Reads what happened to a pack, oldest first; a missing table reads as nothing.
 *
 * @throws ObsError when a newer obs wrote the history in a form this one does not know.
 */
export async function readHistory(sql: Sql | Session, pack: string): Promise<readonly HistoryEvent[]> {
  if (!(await historyExists(sql))) return []
  const [newest] = await sql<{ format: number; obs_version: string }[]>`
    select format, obs_version from obs.migration_history order by format desc, id desc limit 1`
  if (newest && newest.format > format) throw newerHistory(newest.obs_version)
  return sql<HistoryEvent[]>`
    select version, name, direction, checksum, variant, state, in_transaction, started_at, finished_at,
           duration_ms, statement, error, backup_id, receipt
    from obs.migration_history where pack = ${pack} order by id`
}

function newerHistory(version: string): ObsError {
  return new ObsError(`the migration history was written by obs ${version}, which is newer than this one`, {
    code: 'history_newer',
    hint: `Install obs ${version} or later; nothing was changed.`,
    details: { obs_version: version },
  })
}

/** Facts about the run that every history row of it carries. */
export interface RunFacts {
  readonly pack: string
  /** The person's login on their machine and their role on the server. */
  readonly who: string
  readonly host: string
  readonly obsVersion: string
}

/** Adds one row. */
export async function recordEvent(session: Session, facts: RunFacts, event: HistoryEvent): Promise<void> {
  await session`
    insert into obs.migration_history ${session({
      format,
      pack: facts.pack,
      who: facts.who,
      host: facts.host,
      obs_version: facts.obsVersion,
      ...event,
      receipt: event.receipt === null ? null : session.json(event.receipt as never),
    })}`
}

/** Folds the events into where each version stands now; pure. */
export function foldHistory(events: readonly HistoryEvent[]): HistoryState {
  const state = new Map<number, VersionRecord>()
  for (const event of events) {
    const next = fold(event, state.get(event.version))
    if (next) state.set(event.version, next)
  }
  return state
}

/** A failure inside a transaction was rolled back, so it changes nothing. */
function fold(event: HistoryEvent, before: VersionRecord | undefined): VersionRecord | undefined {
  if (event.state === 'failed' && event.in_transaction) return before
  const { version, name, direction, checksum, variant } = event
  const base = { version, name, direction, checksum, variant, ...nothingLeft }
  if (event.state === 'applied') {
    const up = direction === 'up'
    const appliedAt = up ? event.finished_at : null
    return { ...base, state: up ? 'applied' : 'reverted', appliedAt, durationMs: up ? event.duration_ms : null }
  }
  return {
    ...base,
    state: event.state === 'running' ? 'unknown' : 'stopped',
    appliedAt: before?.appliedAt ?? null,
    durationMs: before?.durationMs ?? null,
    statement: event.statement ?? 1,
    doneStatements: doneStatements(event.receipt),
  }
}

const nothingLeft = { statement: 0, doneStatements: [] }

const receiptSchema = z.object({ done: z.array(z.string()) })

function doneStatements(receipt: unknown): readonly string[] {
  const parsed = receiptSchema.safeParse(receipt)
  return parsed.success ? parsed.data.done : []
}

/** The versions that are applied now, or halfway, lowest first. */
export function presentVersions(state: HistoryState): readonly VersionRecord[] {
  return [...state.values()].filter((record) => record.state !== 'reverted').sort((a, b) => a.version - b.version)
}

/** The highest version that is wholly applied; 0 when none is. */
export function currentVersion(state: HistoryState): number {
  return Math.max(
    0,
    ...presentVersions(state)
      .filter(isApplied)
      .map((record) => record.version),
  )
}

export function isApplied(record: VersionRecord | undefined): boolean {
  return record?.state === 'applied'
}
