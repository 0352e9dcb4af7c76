import type { Session } from '../../database/connect.js'

/** What tells whether rows of a table were written, or values given up, within a transaction. */
export interface Storage {
  readonly oid: number
  readonly name: string
  /** Compared by equality; null when writing cannot be told from it. */
  readonly rows: string | null
  /** Number and type of each column, `3:25`. */
  readonly columns: readonly string[]
}

/** The storage of tables, by OID. */
export type StorageMap = ReadonlyMap<number, Storage>

/**
 * Where the rows of the tables of a schema lie, with those of their partitions, and how many of them this
 * transaction has written so far.
 *
 * Two equal answers within a transaction mean that it wrote no row in between: whatever writes rows is
 * counted (insert, update, delete, copy, also from triggers and functions), and what does not count rows
 * puts them into another file (truncate, a rewrite). A table with virtual columns has no
 * such answer, because their values change with their expression, and no table has where a
 * superuser switched counting off.
 * https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-STATS-VIEWS
 *
 * @param oids only these tables
 */
export async function storageOf(session: Session, schema: string, oids?: readonly number[]): Promise<StorageMap> {
  const chosen = oids ? session`and oid = any(${[...oids]}::oid[])` : session``
  const rows = await session<Storage[]>`
    with recursive tree as (
      select oid as root, oid as member from pg_class
      where relnamespace = (select oid from pg_namespace where nspname = ${schema})
        and relkind in ('r', 'p') and not relispartition and relpersistence <> 't' ${chosen}
      union
      select tree.root, i.inhrelid from tree join pg_inherits i on i.inhparent = tree.member
    ),
    files as (
      select tree.root,
             string_agg(concat_ws(' ', c.oid, c.relfilenode, pg_stat_get_xact_tuples_inserted(c.oid),
                                  pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_deleted(c.oid)),
                        ', ' order by c.oid) as rows
      from tree join pg_class c on c.oid = tree.member group by tree.root
    )
    select f.root::bigint as oid, c.relname as name, a.columns,
           case when current_setting('track_counts')::boolean and not a.virtual then f.rows end as rows
    from files f
    join pg_class c on c.oid = f.root
    cross join lateral (
      select coalesce(jsonb_agg(concat(attnum, ':', atttypid) order by attnum), '[]') as columns,
             coalesce(bool_or(attgenerated = 'v'), false) as virtual
      from pg_attribute where attrelid = f.root and attnum > 0 and not attisdropped
    ) a`
  return new Map(rows.map((row) => [row.oid, row]))
}

/** The tables that were written in between, or lost a column, or are gone, or of which nothing can be told. */
export function changedSince(before: StorageMap, now: StorageMap): readonly Storage[] {
  return [...before.values()].filter((table) => !isSame(table, now.get(table.oid)))
}

function isSame(before: Storage, now: Storage | undefined): boolean {
  if (now === undefined || before.rows === null || before.rows !== now.rows) return false
  return before.columns.every((column) => now.columns.includes(column))
}
