import type { Session, Sql } from './connect.js'
import { quoteQualified } from './quote.js'

/**
 * The migration histories of a database as SQL names, wherever they are kept: a role that
 * may not create a schema keeps it in its own.
 */
export async function findHistories(sql: Sql | Session): Promise<readonly string[]> {
  const rows = await sql<{ schema: string; name: string }[]>`
    select n.nspname as schema, c.relname as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where ${isHistory(sql)} and has_table_privilege(c.oid, 'select')
    order by n.nspname = 'obs' desc, n.nspname`
  return rows.map(({ schema, name }) => quoteQualified(schema, name))
}

/** The condition on a row `c` of pg_class that obs keeps its books in it: a history, or the progress of backfills beside it. */
export function isOwnTable(sql: Sql | Session) {
  return sql`(${isHistory(sql)} or (c.relname = 'backfill_progress' and c.relkind = 'r' and 4 = (
    select count(*) from pg_attribute p
    where p.attrelid = c.oid and p.attname in ('pack', 'key_columns', 'last_key', 'laps') and not p.attisdropped)))`
}

/** The condition on a row `c` of pg_class that it is a migration history: the name, and columns that no other table has. */
export function isHistory(sql: Sql | Session) {
  return sql`(c.relname = 'migration_history' and c.relkind = 'r' and 4 = (
    select count(*) from pg_attribute h
    where h.attrelid = c.oid and h.attname in ('pack', 'in_transaction', 'obs_version', 'checksum') and not h.attisdropped))`
}
