import type { Session, Sql } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import { findAllForeignTables } from '../import/find-table.js'

/**
 * The tables that belong to a migration tool, obs included, and to no migration: they,
 * their indexes and their sequences, as catalog lines write them.
 */
export async function toolOwnedPaths(sql: Sql | Session, { historySchema }: Pack): Promise<readonly string[]> {
  const tables = [{ schema: historySchema, name: 'migration_history' }, ...(await findAllForeignTables(sql))]
  return pathsOf(sql, tables)
}

async function pathsOf(
  sql: Sql | Session,
  tables: readonly { readonly schema: string; readonly name: string }[],
): Promise<readonly string[]> {
  const rows = await sql<{ path: string }[]>`
    with root as (
      select c.oid from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      join unnest(${tables.map((table) => table.schema)}::text[], ${tables.map((table) => table.name)}::text[])
        as wanted (schema, name) on n.nspname = wanted.schema and c.relname = wanted.name
    ),
    owned as (
      select oid from root
      union select i.indexrelid from pg_index i join root on root.oid = i.indrelid
      union select d.objid from pg_depend d join root on root.oid = d.refobjid
            where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
    )
    select format('%I.%I', n.nspname, c.relname) as path
    from owned join pg_class c on c.oid = owned.oid join pg_namespace n on n.oid = c.relnamespace`
  return rows.map((row) => row.path)
}

/** The catalog lines that speak of none of these relations; pure. */
export function withoutPaths(lines: readonly string[], paths: readonly string[]): readonly string[] {
  return lines.filter((line) => {
    const subject = line.slice(line.indexOf(' ') + 1)
    return !paths.some((path) => subject === path || subject.startsWith(`${path} `) || subject.startsWith(`${path}.`))
  })
}
