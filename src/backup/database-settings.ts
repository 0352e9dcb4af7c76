import { z } from 'zod'
import type { Session } from '../database/connect.js'
import { quoteIdentifier, quoteLiteral } from '../database/quote.js'
import type { ArchiveReader } from './archive-reader.js'
import type { Manifest } from './manifest.js'

/** What belongs to a database as a whole, which pg_dump leaves out: a JSON object. */
export const databaseSettingsName = 'database.json'

const schema = z.strictObject({
  comment: z.string().nullable(),
  /** `alter database … set` and, with a role, `alter role … in database … set`. */
  settings: z.array(z.strictObject({ role: z.string().nullable(), name: z.string(), value: z.string() })),
  /** Null while nobody was granted or denied anything. */
  grants: z
    .array(z.strictObject({ role: z.string().nullable(), privilege: z.string(), grantable: z.boolean() }))
    .nullable(),
})

export type DatabaseSettings = z.infer<typeof schema>

/** Reads comment, settings and grants of the session's own database; its owner is whoever restores it. */
export async function readDatabaseSettings(session: Session): Promise<DatabaseSettings> {
  const [row] = await session<DatabaseSettings[]>`
    select shobj_description(d.oid, 'pg_database') as comment,
           (select coalesce(jsonb_agg(jsonb_build_object(
                     'role', r.rolname, 'name', split_part(entry, '=', 1), 'value', substr(entry, strpos(entry, '=') + 1))
                   order by r.rolname nulls first, entry), '[]')
            from pg_db_role_setting s cross join lateral unnest(s.setconfig) as entry left join pg_roles r on r.oid = s.setrole
            where s.setdatabase = d.oid) as settings,
           (select jsonb_agg(jsonb_build_object('role', r.rolname, 'privilege', a.privilege_type, 'grantable', a.is_grantable)
                             order by r.rolname nulls first, a.privilege_type)
            from aclexplode(d.datacl) a left join pg_roles r on r.oid = a.grantee
            where a.grantee <> d.datdba) as grants
    from pg_database d where d.datname = current_database()`
  return schema.parse(row)
}

/** A statement about a database, and whether it speaks of roles. */
export interface SettingStatement {
  readonly sql: string
  readonly aboutRoles: boolean
  /** What it sets, for a person. */
  readonly subject: string
}

/** What gives a database those settings; `name` is written as SQL wants it. */
export function settingStatements(name: string, settings: DatabaseSettings): readonly SettingStatement[] {
  const database = `database ${name}`
  const grant = (sql: string): SettingStatement => ({ sql, aboutRoles: true, subject: 'a grant on the database' })
  return [
    ...(settings.comment === null
      ? []
      : [
          {
            sql: `comment on ${database} is ${quoteLiteral(settings.comment)}`,
            aboutRoles: false,
            subject: 'the comment on the database',
          },
        ]),
    ...settings.settings.map(({ role, name: setting, value }) => ({
      sql:
        role === null
          ? `alter ${database} set ${quoteIdentifier(setting)} to ${settingValue(setting, value)}`
          : `alter role ${quoteIdentifier(role)} in ${database} set ${quoteIdentifier(setting)} to ${settingValue(setting, value)}`,
      aboutRoles: role !== null,
      subject: `the setting ${setting}`,
    })),
    ...(settings.grants === null ? [] : [grant(`revoke all on ${database} from public`)]),
    ...(settings.grants ?? []).map(({ role, privilege, grantable }) =>
      grant(
        `grant ${privilege} on ${database} to ${role === null ? 'public' : quoteIdentifier(role)}${grantable ? ' with grant option' : ''}`,
      ),
    ),
  ]
}

/**
 * The settings that are lists of names, each quoted on its own: GUC_LIST_QUOTE in
 * https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/misc/guc_tables.c
 */
const lists = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
])

function settingValue(name: string, value: string): string {
  if (!lists.has(name.toLowerCase())) return quoteLiteral(value)
  const names = [...value.matchAll(/\s*("(?:[^"]|"")*"|[^",][^,]*)\s*(?:,|$)/g)].map(([, item = '']) => unquoted(item.trim()))
  return names.length === 0 ? "''" : names.map(quoteLiteral).join(', ')
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase()
}

/** The settings that a backup carries; none in those of obs 0.1. */
export async function settingsIn(archive: ArchiveReader, manifest: Manifest): Promise<DatabaseSettings | undefined> {
  const present = manifest.files.some(({ path }) => path.startsWith(databaseSettingsName))
  return present ? schema.parse(JSON.parse(await archive.text(databaseSettingsName))) : undefined
}
