import { z } from 'zod'
import type { Session, Sql } from '../../database/connect.js'
import type { PlatformName } from '../../database/platform.js'
import { quoteIdentifier, quoteQualified } from '../../database/quote.js'
import { ObsError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import type { Direction } from '../migration.js'
import { makingIn } from './own-schema.js'

/**
 * What became of one attempt.
 *
 * `running` is written only by migrations that are not one transaction. Without
 * `finished_at` the statement is about to begin, so that a killed run leaves behind which
 * one it was in; with it the statement is over and took effect. `settled` is written when
 * somebody, or the catalog, said where such a migration stands.
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
  /** The text of the file as it ran, so that a later change of the file can be shown; null where none was kept. */
  readonly script: string | null
  /** What was unusual about it, for people: `out of order`, `imported from dbmate`, `settled by obs migrate repair`. */
  readonly remark: string | null
}

/** Whose history it is, and where it is kept. */
export type HistoryPlace = Pick<Pack, 'name' | 'historySchema'>

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
  /** Place in the history of what brought it here: of two that are applied, the higher was applied later. */
  readonly order: number
  /** The statement that broke off, as it was, and what the catalog said before it began; when the history knows. */
  readonly interrupted: Interrupted | undefined
  /**
   * The text of `statement` when that is run in pieces and some of them may be committed;
   * empty when it is a function.
   */
  readonly begun: string | undefined
  /** The backup that was made before the run, if any. */
  readonly backupId: string | null
}

export interface Interrupted {
  readonly sql: string
  readonly before: unknown
}

export type HistoryState = ReadonlyMap<number, VersionRecord>

/** The form of the history table that this obs writes and understands; 2 added `script` and `remark`. */
const format = 2

/** The table of the history, in the history schema of its pack. */
export const tableName = 'migration_history'

function createTable(schema: string): string {
  const table = quoteQualified(schema, tableName)
  return `
  create table if not exists ${table} (
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
    receipt jsonb,
    script text,
    remark text
  );
  alter table ${table} add column if not exists script text, add column if not exists remark text;
  comment on table ${table} is 'what obs migrate applied and reverted; rows are only ever added';
  create index if not exists idx_migration_history_pack on ${table} (pack, id)`
}

/** Any number that is the same for every run; keeps two packs from making the table at the same moment. */
const creationLock = 6_017_342_985

/**
 * Makes the history table unless it exists, and brings one of an older obs up to date.
 *
 * @throws ObsError naming --history-schema when the role may not make it there.
 */
export async function ensureHistory(session: Session, { historySchema: schema }: HistoryPlace): Promise<void> {
  if (await historyHas(session, schema, 'remark')) return
  const [there] = await session`select from pg_namespace where nspname = ${schema}`
  const createSchema = there ? '' : `create schema if not exists ${quoteIdentifier(schema)};`
  await makingIn(session, { schema, purpose: 'the migration history', setting: '--history-schema' }, () =>
    session
      .unsafe(`begin; select pg_advisory_xact_lock(${creationLock}); ${createSchema} ${createTable(schema)}; commit`)
      .catch(async (error) => {
        await session`rollback`
        throw error
      }),
  )
}

async function historyHas(sql: Sql | Session, schema: string, column: string): Promise<boolean> {
  return (await historyColumns(sql, schema)).has(column)
}

/** The columns of the history table; none when it does not exist. */
async function historyColumns(sql: Sql | Session, schema: string): Promise<ReadonlySet<string>> {
  const rows = await sql<{ name: string }[]>`
    select a.attname as name from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where n.nspname = ${schema} and c.relname = ${tableName}`
  return new Set(rows.map((row) => row.name))
}

/**
 * Reads what happened to a pack, oldest first; a missing table reads as nothing.
 *
 * Scripts and the receipts of what was applied can be large and are wanted by few, so they are null
 * unless `whole` is true.
 *
 * @throws ObsError when a newer obs wrote the history in a form this one does not know.
 */
export async function readHistory(
  sql: Sql | Session,
  place: HistoryPlace,
  { whole = false } = {},
): Promise<readonly HistoryEvent[]> {
  const columns = await historyColumns(sql, place.historySchema)
  if (!columns.has('pack')) return []
  const table = quoteQualified(place.historySchema, tableName)
  const receipt = whole ? 'h.receipt' : "case when h.state <> 'applied' then h.receipt end"
  const script = whole && columns.has('script') ? 'h.script' : 'null'
  const remark = columns.has('remark') ? 'h.remark' : 'null'
  const rows = await sql.unsafe<HistoryRow[]>(
    `select newest.format as newest_format, newest.obs_version as newest_version, h.version, h.name, h.direction,
            h.checksum, h.variant, h.state, h.in_transaction, h.started_at, h.finished_at, h.duration_ms, h.statement,
            h.error, h.backup_id, ${receipt} as receipt, ${script} as script, ${remark} as remark
     from (select format, obs_version from ${table} order by format desc, id desc limit 1) as newest
     left join ${table} h on h.pack = $1
     order by h.id`,
    [place.name],
  )
  const [first] = rows
  if (first && first.newest_format > format) throw newerHistory(first.newest_version)
  return rows.filter((row) => row.version !== null)
}

