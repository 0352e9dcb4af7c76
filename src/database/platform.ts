import type { Sql } from './connect.js'

export type PlatformName = 'postgres' | 'timescaledb' | 'citus'

/** What the server is; decides which variant of a migration runs. */
export interface Platform {
  readonly name: PlatformName
  /** `server_version_num`, for example 180004. */
  readonly serverVersion: number
  /** The version as people write it, for example `18.4`. */
  readonly displayVersion: string
  /** Installed extensions and their versions. */
  readonly extensions: Readonly<Record<string, string>>
}

interface PlatformRow {
  readonly version: number
  readonly display: string
  readonly extensions: Record<string, string> | null
}

/** Asks the server what it is. */
export async function detectPlatform(sql: Sql): Promise<Platform> {
  const [row] = await sql<PlatformRow[]>`
    select current_setting('server_version_num')::int as version,
           current_setting('server_version') as display,
           (select jsonb_object_agg(extname, extversion) from pg_extension) as extensions`
  if (!row) throw new Error('the server did not say what it is')
  const extensions = row.extensions ?? {}
  return {
    name: platformName(extensions),
    serverVersion: row.version,
    displayVersion: row.display.split(' ')[0] ?? row.display,
    extensions,
  }
}

function platformName(extensions: Readonly<Record<string, string>>): PlatformName {
  if ('timescaledb' in extensions) return 'timescaledb'
  if ('citus' in extensions) return 'citus'
  return 'postgres'
}
