import { codeOf } from '../errors.js'
import { type Session, withTransaction } from './connect.js'

/** How many rows a table holds, its partitions included, as far as can be told without reading it. */
export interface TableRows {
  readonly schema: string
  readonly name: string
  /** By the planner's statistics; null when they know nothing and somebody else has the table locked. */
  readonly rows: number | null
  /** Its rows are counted with its parent too. */
  readonly isPartition: boolean
}

/** Milliseconds to wait for a table whose size is asked for: whoever has it locked exclusively is busy with it. */
const patience = 500

/**
 * Estimates the rows of every table, partition and materialised view that is not the server's own.
 *
 * The figures of the planner come first, then those of the statistics system, then the
 * size on disk, which is the only one that takes a lock (ACCESS SHARE, for a moment).
 */
export async function estimateTables(session: Session): Promise<readonly TableRows[]> {
  try {
    return await withTransaction(
      session,
      async () => {
        await session.unsafe(`set local lock_timeout to ${patience}`)
        return session.unsafe<TableRows[]>(query('pg_relation_size(m.oid) / 100'))
      },
      'begin read only',
    )
  } catch (error) {
    if (codeOf(error) !== lockNotAvailable) throw error
    return session.unsafe<TableRows[]>(query('null'))
  }
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const lockNotAvailable = '55P03'

/** The figure of a partitioned table itself is the sum of its partitions, which are counted one by one. */
function query(unknown: string): string {
  return `
  with recursive base as (
    select c.oid, n.nspname, c.relname, c.relispartition
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't'
  ),
  tree as (
    select oid as root, oid as member from base
    union
    select tree.root, i.inhrelid from tree join pg_inherits i on i.inhparent = tree.member
  ),
  size as (
    select tree.root,
           case when m.relkind = 'p' then 0
                when m.reltuples >= 0 then greatest(m.reltuples, pg_stat_get_live_tuples(m.oid))
                else coalesce(nullif(pg_stat_get_live_tuples(m.oid), 0), ${unknown}) end as rows
    from tree join pg_class m on m.oid = tree.member
  )
  select b.nspname as schema, b.relname as name, b.relispartition as "isPartition",
         case when bool_and(s.rows is not null) then ceil(sum(s.rows))::bigint end as rows
  from base b join size s on s.root = b.oid
  group by b.oid, b.nspname, b.relname, b.relispartition`
}
