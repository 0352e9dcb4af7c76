import { Readable } from 'node:stream'
import type { RunContext } from '../context.js'
import { type Session, throwIfAborted } from '../database/connect.js'
import { copyIn } from '../database/copy-in.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'
import { CopyBuffer, copyHeader, copyTrailer } from './copy-binary.js'
import type { FactTable, Stretch } from './pack.js'
import { type Partitioning, type Piece, planPieces, readPartitioning } from './partitions.js'

/** What one fact table was given. */
export interface LoadedFacts {
  readonly table: string
  /** Rows that the generator wrote. */
  readonly generated: number
  /** Rows that the server took. */
  readonly copied: number
  /** Partitions that are filled and wait to be attached. */
  readonly detached: readonly DetachedPartition[]
}

/** A partition that is not part of its table yet. */
export interface DetachedPartition {
  readonly fact: FactTable
  readonly piece: Piece
  /** What it is called until it is attached. */
  readonly name: string
}

/** Where facts are loaded. */
export interface LoadPlace {
  readonly session: Session
  readonly schema: string
  readonly window: Stretch
  /** Partitions whose rows are all to be replaced; see `attachPartitions`. */
  readonly replaceable: ReadonlySet<string>
}

/**
 * Generates the rows of a fact table and loads them by COPY, in the open transaction.
 *
 * A month that the table has no partition for is loaded into a table of its own: no
 * index is kept up to date row by row, no foreign key is checked row by row, no trigger
 * fires, and with `wal_level = minimal` nothing is written twice. It is indexed here,
 * while its rows are in memory, and attached by `attachPartitions`. Everything else
 * goes in through the table itself.
 */
export async function loadFacts(place: LoadPlace, fact: FactTable, context: RunContext): Promise<LoadedFacts> {
  const partitioning = await readPartitioning(place.session, place.schema, fact.table, fact.timeColumn)
  const pieces = partitioning ? await decide(place, fact, partitioning) : [wholeWindow(place, fact)]
  const tally = { generated: 0, copied: 0 }
  const detached: DetachedPartition[] = []
  for (const piece of pieces) {
    throwIfAborted(context.signal)
    if (piece.way === 'ensure') await ensurePartition(place, fact, piece)
    if (piece.way !== 'detached') {
      await copyPiece(place, fact, fact.table, piece, tally, context)
      continue
    }
    const partition = { fact, piece, name: piece.replaces ? `${piece.partition}_new` : piece.partition }
    await createDetached(place, partition, partitioning?.defaultPartition)
    await copyPiece(place, fact, partition.name, piece, tally, context)
    await indexDetached(place, partition)
    detached.push(partition)
  }
  return { table: fact.table, ...tally, detached }
}

/**
 * Makes the detached partitions part of their tables.
 *
 * Attaching is the only step that others can feel: it locks the default partition and
 * the tables that foreign keys point at until the transaction ends, so it comes last.
 * PostgreSQL takes over the indexes, the foreign keys and the proof of the range that
 * each partition brings instead of making or checking them again.
 * https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-ATTACH-PARTITION
 */
export async function attachPartitions(place: LoadPlace, partitions: readonly DetachedPartition[]): Promise<void> {
  for (const partition of partitions) await addForeignKeys(place, partition)
  for (const partition of partitions) {
    const { fact, piece, name } = partition
    const child = quoteQualified(place.schema, name)
    if (piece.replaces) await place.session.unsafe(`drop table ${quoteQualified(place.schema, piece.partition)}`)
    await place.session.unsafe(`
      alter table ${quoteQualified(place.schema, fact.table)} attach partition ${child}
        for values from (${timeLiteral(piece.month.from)}) to (${timeLiteral(piece.month.to)});
      alter table ${child} drop constraint ${quoteIdentifier(rangeCheck)}`)
    if (piece.replaces) await takeOverName(place, name, piece.partition)
    await logHours(place, fact, piece.stretch)
  }
}

