import { type Kysely, sql } from 'kysely'
import { ObsError } from '../../errors.js'
import type { Window } from '../filters.js'
import type { ObservabilityTables } from './tables.js'

type Connection = Kysely<ObservabilityTables>

const needed = [
  'workspaces',
  'departments',
  'environments',
  'agents',
  'evaluations',
  'traces',
  'traces_hourly',
  'traces_daily',
] as const

/**
 * Makes sure that the database has come to the schema the KPIs are written for.
 *
 * @throws ObsError naming the tables that are missing.
 */
export async function requireTables(db: Connection, schema: string): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select name from unnest(string_to_array(${needed.join(',')}, ',')) as name
    where to_regclass(quote_ident(${schema}) || '.' || name) is null
    order by name`.execute(db)
  if (rows.length === 0) return
  const missing = rows.map((row) => row.name)
  throw new ObsError(`the schema ${schema} of this database has no ${missing.join(', ')}`, {
    code: 'schema_missing',
    hint: 'Run obs migrate up to bring it to the newest version.',
    details: { schema, missing },
  })
}

/**
 * Whether the rollups say what the traces say.
 *
 * Plain PostgreSQL logs every hour whose traces changed until the rollups are
 * refreshed. Where there is no such log the database keeps the rollups up to date itself.
 */
export async function rollupsAreFresh(db: Connection): Promise<boolean> {
  const { rows } = await sql<{ logged: boolean }>`
    select to_regclass('traces_rollup_changes') is not null as logged`.execute(db)
  if (!rows[0]?.logged) return true
  const change = await db.selectFrom('traces_rollup_changes').select('id').limit(1).executeTakeFirst()
  return change === undefined
}

/**
 * What a person should know before reading zeros: that the newest trace is older than
 * the range, or that there is none. Undefined when the range holds traces.
 */
export async function describeCoverage(
  db: Connection,
  workspaceId: string,
  window: Window,
): Promise<string | undefined> {
  const newest = await db
    .selectFrom('traces')
    .select('timestamp')
    .where('workspace_id', '=', workspaceId)
    .where('timestamp', '<', window.to)
    .orderBy('timestamp', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (newest === undefined) return `the workspace has no traces before ${window.to.toISOString()}`
  if (newest.timestamp >= window.from) return undefined
  const end = new Date(Math.floor(newest.timestamp.getTime() / 1000) * 1000 + 1000)
  return (
    `the newest trace is from ${newest.timestamp.toISOString()}, before the range begins ` +
    `(${window.from.toISOString()}); --as-of ${end.toISOString()} ends the range there`
  )
}
