import type { RunContext } from '../context.js'
import { ObsError } from '../errors.js'
import { type ServerAddress, withDatabaseName } from './address.js'
import { type Sql, withDatabase } from './connect.js'

/** The comment by which a database is known to be a demo's, free to be replaced by the next one. */
const mark = 'made by obs demo; the next obs demo replaces it'

/** The embedded database holds something that the demo did not make. */
export class DemoWouldReplaceDataError extends ObsError {
  constructor(readonly database: string) {
    super(`the embedded database ${JSON.stringify(database)} holds data that obs demo did not make`, {
      code: 'demo_would_replace_data',
      hint: 'Run obs demo in another folder, or obs db reset to give this database up; nothing was changed.',
      details: { database },
    })
  }
}

/**
 * Makes the database at `address` empty and marks it as the demo's.
 *
 * An earlier demo's database is dropped; an empty one is taken as it is.
 *
 * @throws DemoWouldReplaceDataError when it holds anything else.
 */
export async function prepareDemoDatabase(address: ServerAddress, context: RunContext): Promise<void> {
  const empty = await withDatabase(address, context, ({ sql }) => isEmpty(sql), { connections: 1 })
  const maintenance = withDatabaseName(address, 'postgres')
  await withDatabase(maintenance, context, (server) => claim(server.sql, address.database, empty), { connections: 1 })
}

async function claim(sql: Sql, database: string, empty: boolean): Promise<void> {
  if (!empty) {
    if ((await commentOf(sql, database)) !== mark) throw new DemoWouldReplaceDataError(database)
    await sql`drop database ${sql(database)} with (force)`
    await sql`create database ${sql(database)}`
  }
  await sql`comment on database ${sql(database)} is ${sql.unsafe(`'${mark}'`)}`
}

async function isEmpty(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ objects: number }[]>`
    select count(*)::int as objects
    from pg_class join pg_namespace n on n.oid = relnamespace
    where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'`
  return row?.objects === 0
}

async function commentOf(sql: Sql, database: string): Promise<string | null> {
  const [row] = await sql<{ comment: string | null }[]>`
    select shobj_description(oid, 'pg_database') as comment from pg_database where datname = ${database}`
  return row?.comment ?? null
}
