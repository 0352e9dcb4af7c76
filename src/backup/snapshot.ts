import { type Session, type Sql, withSession, withTransaction } from '../database/connect.js'
import { quoteLiteral } from '../database/quote.js'

/** Settings under which values are written to and read from a backup, whatever the server's defaults. */
export const copySettings: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  xmloption: 'content',
  // Values of type money are written with the currency of a locale.
  lc_monetary: 'C',
}

/** Settings that would end a long run early; a server may not know all of them. */
const timeouts = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout']

/** Gives `session` the settings of a backup until its transaction ends. */
export async function applyCopySettings(session: Session): Promise<void> {
  const values = Object.entries(copySettings)
  await session.unsafe(
    `select ${values.map(([name, value]) => `set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, true)`).join(', ')}`,
  )
  await session`select set_config(name, '0', true) from pg_settings where name = any(${timeouts})`
}

/** A view of the database that does not move, and the name under which others can share it. */
export interface Snapshot {
  readonly session: Session
  readonly name: string
}

/**
 * Runs `work` on a session that sees the database as it is now, whatever others write meanwhile.
 *
 * The session holds the snapshot open for pg_dump too. With row security off, the server
 * refuses a table of which the role sees only some rows, rather than copying those.
 */
export async function withSnapshot<T>(sql: Sql, work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  return withSession(sql, (session) =>
    withTransaction(
      session,
      async () => {
        await applyCopySettings(session)
        await session`select set_config('row_security', 'off', true), set_config('synchronize_seqscans', 'off', true)`
        const [row] = await session<{ name: string }[]>`select pg_export_snapshot() as name`
        return work({ session, name: row?.name ?? '' })
      },
      'begin isolation level repeatable read, read only',
    ),
  )
}
