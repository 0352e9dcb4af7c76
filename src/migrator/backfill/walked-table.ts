import type { Session, Sql } from '../../database/connect.js'
import { quoteLiteral } from '../../database/quote.js'
import { queryWithSettings } from '../../database/with-settings.js'
import { nearest } from '../../suggest.js'
import type { BackfillRequest } from './request.js'

/** The table that a backfill walks through. */
export interface WalkedTable {
  readonly schema: string
  readonly name: string
  readonly key: readonly KeyColumn[]
  readonly columns: readonly string[]
  /** Rows by the planner's statistics, or by the size on disk where there are none yet. */
  readonly estimatedRows: number
}

export interface KeyColumn {
  readonly name: string
  /** As SQL writes it, with its schema where it has one. */
  readonly type: string
}

interface Row {
  readonly schema: string
  readonly name: string
  readonly kind: string
  readonly columns: readonly { readonly name: string; readonly type: string; readonly not_null: boolean }[]
  readonly indexed: boolean
  readonly estimated: string
}

/**
 * Looks up the table and the key of a backfill.
 *
 * @param schema of the pack, where a table without a schema is looked for first, then in public
 * @returns the table, or in words why it cannot be walked through.
 */
export async function findWalkedTable(
  sql: Sql | Session,
  schema: string,
  { table, key }: BackfillRequest,
): Promise<WalkedTable | string> {
  const schemas = table.schema === undefined ? [schema, 'public'] : [table.schema]
  const rows = await queryWithSettings<Row>(sql, { search_path: 'pg_catalog' }, lookup(schemas, table.table, key))
  const [found] = rows
  if (!found)
    return `there is no table ${[...(table.schema === undefined ? [] : [table.schema]), table.table].join('.')}`
  if (found.kind !== 'r' && found.kind !== 'p')
    return `${found.name} is no table; a backfill walks through the rows of a table`
  const columns = found.columns.map((column) => column.name)
  for (const name of key) {
    const column = found.columns.find((one) => one.name === name)
    if (!column) return noColumn(found.name, name, columns)
    if (!column.not_null) return `${found.name}.${name} may be null, and a walk by it would leave such rows out`
  }
  if (!found.indexed) {
    return `no btree index of ${found.name} begins with ${key.join(', ')}, so that every batch would read the whole table`
  }
  const typed = key.map((name) => ({ name, type: found.columns.find((one) => one.name === name)?.type ?? '' }))
  return { schema: found.schema, name: found.name, key: typed, columns, estimatedRows: Number(found.estimated) }
}

function noColumn(table: string, name: string, columns: readonly string[]): string {
  const guess = nearest(name, columns)
  return `${table} has no column ${JSON.stringify(name)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`
}

/**
 * A column counts as NOT NULL only when that was checked for the rows that are there.
 * An index serves when its first columns are those of the key, in order and all in one
 * direction, compared as the key's own type compares.
 * https://www.postgresql.org/docs/current/catalog-pg-index.html
 */
function lookup(schemas: readonly string[], table: string, key: readonly string[]): string {
  const wanted = `array[${schemas.map(quoteLiteral).join(', ')}]::text[]`
  const names = `array[${key.map(quoteLiteral).join(', ')}]::text[]`
  return `
    with walked as (
      select c.oid, n.nspname, c.relname, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relname = ${quoteLiteral(table)} and n.nspname = any(${wanted})
      order by array_position(${wanted}, n.nspname::text) limit 1
    )
    select w.nspname as schema, w.relname as name, w.relkind::text as kind,
      (select coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
          'not_null', a.attnotnull and not exists (
            select from pg_constraint k
            where k.conrelid = a.attrelid and k.contype = 'n' and k.conkey = array[a.attnum] and not k.convalidated))
          order by a.attnum), '[]')
       from pg_attribute a where a.attrelid = w.oid and a.attnum > 0 and not a.attisdropped) as columns,
      exists (
        select from pg_index i join pg_class x on x.oid = i.indexrelid
        where i.indrelid = w.oid and i.indisvalid and i.indislive and i.indpred is null
          and x.relam = (select oid from pg_am where amname = 'btree')
          and (select array_agg(a.attname::text order by p)
               from generate_series(0, ${key.length - 1}) p
               join pg_attribute a on a.attrelid = w.oid and a.attnum = i.indkey[p] and a.attcollation = i.indcollation[p]
               join pg_opclass o on o.oid = i.indclass[p] and o.opcdefault) = ${names}
          and (select count(distinct i.indoption[p] & 1) = 1 from generate_series(0, ${key.length - 1}) p)
      ) as indexed,
      (select ceil(sum(case when m.reltuples >= 0 then m.reltuples else pg_relation_size(m.oid) / 100 end))::text
       from (select w.oid as member union select relid from pg_partition_tree(w.oid)
             union select inhrelid from pg_inherits where inhparent = w.oid) t
       join pg_class m on m.oid = t.member where m.relkind <> 'p') as estimated
    from walked w`
}