/** The newest form of all rows stands beside each row, so that one question is enough. */
interface HistoryRow extends HistoryEvent {
  readonly newest_format: number
  readonly newest_version: string
}

/** A row of the history with who wrote it. */
export interface SignedEvent extends HistoryEvent {
  /** The person's login on their machine and their role on the server. */
  readonly who: string
  readonly host: string
  readonly obs_version: string
}

/** Reads all that happened to one version of a pack, oldest first. */
export async function readSignedHistory(
  sql: Sql | Session,
  { name: pack, historySchema: schema }: HistoryPlace,
  version: number,
): Promise<readonly SignedEvent[]> {
  if (!(await historyHas(sql, schema, 'pack'))) return []
  const kept = (await historyHas(sql, schema, 'remark')) ? 'script, remark' : 'null as script, null as remark'
  return sql.unsafe<SignedEvent[]>(
    `select version, name, direction, checksum, variant, state, in_transaction, started_at, finished_at,
            duration_ms, statement, error, backup_id, receipt, who, host, obs_version, ${kept}
     from ${quoteQualified(schema, tableName)} where pack = $1 and version = $2 order by id`,
    [pack, String(version)],
  )
}

/** The texts of migrations as they were applied last, by version, where they were kept. */
export async function readScripts(
  sql: Sql | Session,
  { name: pack, historySchema: schema }: HistoryPlace,
  versions: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  if (!(await historyHas(sql, schema, 'script'))) return new Map()
  const rows = await sql.unsafe<{ version: number; script: string }[]>(
    `select distinct on (version) version, script from ${quoteQualified(schema, tableName)}
     where pack = $1 and version = any($2::bigint[]) and direction = 'up' and state = 'applied' and script is not null
     order by version, id desc`,
    [pack, versions.map(String)],
  )
  return new Map(rows.map(({ version, script }) => [version, script]))
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
  readonly place: HistoryPlace
  /** The person's login on their machine and their role on the server. */
  readonly who: string
  readonly host: string
  readonly obsVersion: string
}

/** Adds one row. */
export async function recordEvent(session: Session, facts: RunFacts, event: HistoryEvent): Promise<void> {
  // The driver takes a dot in a name for the end of a schema's.
  const table = session.unsafe(quoteQualified(facts.place.historySchema, tableName))
  await session`
    insert into ${table} ${session({
      format,
      pack: facts.place.name,
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
  for (const [order, event] of events.entries()) {
    const next = fold(event, order, state.get(event.version))
    if (next) state.set(event.version, next)
  }
  return state
}

/** A failure inside a transaction was rolled back, so it changes nothing. */
function fold(event: HistoryEvent, order: number, before: VersionRecord | undefined): VersionRecord | undefined {
  if (event.state === 'failed' && event.in_transaction) return before
  const { version, name, direction, checksum, variant } = event
  const base = { version, name, direction, checksum, variant, order, backupId: event.backup_id, ...nothingLeft }
  if (event.state === 'applied') {
    const up = direction === 'up'
    const appliedAt = up ? event.finished_at : null
    return { ...base, state: up ? 'applied' : 'reverted', appliedAt, durationMs: up ? event.duration_ms : null }
  }
  const ended = event.state === 'running' && event.finished_at !== null
  const { done, running, before: seen, resumable } = parseReceipt(event.receipt)
  const unknown = event.state === 'running' && !ended && !resumable
  return {
    ...base,
    state: unknown ? 'unknown' : 'stopped',
    appliedAt: before?.appliedAt ?? null,
    durationMs: before?.durationMs ?? null,
    statement: (event.statement ?? 1) + (ended ? 1 : 0),
    doneStatements: done,
    interrupted: unknown && running !== undefined ? { sql: running, before: seen } : leftBy(event, before),
    begun: resumable ? (running ?? '') : begunBefore(event, before),
  }
}

/** Pieces that are committed stay, whether the next one fails or somebody settles where to go on. */
function begunBefore(event: HistoryEvent, before: VersionRecord | undefined): string | undefined {
  return event.state !== 'running' && before?.statement === event.statement ? before.begun : undefined
}

/** What a statement left behind that the server reported as failed is not always cleared away at once. */
function leftBy(event: HistoryEvent, before: VersionRecord | undefined): Interrupted | undefined {
  return event.state === 'failed' && before?.statement === event.statement ? before.interrupted : undefined
}

const nothingLeft = { statement: 0, doneStatements: [], interrupted: undefined, begun: undefined }

/** What the history keeps about a migration that runs statement by statement. */
const receiptSchema = z.object({
  done: z.array(z.string()),
  running: z.string().optional(),
  before: z.unknown().optional(),
  /** The statement is run in pieces and knows itself how far it came, wherever it breaks off. */
  resumable: z.literal(true).optional(),
})

function parseReceipt(receipt: unknown): z.infer<typeof receiptSchema> {
  const parsed = receiptSchema.safeParse(receipt)
  return parsed.success ? parsed.data : { done: [] }
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
