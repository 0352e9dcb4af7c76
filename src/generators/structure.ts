import type { Session } from '../database/connect.js'
import { ObsError } from '../errors.js'

/** A table was altered while a run was under way or interrupted; nothing was changed. */
export class TableAlteredError extends ObsError {
  constructor(
    readonly run: string,
    readonly tables: readonly string[],
  ) {
    super(`${tables.join(', ')} ${tables.length > 1 ? 'were' : 'was'} altered since run ${run} began`, {
      code: 'table_altered',
      hint: `Take the run away with obs seed remove ${run} and seed again; nobody has seen a row of it.`,
      details: { run_id: run, tables },
    })
  }
}

/**
 * A hash by table over what rows have to fit: columns, constraints and indexes.
 *
 * Partitions come and go without changing it, and so do comments, grants and statistics.
 */
export async function readStructure(
  session: Session,
  schema: string,
  tables: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const rows = await session<{ name: string; hash: string }[]>`
    select c.relname as name, md5(concat_ws(E'\n', c.relkind,
      (select string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                                   a.attgenerated, pg_get_expr(d.adbin, d.adrelid)), E'\n' order by a.attnum)
       from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
      (select string_agg(pg_get_constraintdef(k.oid), E'\n' order by k.conname)
       from pg_constraint k where k.conrelid = c.oid and k.contype in ('c', 'f', 'p', 'u', 'x')),
      (select string_agg(pg_get_indexdef(i.indexrelid), E'\n' order by i.indexrelid::regclass::text)
       from pg_index i where i.indrelid = c.oid))) as hash
    from pg_class c
    where c.relnamespace = to_regnamespace(quote_ident(${schema}::text)) and c.relname in ${session(tables)}`
  return Object.fromEntries(rows.map(({ name, hash }) => [name, hash]))
}

/** @throws TableAlteredError when a table is not what it was when the run began. */
export async function checkStructure(
  session: Session,
  schema: string,
  run: string,
  before: Readonly<Record<string, string>>,
): Promise<void> {
  const now = await readStructure(session, schema, Object.keys(before))
  const altered = Object.keys(before).filter((table) => now[table] !== before[table])
  if (altered.length > 0) throw new TableAlteredError(run, altered.sort())
}
