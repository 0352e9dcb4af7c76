import type { RunContext } from '../context.js'
import type { Sql } from '../database/connect.js'
import { quoteIdentifier, quoteLiteral } from '../database/quote.js'
import { codeOf } from '../errors.js'

/** What belongs to a database and not to anything in it, so that no dump of it holds it. */
export interface Traits {
  readonly owner: string
  readonly connection_limit: number
  readonly comment: string | null
  /** Null when nobody ever granted or revoked anything. */
  readonly grants: readonly Grant[] | null
  readonly settings: readonly Setting[]
}

export interface Grant {
  /** Null for PUBLIC. */
  readonly grantee: string | null
  readonly privilege: string
  readonly grantable: boolean
}

export interface Setting {
  /** Null when it holds for every role. */
  readonly role: string | null
  readonly name: string
  readonly value: string
}

/**
 * Gives a database the owner, grants, settings, connection limit and comment of another.
 *
 * A setting that the role may not make is named in a warning; everything else is an error.
 */
export async function carryTraits(sql: Sql, from: string, to: string, { progress }: RunContext): Promise<void> {
  const traits = await readTraits(sql, from)
  for (const statement of statementsFor(traits, to)) await sql.unsafe(statement)
  for (const setting of traits.settings) {
    const statement = settingStatement(setting, quoteIdentifier(to))
    await sql.unsafe(statement).catch((error: unknown) => {
      if (codeOf(error) !== '42501') throw error
      progress.warn(`the role may not carry over a setting of ${JSON.stringify(from)}: ${statement}`)
    })
  }
}

/** Reads them of a database of the server. */
export async function readTraits(sql: Sql, database: string): Promise<Traits> {
  const [row] = await sql<(Omit<Traits, 'settings'> & { oid: number })[]>`
    select d.oid::bigint as oid, pg_get_userbyid(datdba) as owner, datconnlimit as connection_limit,
           shobj_description(d.oid, 'pg_database') as comment,
           case when datacl is not null then (
             select coalesce(jsonb_agg(jsonb_build_object(
                      'grantee', case when grantee <> 0 then pg_get_userbyid(grantee) end,
                      'privilege', privilege_type, 'grantable', is_grantable)), '[]')
             from aclexplode(datacl)) end as grants
    from pg_database d where datname = ${database}`
  if (!row) throw new Error(`there is no database ${JSON.stringify(database)} any more`)
  const settings = await sql<Setting[]>`
    select case when setrole <> 0 then pg_get_userbyid(setrole) end as role,
           split_part(entry, '=', 1) as name, substr(entry, strpos(entry, '=') + 1) as value
    from pg_db_role_setting cross join lateral unnest(setconfig) as entry
    where setdatabase = ${row.oid}`
  return { ...row, settings }
}

/** The owner last: who gives a database away may not be allowed to change it any more. */
function statementsFor(traits: Traits, to: string): readonly string[] {
  const database = quoteIdentifier(to)
  const { owner, grants, connection_limit, comment } = traits
  return [
    `alter database ${database} with connection limit ${connection_limit}`,
    ...(comment === null ? [] : [`comment on database ${database} is ${quoteLiteral(comment)}`]),
    `alter database ${database} owner to ${quoteIdentifier(owner)}`,
    ...(grants ? [`revoke all on database ${database} from public, ${quoteIdentifier(owner)}`] : []),
    ...(grants ?? []).map((grant) => grantStatement(grant, database)),
  ]
}

/** Grants a right; `database` is quoted already. */
export function grantStatement({ grantee, privilege, grantable }: Grant, database: string): string {
  const whom = grantee === null ? 'public' : quoteIdentifier(grantee)
  return `grant ${privilege} on database ${database} to ${whom}${grantable ? ' with grant option' : ''}`
}

/** Settings that are lists of names and are stored with the quotes of each, as in pg_dump's `variable_is_guc_list_quote`. */
const nameLists = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
])

/** Makes a setting; `database` is quoted already. */
export function settingStatement({ role, name, value }: Setting, database: string): string {
  const whose =
    role === null ? `alter database ${database}` : `alter role ${quoteIdentifier(role)} in database ${database}`
  const values = nameLists.has(name.toLowerCase()) ? splitNames(value) : [value]
  return `${whose} set ${name.split('.').map(quoteIdentifier).join('.')} to ${values.map(quoteLiteral).join(', ')}`
}

/** `"$user", public` as its names. */
export function splitNames(list: string): readonly string[] {
  const names = [...list.matchAll(/"((?:[^"]|"")*)"|[^,\s"]+/g)].map(([whole, quoted]) => quoted ?? whole)
  return names.length === 0 ? [''] : names.map((name) => name.replaceAll('""', '"'))
}
