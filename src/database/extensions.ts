import type { Session, Sql } from './connect.js'
import { quoteIdentifier } from './quote.js'

/** An extension that a database has. */
export interface InstalledExtension {
  readonly name: string
  /** The schema its objects are in. */
  readonly schema: string
}

/** Lists the extensions of a database, except plpgsql, which every database has; the oldest first. */
export function listExtensions(sql: Sql | Session): Promise<readonly InstalledExtension[]> {
  return sql<InstalledExtension[]>`
    select e.extname as name, n.nspname as schema
    from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where e.extname <> 'plpgsql' order by e.oid`
}

/**
 * Makes extensions, each in the schema it is in elsewhere, and returns those that could not be made.
 *
 * An extension that this role or this server refuses is passed over: whether it is needed
 * shows in what is done next.
 */
export async function installExtensions(
  sql: Sql,
  extensions: readonly InstalledExtension[],
): Promise<readonly InstalledExtension[]> {
  const refused: InstalledExtension[] = []
  for (const extension of extensions) {
    await sql.unsafe(creation(extension)).catch(() => refused.push(extension))
  }
  return refused
}

/** Some extensions insist on a schema of their own, and make it. */
function creation({ name, schema }: InstalledExtension): string {
  const own = schema === 'public' ? '' : `create schema if not exists ${quoteIdentifier(schema)};`
  const place = schema === 'pg_catalog' ? '' : ` schema ${quoteIdentifier(schema)}`
  return `${schema === 'pg_catalog' ? '' : own} create extension if not exists ${quoteIdentifier(name)}${place} cascade`
}