/** Notes every hour of a stretch as changed, where the table keeps such a log. */
async function logHours({ session, schema }: LoadPlace, fact: FactTable, stretch: Stretch): Promise<void> {
  const { changeLog } = fact
  if (!changeLog || !(await exists(session, schema, changeLog.table))) return
  await session.unsafe(`
    insert into ${quoteQualified(schema, changeLog.table)} (${quoteIdentifier(changeLog.column)})
    select generate_series(date_trunc('hour', ${timeLiteral(stretch.from)}::timestamptz, 'UTC'),
                           ${timeLiteral(stretch.to)}::timestamptz - interval '1 microsecond', interval '1 hour')`)
}

/** Whether the schema has a table or view of that name. */
export async function exists(session: Session, schema: string, name: string): Promise<boolean> {
  const [row] = await session<{ found: boolean }[]>`
    select to_regclass(${quoteQualified(schema, name)}) is not null as found`
  return row?.found === true
}

/** A point in time as an SQL literal. */
function timeLiteral(time: number): string {
  return `'${new Date(time).toISOString()}'`
}

const rangeCheck = 'obs_partition_range'

async function decide(place: LoadPlace, fact: FactTable, partitioning: Partitioning): Promise<readonly Piece[]> {
  const { session, schema, window, replaceable } = place
  const months = new Set<number>()
  if (partitioning.defaultPartition !== undefined) {
    const time = quoteIdentifier(fact.timeColumn)
    const rows = await session.unsafe<{ month: number }[]>(`
      select distinct (extract(epoch from date_trunc('month', ${time}, 'UTC')) * 1000)::float8 as month
      from ${quoteQualified(schema, partitioning.defaultPartition)} where isfinite(${time})`)
    for (const { month } of rows) months.add(month)
  }
  return planPieces(fact.table, window, partitioning, replaceable, (month) => months.has(month.from))
}

function wholeWindow({ window }: LoadPlace, { table }: FactTable): Piece {
  return { stretch: window, month: window, partition: table, way: 'parent', replaces: false }
}

async function ensurePartition({ session, schema }: LoadPlace, { table }: FactTable, { month }: Piece): Promise<void> {
  await session.unsafe(`
    select ${quoteQualified(schema, `${table}_ensure_partitions`)}(${timeLiteral(month.from)}, ${timeLiteral(month.to)})`)
}

async function copyPiece(
  { session, schema }: LoadPlace,
  fact: FactTable,
  target: string,
  piece: Piece,
  tally: { generated: number; copied: number },
  context: RunContext,
): Promise<void> {
  const columns = fact.columns.map(({ name }) => quoteIdentifier(name)).join(', ')
  // A table that this transaction made may be frozen at once; vacuum need not come back for it.
  const freeze = piece.way === 'detached' ? ', freeze' : ''
  const statement = `copy ${quoteQualified(schema, target)} (${columns}) from stdin with (format binary${freeze})`
  const source = Readable.from(chunks(fact, piece.stretch, tally, context), { objectMode: false })
  tally.copied += await copyIn(session, statement, source)
}

function* chunks(
  fact: FactTable,
  stretch: Stretch,
  tally: { generated: number },
  { progress, signal }: RunContext,
): Iterable<Buffer> {
  const buffer = new CopyBuffer()
  yield copyHeader
  for (const rows of fact.encode(stretch, buffer)) {
    throwIfAborted(signal)
    tally.generated += rows
    if (buffer.content.length > 0) yield Buffer.from(buffer.content)
    buffer.clear()
    progress.advance(tally.generated, fact.rows, 'rows')
  }
  yield copyTrailer
}

