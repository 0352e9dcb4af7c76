import { type CatalogObject, keyOf, readObjects } from '../database/catalog.js'
import type { Session, Sql } from '../database/connect.js'
import type { Platform } from '../database/platform.js'
import { belongsTo } from './ownership.js'

/** A schema at one moment, ready to be compared. */
export interface SchemaSnapshot {
  readonly objects: readonly CatalogObject[]
  /** `server_version_num` of the server it was read from. */
  readonly serverVersion: number
}

/** A table that is left out, with all that hangs on it. */
export interface ExcludedTable {
  readonly schema: string
  readonly table: string
}

/** Reads the schemas of a database, without the tables in which obs keeps its own books. */
export async function takeSnapshot(
  { sql, platform }: { readonly sql: Sql | Session; readonly platform: Pick<Platform, 'serverVersion'> },
  schemas: readonly string[],
  excluded: readonly ExcludedTable[] = [],
): Promise<SchemaSnapshot> {
  const objects = await readObjects(sql, schemas)
  const rows = await sql<{ key: string }[]>`
    select 'relation ' || format('%I.%I', schema_name, table_name) as key
    from unnest(${excluded.map(({ schema }) => schema)}::text[], ${excluded.map(({ table }) => table)}::text[])
      as excluded (schema_name, table_name)`
  return { objects: withoutTables(objects, new Set(rows.map((row) => row.key))), serverVersion: platform.serverVersion }
}

/** Leaves out the objects with these keys and whatever they own. */
function withoutTables(objects: readonly CatalogObject[], excluded: ReadonlySet<string>): readonly CatalogObject[] {
  const belongs = belongsTo(objects, excluded)
  return objects.filter((object) => !belongs(keyOf(object)))
}

/** The part of a snapshot that is in some schemas; extensions belong to the database as a whole. */
export function onlySchemas({ objects, serverVersion }: SchemaSnapshot, schemas: readonly string[]): SchemaSnapshot {
  const wanted = new Set(schemas)
  return { objects: objects.filter(({ kind, schema }) => kind === 'extension' || wanted.has(schema)), serverVersion }
}
