import type { Session } from '../database/connect.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'
import { ObsError } from '../errors.js'
import type { Numbering } from './numbering.js'
import type { Shard } from './shards.js'
import type { IndexPlan, LoadedShard } from './unfinished-runs.js'

/** The schema that holds the tables of a run's shards until the run is finished. */
export function stagingSchema(run: string): string {
  return `obs_seed_${run}`
}

/** Where the tables of shards are made, and which schema they are for. */
export interface StagingPlace {
  readonly schema: string
  readonly staging: string
}

/** The check that proves to PostgreSQL that every row of a table belongs to its partition. */
export const rangeCheck = 'obs_partition_range'

/** The columns that the rows of a shard have, in their order. */
export function writtenColumns({ fact }: Shard, numbering: Numbering | undefined): readonly string[] {
  const names = fact.columns.map(({ name }) => name)
  return numbering ? [numbering.column, ...names] : names
}

/**
 * Makes the table that a shard is loaded into and returns the indexes that it will need.
 *
 * What becomes a partition is like its table in every respect, with its range as a check,
 * so that attaching it need not look at a row; what is merged into a table holds just
 * the columns that are written.
 */
export async function createShardTable(
  session: Session,
  place: StagingPlace,
  shard: Shard,
  columns: readonly string[],
): Promise<readonly IndexPlan[]> {
  const parent = quoteQualified(place.schema, shard.fact.table)
  const child = quoteQualified(place.staging, shard.name)
  if (!shard.month) {
    const list = columns.map(quoteIdentifier).join(', ')
    await session.unsafe(`create table ${child} as select ${list} from ${parent} with no data`)
    return []
  }
  const time = quoteIdentifier(shard.fact.timeColumn ?? '')
  // A partitioned table has no storage options, so its default partition keeps them.
  const [facts] = await session<{ owner: string; options: string | null }[]>`
    select pg_get_userbyid(c.relowner) as owner, array_to_string(m.reloptions, ', ') as options
    from pg_class c
    left join pg_partitioned_table p on p.partrelid = c.oid
    left join pg_class m on m.oid = nullif(p.partdefid, 0)
    where c.oid = ${parent}::regclass`
  await session.unsafe(`
    create table ${child} (
      like ${parent} including defaults including constraints including generated including storage including compression,
      constraint ${quoteIdentifier(rangeCheck)}
        check (${time} >= ${timeLiteral(shard.month.from)} and ${time} < ${timeLiteral(shard.month.to)})
    )${facts?.options ? ` with (${facts.options})` : ''};
    alter table ${child} owner to ${quoteIdentifier(facts?.owner ?? '')}`)
  return planIndexes(session, parent, place.staging, child)
}

/**
 * The indexes that a partition needs, under the names that PostgreSQL would give them.
 *
 * The server is asked for the names: it makes the indexes on the empty table, and they
 * are dropped again. Each can then be built in any order and on any connection.
 */
