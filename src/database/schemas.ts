import type { Session, Sql } from './connect.js'

/** The schemas that people made, and `public`; neither those of the server nor those of extensions. */
export async function listSchemas(sql: Sql | Session): Promise<readonly string[]> {
  const rows = await sql<{ name: string }[]>`
    select nspname as name from pg_namespace n
    where nspname !~ '^pg_' and nspname <> 'information_schema'
      and not exists (
        select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')
    order by nspname`
  return rows.map((row) => row.name)
}