/** The form of `traces_ensure_partitions`, with the range as a check so that attaching need not scan. */
async function createDetached(
  { session, schema }: LoadPlace,
  { fact, piece, name }: DetachedPartition,
  model: string | undefined,
): Promise<void> {
  const parent = quoteQualified(schema, fact.table)
  const child = quoteQualified(schema, name)
  const time = quoteIdentifier(fact.timeColumn)
  const [facts] = await session<{ owner: string; options: string | null }[]>`
    select pg_get_userbyid(c.relowner) as owner,
           (select array_to_string(m.reloptions, ', ') from pg_class m
            where m.oid = to_regclass(${model === undefined ? '' : quoteQualified(schema, model)})) as options
    from pg_class c where c.oid = ${parent}::regclass`
  await session.unsafe(`
    create table ${child} (
      like ${parent} including defaults including constraints including generated including storage including compression,
      constraint ${quoteIdentifier(rangeCheck)}
        check (${time} >= ${timeLiteral(piece.month.from)} and ${time} < ${timeLiteral(piece.month.to)})
    )${facts?.options ? ` with (${facts.options})` : ''};
    alter table ${child} owner to ${quoteIdentifier(facts?.owner ?? '')}`)
}

/** Gives a partition every index and every unique or primary key that its table has. */
async function indexDetached(place: LoadPlace, { fact, name }: DetachedPartition): Promise<void> {
  const parent = quoteQualified(place.schema, fact.table)
  const statements = await place.session<{ statement: string }[]>`
    select statement
    from (
      select 1, c.conname::text, format('alter table %s add %s', ${quoteQualified(place.schema, name)}::text, pg_get_constraintdef(c.oid))
      from pg_constraint c where c.conrelid = ${parent}::regclass and c.contype in ('p', 'u', 'x')
      union all
      select 2, i.indexrelid::regclass::text,
             format('create %s on %s%s', case when i.indisunique then 'unique index' else 'index' end,
                    ${quoteQualified(place.schema, name)}::text, substring(pg_get_indexdef(i.indexrelid) from ' USING .*$'))
      from pg_index i
      where i.indrelid = ${parent}::regclass
        and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
    ) s (rank, name, statement)
    order by rank, name`
  for (const { statement } of statements) await place.session.unsafe(statement)
}

async function addForeignKeys(place: LoadPlace, { fact, name }: DetachedPartition): Promise<void> {
  const keys = await place.session<{ name: string; definition: string }[]>`
    select c.conname as name, pg_get_constraintdef(c.oid) as definition
    from pg_constraint c
    where c.conrelid = ${quoteQualified(place.schema, fact.table)}::regclass and c.contype = 'f' and c.conparentid = 0
    order by c.conname`
  const clauses = keys.map((key) => `add constraint ${quoteIdentifier(key.name)} ${key.definition}`)
  if (clauses.length > 0)
    await place.session.unsafe(`alter table ${quoteQualified(place.schema, name)} ${clauses.join(', ')}`)
}

/** Renames a partition, and its indexes and constraints that carry its name, to what they would have been called. */
async function takeOverName({ session, schema }: LoadPlace, from: string, to: string): Promise<void> {
  const child = quoteQualified(schema, from)
  const indexes = await session<{ name: string; new_name: string }[]>`
    select c.relname as name, ${to}::text || substr(c.relname, ${from.length + 1}::int) as new_name
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = ${child}::regclass and left(c.relname, ${from.length}::int) = ${from}`
  for (const index of indexes) {
    await session.unsafe(
      `alter index ${quoteQualified(schema, index.name)} rename to ${quoteIdentifier(index.new_name)}`,
    )
  }
  const constraints = await session<{ name: string; new_name: string }[]>`
    select conname as name, ${to}::text || substr(conname, ${from.length + 1}::int) as new_name
    from pg_constraint where conrelid = ${child}::regclass and left(conname, ${from.length}::int) = ${from}`
  for (const { name, new_name } of constraints) {
    await session.unsafe(
      `alter table ${child} rename constraint ${quoteIdentifier(name)} to ${quoteIdentifier(new_name)}`,
    )
  }
  await session.unsafe(`alter table ${child} rename to ${quoteIdentifier(to)}`)
}
