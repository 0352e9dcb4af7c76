import type { Session } from '../../database/connect.js'
import { quoteIdentifier } from '../../database/quote.js'
import { codeOf, ObsError } from '../../errors.js'

/** A schema that obs needs, and what for. */
export interface NeededSchema {
  readonly schema: string
  /** `the migration history`. */
  readonly purpose: string
  /** Where another can be named. */
  readonly setting: string
}

/** insufficient_privilege; https://www.postgresql.org/docs/current/errcodes-appendix.html */
const notAllowed = '42501'

/**
 * Runs `work`, which makes a schema or a table in it.
 *
 * @throws ObsError naming the schema and the ways out when the role may not.
 */
export async function makingIn<T>(session: Session, needed: NeededSchema, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (codeOf(cause) !== notAllowed) throw cause
    throw await mayNot(session, needed, cause)
  }
}

async function mayNot(session: Session, { schema, purpose, setting }: NeededSchema, cause: unknown): Promise<ObsError> {
  const [row] = await session<{ role: string; exists: boolean }[]>`
    select current_user as role, exists (select from pg_namespace where nspname = ${schema}) as exists`
  const role = row?.role ?? ''
  const what = row?.exists
    ? `create tables in the schema ${quoteIdentifier(schema)}`
    : `create the schema ${quoteIdentifier(schema)}`
  const grant = row?.exists
    ? `grant create, usage on schema ${quoteIdentifier(schema)} to ${quoteIdentifier(role)}`
    : `create schema ${quoteIdentifier(schema)} authorization ${quoteIdentifier(role)}`
  return new ObsError(`the role ${JSON.stringify(role)} may not ${what} for ${purpose}`, {
    code: 'permission_denied',
    cause,
    hint: `Name a schema that it may use with ${setting}, or have somebody run ${grant}; nothing was changed.`,
    details: { role, schema },
  })
}
