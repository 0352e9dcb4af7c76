import { readCatalog, readCatalogLines } from '../database/catalog.js'
import type { Session, Sql } from '../database/connect.js'
import type { ScopeName } from './manifest.js'

/**
 * The catalog that a backup of this scope is compared by: of some tables only what is a relation or
 * belongs to one, because of functions and types it has no more than those need.
 *
 * @param relations OIDs; every relation of the schemas when undefined.
 */
export async function catalogOf(
  sql: Sql | Session,
  scope: ScopeName,
  schemas: readonly string[],
  relations?: readonly number[],
): Promise<readonly string[]> {
  if (scope !== 'tables') return readCatalog(sql, schemas)
  const oids = relations ?? (await relationsOf(sql, schemas))
  const lines = await readCatalogLines(sql, schemas, oids.map(String))
  return lines.flatMap(({ line, relation }) => (relation === null ? [] : [line])).sort()
}

async function relationsOf(sql: Sql | Session, schemas: readonly string[]): Promise<readonly number[]> {
  const rows = await sql<{ oid: number }[]>`
    select c.oid::bigint as oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any(${schemas}::name[])`
  return rows.map(({ oid }) => oid)
}
