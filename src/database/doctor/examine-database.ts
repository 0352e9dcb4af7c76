import { describeAddress } from '../address.js'
import type { Database, Sql } from '../connect.js'
import type { ConnectionError } from '../explain-error.js'
import { type Finding, fail, ok, warn } from './finding.js'

/** PostgreSQL 15 is the oldest version that obs is tested with. */
const oldestServer = 150_000

/** What a server that answers says about itself and about the role. */
export async function examineDatabase(database: Database, schema: string): Promise<readonly Finding[]> {
  return [
    ok('connection', describeAddress(database.address)),
    examineServer(database),
    await examineWrites(database.sql),
    await examineRights(database, schema),
  ]
}

/** The finding for a server that does not answer. */
export function unreachable(error: ConnectionError): Finding {
  return fail('connection', error.message, error.hint ?? '')
}

function examineServer({ platform }: Database): Finding {
  const extensions = Object.entries(platform.extensions).map(([name, version]) => `${name} ${version}`)
  const observed = `PostgreSQL ${platform.displayVersion}, platform ${platform.name}, extensions: ${extensions.join(', ') || 'none'}`
  if (platform.serverVersion >= oldestServer) return ok('server', observed)
  return warn('server', observed, 'Upgrade to PostgreSQL 15 or newer, the oldest that obs is tested with.')
}

async function examineWrites(sql: Sql): Promise<Finding> {
  const [row] = await sql<{ standby: boolean; readOnly: boolean }[]>`
    select pg_is_in_recovery() as standby, current_setting('default_transaction_read_only')::boolean as "readOnly"`
  if (row?.standby)
    return warn('writes', 'the server is a standby: it takes no writes', 'Name the primary to migrate or seed.')
  if (row?.readOnly)
    return warn('writes', 'transactions are read-only by default', 'Name a role that may write to migrate or seed.')
  return ok('writes', 'the server takes writes')
}

interface RightsRow {
  readonly role: string
  readonly inDatabase: boolean
  /** Null when the schema does not exist. */
  readonly inSchema: boolean | null
}

async function examineRights({ sql, address }: Database, schema: string): Promise<Finding> {
  const [row] = await sql<RightsRow[]>`
    select current_user as role,
           has_database_privilege(current_database(), 'create') as "inDatabase",
           (select has_schema_privilege(oid, 'create') from pg_namespace where nspname = ${schema}) as "inSchema"`
  const missing = [
    ...(row?.inDatabase ? [] : [`create on database ${address.database}`]),
    ...(row?.inSchema === false ? [`create on schema ${schema}`] : []),
  ]
  if (missing.length === 0) return ok('rights', `${row?.role} may create what migrations create`)
  const observed = `${row?.role} lacks ${missing.join(' and ')}: it can query, but not migrate`
  return warn('rights', observed, `Grant ${missing.join(' and ')} to ${row?.role}, or name its owner.`)
}
