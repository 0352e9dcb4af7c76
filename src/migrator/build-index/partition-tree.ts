import type { Session } from '../../database/connect.js'
import { queryWithSettings } from '../../database/with-settings.js'

/** An index as the catalog knows it. */
export interface IndexFacts {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly valid: boolean
  /** `UNIQUE USING btree (id)`: all that it says except its name and its table. */
  readonly says: string
  /** The index of the table above that it is attached to. */
  readonly attachedTo: number | null
}

/** A partitioned table or one of its partitions, at any depth. */
export interface Member {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** `p` for a table that is partitioned itself, `r` for one with rows, `f` for a foreign one. */
  readonly kind: string
  /** The table above it; null for the one at the top. */
  readonly parent: number | null
  readonly level: number
  readonly indexes: readonly IndexFacts[]
}

/**
 * Reads a partitioned table with all that is below it, and every index of each, top first.
 *
 * What an index says is taken from `pg_get_indexdef`, with the beginning that names it and
 * its table cut off; an index on a partitioned table is shown with ONLY.
 */
export function readPartitionTree(session: Session, oid: number): Promise<readonly Member[]> {
  return queryWithSettings<Member>(
    session,
    { search_path: 'pg_catalog' },
    `
    select c.oid::bigint as oid, n.nspname as schema, c.relname as name, c.relkind::text as kind,
           case when t.level > 0 then t.parentrelid::oid::bigint end as parent, t.level,
      (select coalesce(jsonb_agg(jsonb_build_object(
          'oid', x.oid::bigint, 'schema', xn.nspname, 'name', x.relname, 'valid', i.indisvalid and i.indisready,
          'says', case when i.indisunique then 'UNIQUE ' else '' end || substr(pg_get_indexdef(x.oid), 1 + length(
             'CREATE ' || case when i.indisunique then 'UNIQUE ' else '' end || 'INDEX ' || quote_ident(x.relname)
             || ' ON ' || case when x.relkind = 'I' then 'ONLY ' else '' end
             || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' ')),
          'attachedTo', (select inhparent::bigint from pg_inherits where inhrelid = x.oid)) order by x.relname), '[]')
       from pg_index i join pg_class x on x.oid = i.indexrelid join pg_namespace xn on xn.oid = x.relnamespace
       where i.indrelid = c.oid and i.indislive) as indexes
    from pg_partition_tree(${oid}) t
    join pg_class c on c.oid = t.relid
    join pg_namespace n on n.oid = c.relnamespace
    order by t.level, c.relname`,
  )
}
