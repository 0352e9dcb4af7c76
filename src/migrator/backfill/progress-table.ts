import { z } from 'zod'
import type { Session, Sql } from '../../database/connect.js'
import { quoteQualified } from '../../database/quote.js'
import type { HistoryPlace } from '../history/history.js'
import type { Direction } from '../migration.js'

/** Whose progress it is. */
export interface WalkIdentity {
  readonly place: HistoryPlace
  readonly version: number
  readonly direction: Direction
  /** `statement 2`, or the name that a function gave it. */
  readonly step: string
  /** Number of the statement, from 1; a function is statement 1. */
  readonly statement: number
}

/** How far a backfill has come; commits together with the batch that brought it there. */
export interface WalkProgress {
  /** `schema.table` that is walked through. */
  readonly source: string
  readonly keyColumns: readonly string[]
  /** The key of the last row that was done, as text; null before the first batch. */
  readonly lastKey: readonly string[] | null
  /** The greatest key there was when this lap began; null when there was no row. */
  readonly endKey: readonly string[] | null
  /** How often the walk went on behind the end because rows had come meanwhile. */
  readonly laps: number
  /** Rows of the walked table that were passed. */
  readonly visited: number
  /** Rows that the statements said they wrote. */
  readonly changed: number
  readonly batches: number
  /** Rows that the table was thought to have at the beginning. */
  readonly estimated: number
  /** Checksum of the statement that did the last batch. */
  readonly checksum: string
  readonly finished: boolean
}

/** The table of the progress, in the history schema of its pack. */
export const progressTable = 'backfill_progress'

/** The table of the progress, as SQL. */
function tableOf({ historySchema }: HistoryPlace): string {
  return quoteQualified(historySchema, progressTable)
}

/** Makes the table of the progress unless it exists. */
export async function ensureProgressTable(session: Session, place: HistoryPlace): Promise<void> {
  if (await exists(session, place)) return
  const table = tableOf(place)
  await session.unsafe(`
    create table if not exists ${table} (
      pack text not null,
      version bigint not null,
      direction text not null,
      step text not null,
      attempt bigint not null,
      source text not null,
      key_columns jsonb not null,
      last_key jsonb,
      end_key jsonb,
      laps integer not null,
      visited bigint not null,
      changed bigint not null,
      batches bigint not null,
      estimated bigint not null,
      checksum text not null,
      finished boolean not null,
      started_at timestamptz not null default clock_timestamp(),
      updated_at timestamptz not null default clock_timestamp(),
      primary key (pack, version, direction, step)
    );
    comment on table ${table} is 'how far each backfill of obs migrate has come; commits together with the batches'`)
}

async function exists(sql: Sql | Session, { historySchema }: HistoryPlace): Promise<boolean> {
  const [row] = await sql`
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${historySchema} and c.relname = ${progressTable}`
  return row !== undefined
}

/**
 * The attempt that a progress belongs to: the last row of the history that closed or
 * reset this migration. Progress of an attempt before it counts for nothing, because
 * the migration was taken back or finished since.
 */
export async function currentAttempt(session: Session, identity: WalkIdentity): Promise<number> {
  const { place, version, statement } = identity
  const [row] = await session<{ attempt: number }[]>`
    select coalesce(max(id), 0)::bigint as attempt
    from ${session(place.historySchema)}.migration_history
    where pack = ${place.name} and version = ${version}
      and (state = 'applied' or state = 'settled' and statement < ${statement})`
  return row?.attempt ?? 0
}

const key = z.array(z.string())
const progressSchema = z.object({
  attempt: z.number(),
  source: z.string(),
  keyColumns: key,
  lastKey: key.nullable(),
  endKey: key.nullable(),
  laps: z.number(),
  visited: z.number(),
  changed: z.number(),
  batches: z.number(),
  estimated: z.number(),
  checksum: z.string(),
  finished: z.boolean(),
})

const columns = `attempt, source, key_columns as "keyColumns", last_key as "lastKey", end_key as "endKey",
  laps, visited, changed, batches, estimated, checksum, finished`

/** The progress of this attempt, undefined when there is none. */
export async function readProgress(
  session: Session,
  { place, version, direction, step }: WalkIdentity,
  attempt: number,
): Promise<WalkProgress | undefined> {
  const [row] = await session.unsafe(
    `select ${columns} from ${tableOf(place)} where pack = $1 and version = $2 and direction = $3 and step = $4`,
    [place.name, version, direction, step],
  )
  if (!row) return undefined
  const { attempt: of, ...progress } = progressSchema.parse(row)
  return of === attempt ? progress : undefined
}

/** Writes down that a backfill begins, in place of what an earlier attempt left. */
export async function beginProgress(
  session: Session,
  { place, version, direction, step }: WalkIdentity,
  attempt: number,
  progress: WalkProgress,
): Promise<void> {
  const id = { pack: place.name, version, direction, step }
  await session.unsafe(
    `delete from ${tableOf(place)} where pack = $1 and version = $2 and direction = $3 and step = $4`,
    [place.name, version, direction, step],
  )
  await session`
    insert into ${session(place.historySchema)}.${session(progressTable)}
    ${session({ ...id, attempt, ...asRow(session, progress) })}`
}

/**
 * Writes down how far a batch came, inside its transaction.
 *
 * @returns false when the row is no longer as this run left it.
 */
export async function saveProgress(
  session: Session,
  { place, version, direction, step }: WalkIdentity,
  before: WalkProgress,
  after: WalkProgress,
): Promise<boolean> {
  const { count } = await session`
    update ${session(place.historySchema)}.${session(progressTable)}
    set ${session(asRow(session, after))}, updated_at = clock_timestamp()
    where pack = ${place.name} and version = ${version} and direction = ${direction} and step = ${step}
      and batches = ${before.batches} and visited = ${before.visited} and not finished`
  return count === 1
}

function asRow(session: Session, progress: WalkProgress) {
  const json = (value: readonly string[] | null) => (value === null ? null : session.json([...value]))
  const { source, laps, visited, changed, batches, estimated, checksum, finished } = progress
  return {
    source,
    key_columns: json(progress.keyColumns),
    last_key: json(progress.lastKey),
    end_key: json(progress.endKey),
    laps,
    visited,
    changed,
    batches,
    estimated,
    checksum,
    finished,
  }
}

/**
 * How far the backfills of a migration that is half done have come, in words; empty when
 * none has begun.
 */
export async function describeProgress(
  sql: Sql | Session,
  place: HistoryPlace,
  version: number,
  direction: Direction,
): Promise<string> {
  if (!(await exists(sql, place))) return ''
  const rows = await sql.unsafe(
    `select ${columns} from ${tableOf(place)}
     where pack = $1 and version = $2 and direction = $3 and not finished and attempt >= (
       select coalesce(max(id), 0) from ${quoteQualified(place.historySchema, 'migration_history')}
       where pack = $1 and version = $2 and state = 'applied')
     order by updated_at desc limit 1`,
    [place.name, version, direction],
  )
  const [progress] = z.array(progressSchema).parse([...rows])
  return progress ? sayProgress(progress) : ''
}

/** `the backfill of public.traces did 45000 of about 100000 rows, up to id = 45000`. */
export function sayProgress({ source, visited, estimated, keyColumns, lastKey }: WalkProgress): string {
  const total = estimated > visited ? ` of about ${estimated}` : ''
  const where = lastKey ? `, up to ${keyColumns.map((column, i) => `${column} = ${lastKey[i]}`).join(', ')}` : ''
  return `the backfill of ${source} did ${visited}${total} rows${where}`
}
