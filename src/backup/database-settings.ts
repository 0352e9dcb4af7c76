import { z } from 'zod'
import type { RunContext } from '../context.js'
import type { Session, Sql } from '../database/connect.js'
import { quoteIdentifier, quoteLiteral } from '../database/quote.js'
import { codeOf } from '../errors.js'
import type { ArchiveReader } from './archive-reader.js'
import { grantStatement, readTraits, settingStatement } from './database-traits.js'
import type { Manifest } from './manifest.js'

/** What belongs to a database as a whole, which pg_dump leaves out: a JSON object. */
export const databaseSettingsName = 'database.json'

const schema = z.strictObject({
  comment: z.string().nullable(),
  /** `alter database … set` and, with a role, `alter role … in database … set`. */
  settings: z.array(z.strictObject({ role: z.string().nullable(), name: z.string(), value: z.string() })),
  /** Null while nobody was granted or denied anything. */
  grants: z
    .array(z.strictObject({ grantee: z.string().nullable(), privilege: z.string(), grantable: z.boolean() }))
    .nullable(),
})

export type DatabaseSettings = z.infer<typeof schema>

/** Reads comment, settings and grants of a database; its owner is whoever restores it. */
export async function readDatabaseSettings(session: Session, database: string): Promise<DatabaseSettings> {
  const { comment, settings, grants, owner } = await readTraits(session, database)
  return schema.parse({ comment, settings, grants: grants?.filter(({ grantee }) => grantee !== owner) ?? null })
}

interface SettingStatement {
  readonly sql: string
  readonly aboutRoles: boolean
}

/** What gives a database those settings; `database` is its name as SQL wants it. */
export function settingStatements(
  database: string,
  { comment, settings, grants }: DatabaseSettings,
): SettingStatement[] {
  const whole = (sql: string): SettingStatement => ({ sql, aboutRoles: false })
  const ofRole = (sql: string): SettingStatement => ({ sql, aboutRoles: true })
  return [
    ...(comment === null ? [] : [whole(`comment on database ${database} is ${quoteLiteral(comment)}`)]),
    ...settings.map((setting) => {
      const sql = settingStatement(setting, database)
      return setting.role === null ? whole(sql) : ofRole(sql)
    }),
    ...(grants === null ? [] : [ofRole(`revoke all on database ${database} from public`)]),
    ...(grants ?? []).map((grant) => ofRole(grantStatement(grant, database))),
  ]
}

/**
 * Gives the restored database the settings of the one that was backed up. What the role may not set, or
 * the server does not know, is named in a warning: the rows are worth more.
 */
export async function restoreSettings(
  sql: Sql,
  database: string,
  {
    archive,
    manifest,
    noOwner,
  }: { readonly archive: ArchiveReader; readonly manifest: Manifest; readonly noOwner: boolean },
  { progress }: RunContext,
): Promise<void> {
  if (!manifest.files.some(({ path }) => path.startsWith(databaseSettingsName))) return
  const settings = schema.parse(JSON.parse(await archive.text(databaseSettingsName)))
  for (const { sql: statement, aboutRoles } of settingStatements(quoteIdentifier(database), settings)) {
    if (aboutRoles && noOwner) continue
    await sql.unsafe(statement).catch((error: unknown) => {
      if (!refusals.has(codeOf(error))) throw error
      progress.warn(`not carried over (${error instanceof Error ? error.message : error}): ${statement}`)
    })
  }
}

/** No right, no such setting, no such value, no such role. */
const refusals = new Set(['42501', '42704', '22023'])
