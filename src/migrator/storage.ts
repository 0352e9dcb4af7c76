import type { Session } from '../database/connect.js'

/** What tells whether the rows of a table were written in the current transaction; compared by equality. */
export type Storage = string

/**
 * Where the rows of tables lie, with those of their partitions, and how many of them this transaction
 * has written so far.
 *
 * While the table is locked against others, two equal answers within a transaction mean that no row was
 * written in between: whatever writes rows is counted (insert, update, delete, copy, also from
 * triggers and functions), and what does not count rows puts them into another file (truncate, a rewrite).
 * A table with virtual columns has none, because their values change with their expression,
 * and there is none at all where a superuser has switched counting off.
 * https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-STATS-VIEWS
 */
export async function storageOf(session: Session, oids: readonly number[]): Promise<ReadonlyMap<number, Storage>> {
  const rows = await session<{ oid: number; storage: string }[]>`
    with recursive tree as (
      select oid as root, oid as member from pg_class where oid = any(${[...oids]}::oid[])
      union
      select tree.root, i.inhrelid from tree join pg_inherits i on i.inhparent = tree.member
    )
    select tree.root::bigint as oid,
           string_agg(concat_ws(' ', c.oid, c.relfilenode, pg_stat_get_xact_tuples_inserted(c.oid),
                                pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_deleted(c.oid)),
                      ', ' order by c.oid) as storage
    from tree join pg_class c on c.oid = tree.member
    where current_setting('track_counts')::boolean
    group by tree.root
    having not exists (
      select from pg_attribute a where a.attrelid = tree.root and not a.attisdropped and a.attgenerated = 'v')`
  return new Map(rows.map(({ oid, storage }) => [oid, storage]))
}