async function planIndexes(
  session: Session,
  parent: string,
  staging: string,
  child: string,
): Promise<readonly IndexPlan[]> {
  const models = await session<{ name: string; statement: string }[]>`
    select name, statement
    from (
      select 1, c.conname::text, format('alter table %s add %s', ${child}::text, pg_get_constraintdef(c.oid))
      from pg_constraint c where c.conrelid = ${parent}::regclass and c.contype in ('p', 'u', 'x')
      union all
      select 2, i.indexrelid::regclass::text,
             format('create %s on %s%s', case when i.indisunique then 'unique index' else 'index' end,
                    ${child}::text, substring(pg_get_indexdef(i.indexrelid) from ' USING .*$'))
      from pg_index i
      where i.indrelid = ${parent}::regclass
        and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
    ) s (rank, name, statement)
    order by rank, name`
  for (const { statement } of models) await session.unsafe(statement)
  const made = await session<(IndexPlan & { kind: string | null; definition: string | null })[]>`
    select r.relname as name, pg_get_indexdef(i.indexrelid) as statement, c.contype as kind,
           'alter table ' || ${child}::text || ' add constraint ' || quote_ident(c.conname) || ' ' as constraint,
           case c.contype when 'x' then pg_get_constraintdef(c.oid)
           else format('%s using index %I%s', case c.contype when 'p' then 'primary key' else 'unique' end, r.relname,
                       case when c.condeferrable then ' deferrable' || case when c.condeferred then ' initially deferred' else '' end else '' end)
           end as definition
    from pg_index i
    join pg_class r on r.oid = i.indexrelid
    left join pg_constraint c on c.conindid = i.indexrelid and c.conrelid = i.indrelid and c.contype in ('p', 'u', 'x')
    where i.indrelid = ${child}::regclass
    order by i.indexrelid`
  for (const { name, kind } of made) {
    const dropKey = `alter table ${child} drop constraint ${quoteIdentifier(name)}`
    await session.unsafe(kind ? dropKey : `drop index ${quoteQualified(staging, name)}`)
  }
  return made.map(({ name, kind, statement, constraint, definition }) => {
    if (kind === null) return { name, statement, constraint: null }
    const whole = `${constraint}${definition}`
    // An exclusion constraint makes its index itself.
    return kind === 'x' ? { name, statement: whole, constraint: null } : { name, statement, constraint: whole }
  })
}

/** Names of the indexes that a table has. */
export async function indexesOf(session: Session, schema: string, table: string): Promise<ReadonlySet<string>> {
  const rows = await session<{ name: string }[]>`
    select r.relname as name from pg_index i join pg_class r on r.oid = i.indexrelid
    where i.indrelid = ${quoteQualified(schema, table)}::regclass and i.indisvalid`
  return new Set(rows.map(({ name }) => name))
}

/** Gives the table of a shard the foreign keys of its table; PostgreSQL checks every row. */
export async function addForeignKeys(session: Session, { schema, staging }: StagingPlace, shard: Shard): Promise<void> {
  const keys = await session<{ name: string; definition: string }[]>`
    select c.conname as name, pg_get_constraintdef(c.oid) as definition
    from pg_constraint c
    where c.conrelid = ${quoteQualified(schema, shard.fact.table)}::regclass and c.contype = 'f' and c.conparentid = 0
    order by c.conname`
  const clauses = keys.map((key) => `add constraint ${quoteIdentifier(key.name)} ${key.definition}`)
  if (clauses.length > 0)
    await session.unsafe(`alter table ${quoteQualified(staging, shard.name)} ${clauses.join(', ')}`)
}

/**
 * Drops the tables of shards that the ledger knows, and their schema.
 *
 * @throws ObsError when there is something else in it: that is not ours to drop.
 */
export async function dropStaging(
  session: Session,
  staging: string,
  shards: readonly Pick<LoadedShard, 'staging_table'>[],
): Promise<void> {
  const known = shards.map(({ staging_table }) => staging_table)
  const found = await session<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = to_regnamespace(${staging}) and relkind in ('r', 'p', 'v', 'm', 'f', 'S')`
  const strangers = found.map(({ name }) => name).filter((name) => !known.includes(name))
  if (strangers.length > 0) throw strangersIn(staging, strangers)
  const ours = found.map(({ name }) => quoteQualified(staging, name))
  if (ours.length > 0) await session.unsafe(`drop table ${ours.join(', ')}`)
  await session.unsafe(`drop schema if exists ${quoteIdentifier(staging)}`)
}

/** A point in time as an SQL literal. */
export function timeLiteral(time: number): string {
  return `'${new Date(time).toISOString()}'`
}

function strangersIn(staging: string, tables: readonly string[]): ObsError {
  return new ObsError(`the schema ${staging} holds ${tables.join(', ')}, which no shard of the run is`, {
    code: 'staging_not_ours',
    hint: 'Move it to another schema or drop it, then run the command again; nothing was changed.',
    details: { staging, tables },
  })
}
