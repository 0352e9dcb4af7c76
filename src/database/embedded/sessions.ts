import type { RunContext } from '../../context.js'
import type { ServerAddress } from '../address.js'
import { withDatabase } from '../connect.js'

/** Somebody who is connected to the server. */
export interface ServerSession {
  readonly pid: number
  readonly user: string
  readonly database: string
  readonly application: string
}

/** Who is connected to the server besides this run. */
export function otherSessions(address: ServerAddress, context: RunContext): Promise<readonly ServerSession[]> {
  return withDatabase(
    { ...address, database: 'postgres' },
    context,
    async ({ sql }) => {
      const sessions = await sql<ServerSession[]>`
        select pid, usename as user, datname as database, application_name as application
        from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()
        order by backend_start`
      return [...sessions]
    },
    { connections: 1, purpose: 'sessions' },
  )
}
