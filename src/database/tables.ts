import type { Session, Sql } from './connect.js'
import { isOwnTable } from './history-table.js'
import { quoteQualified } from './quote.js'

/** A table that holds data of its own or through its partitions. */
export interface TableInfo {
  readonly oid: number
  readonly name: string
  readonly columns: readonly { readonly number: number; readonly name: string; readonly type: string }[]
  /** Columns of the primary key in its order; empty without one. */
  readonly primaryKey: readonly string[]
  /** Names of its partitions at every depth, chunks of a hypertable included. */
  readonly partitions: readonly string[]
  /** True when it takes part in old-style table inheritance. */
  readonly inherits: boolean
  readonly readable: boolean
  /** This role could change its rows: it may read them, and update, delete or truncate. */
  readonly alterable: boolean
  /** Rows by the planner's statistics, or by the size on disk where there are none yet. */
  readonly estimatedRows: number
}

/** Some tables of a schema, by what they are called now or by what they are. */
export interface TableChoice {
  readonly names: readonly string[]
  readonly oids?: readonly number[]
}

/**
 * Lists the ordinary and partitioned tables of a schema; partitions count with their parent, those of extensions and those that obs keeps its books in not at all.
 *
 * @param choice only these and what they inherit from or hand down to, which is quick however many others there are
 */
export function listTables(sql: Sql | Session, schema: string, choice?: TableChoice): Promise<readonly TableInfo[]> {
  const chosen = choice
    ? sql`select root from family`
    : sql`select oid from pg_class where relnamespace = (select oid from space)`
  return sql<TableInfo[]>`
    with recursive space as materialized (select oid from pg_namespace where nspname = ${schema}),
    family as (
      select oid as root from pg_class
      where relnamespace = (select oid from space)
        and (relname = any(${choice?.names ?? []}::name[]) or oid = any(${choice?.oids ?? []}::oid[]))
      union
      select case when i.inhrelid = family.root then i.inhparent else i.inhrelid end
      from family join pg_inherits i on family.root in (i.inhrelid, i.inhparent)
    ),
    base as (
      select c.oid, c.relname from pg_class c
      where c.oid in (${chosen}) and c.relnamespace = (select oid from space)
        and c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't' and not ${isOwnTable(sql)}
        and not exists (
          select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    ),
    tree as (
      select oid as root, oid as member from base
      union
      select tree.root, i.inhrelid from tree join pg_inherits i on i.inhparent = tree.member
    ),
    size as (
      select tree.root, sum(case when m.relkind = 'p' then 0 -- its own figure is the sum of its partitions
                                 when m.reltuples >= 0 then m.reltuples
                                 else coalesce(nullif(pg_stat_get_live_tuples(m.oid), 0), pg_relation_size(m.oid) / 100) end) as rows,
             array_remove(array_agg(case when m.oid <> tree.root then m.relname::text end), null) as partitions
      from tree join pg_class m on m.oid = tree.member group by tree.root
    )
    select b.oid::bigint as oid, b.relname as name, s.partitions, ceil(s.rows)::bigint as "estimatedRows",
           exists (select from pg_inherits i where i.inhrelid = b.oid) as inherits,
           has_table_privilege(b.oid, 'select') as readable,
           has_table_privilege(b.oid, 'select') and has_table_privilege(b.oid, 'update, delete, truncate') as alterable,
           (select coalesce(jsonb_agg(jsonb_build_object(
                     'number', a.attnum, 'name', a.attname, 'type', format_type(a.atttypid, null)) order by a.attnum), '[]')
            from pg_attribute a where a.attrelid = b.oid and a.attnum > 0 and not a.attisdropped) as columns,
           (select coalesce(jsonb_agg(a.attname order by key.position), '[]')
            from pg_constraint k cross join lateral unnest(k.conkey) with ordinality as key (attnum, position)
            join pg_attribute a on a.attrelid = k.conrelid and a.attnum = key.attnum
            where k.conrelid = b.oid and k.contype = 'p') as "primaryKey"
    from base b join size s on s.root = b.oid
    order by b.relname`
}

/** Whether any table of the schema that this role may read has a row; looks at one row per table at most. */
export async function holdsData(sql: Sql | Session, schema: string): Promise<boolean> {
  const tables = (await listTables(sql, schema)).filter((table) => table.readable)
  if (tables.length === 0) return false
  const tests = tables.map((table) => `exists (select from ${quoteQualified(schema, table.name)})`)
  const [row] = await sql.unsafe<{ holds: boolean }[]>(`select ${tests.join(' or ')} as holds`)
  return row?.holds === true
}
