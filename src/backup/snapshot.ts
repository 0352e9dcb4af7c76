import { type Session, type Sql, withSession, withTransaction } from '../database/connect.js'
import { quoteLiteral, quoteQualified } from '../database/quote.js'
import { codeOf } from '../errors.js'
import { listLockable, type RelationKey } from './inventory.js'

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

/** Gives `session` the settings of a backup: until its transaction ends, or for as long as it lives. */
export async function applyCopySettings(session: Session, until: 'transaction' | 'session'): Promise<void> {
  const local = until === 'transaction'
  const values = Object.entries(copySettings).map(
    ([name, value]) => `set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, ${local})`,
  )
  await session.unsafe(`select ${values.join(', ')}`)
  await session`select set_config(name, '0', ${local}) from pg_settings where name = any(${timeouts})`
}

/**
 * Gives the session what reading for a backup takes. With row security off, the server refuses a
 * table of which the role sees only some rows, rather than copying those.
 */
export async function applyReadSettings(session: Session): Promise<void> {
  await applyCopySettings(session, 'transaction')
  await session`select set_config('row_security', 'off', true), set_config('synchronize_seqscans', 'off', true)`
}

/** A view of the database that does not move, and the name under which others can share it. */
export interface Snapshot {
  /** Holds every table of the database against changes of its definition. */
  readonly session: Session
  readonly name: string
}

const readOnly = 'begin isolation level repeatable read, read only'

/**
 * Runs `work` on a session that sees the database as it is now, whatever others write meanwhile.
 *
 * Every table is locked before the snapshot is taken, which `LOCK TABLE` alone can do. The other way
 * about, a table that somebody truncates or rewrites in between is empty to the snapshot.
 * https://www.postgresql.org/docs/current/mvcc-caveats.html
 */
export async function withSnapshot<T>(sql: Sql, work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  return withSession(sql, async (session) => {
    for (let attempt = 1; ; attempt++) {
      const tables = await listLockable(session)
      const outcome = await withTransaction(
        session,
        async () => {
          if (!(await lockTables(session, tables, attempt < attempts))) return undefined
          await applyReadSettings(session)
          const [row] = await session<{ name: string }[]>`select pg_export_snapshot() as name`
          await lockTables(session, newcomers(tables, await listLockable(session)), false)
          return { result: await work({ session, name: row?.name ?? '' }) }
        },
        readOnly,
      )
      if (outcome) return outcome.result
    }
  })
}

/** How often the tables are listed again because one was dropped before it could be locked. */
const attempts = 5

/** Reading and writing rows goes on. False when a table is gone and that is `forgiven`. */
async function lockTables(session: Session, tables: readonly RelationKey[], forgiven: boolean): Promise<boolean> {
  if (tables.length === 0) return true
  const names = tables.map(({ schema, name }) => quoteQualified(schema, name))
  try {
    await session.unsafe(`lock table only ${names.join(', only ')} in access share mode`)
    return true
  } catch (error) {
    const gone = codeOf(error) === '42P01' || codeOf(error) === '3F000'
    if (gone && forgiven) return false
    throw error
  }
}

/** Tables that came to be while the others were being locked. */
function newcomers(before: readonly RelationKey[], now: readonly RelationKey[]): readonly RelationKey[] {
  const known = new Set(before.map(({ oid }) => oid))
  return now.filter(({ oid }) => !known.has(oid))
}

/**
 * Runs `work` on another session that sees exactly what the snapshot does, with `tables` locked.
 *
 * Nothing is waited for: whoever wants to change a table waits for the snapshot's own session, and
 * would be waited for here without end. Undefined when somebody does.
 * https://www.postgresql.org/docs/current/sql-set-transaction.html
 */
export async function inSnapshot<T>(
  session: Session,
  { name }: Snapshot,
  tables: readonly RelationKey[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  return withTransaction(
    session,
    async () => {
      await session.unsafe(`set transaction snapshot ${quoteLiteral(name)}`)
      if (!(await lockAtOnce(session, tables))) return undefined
      await applyReadSettings(session)
      return work()
    },
    readOnly,
  )
}

async function lockAtOnce(session: Session, tables: readonly RelationKey[]): Promise<boolean> {
  const names = tables.map((table) => quoteQualified(table.schema, table.name))
  try {
    await session.unsafe(`lock table only ${names.join(', only ')} in access share mode nowait`)
    return true
  } catch (error) {
    if (codeOf(error) === '55P03') return false
    throw error
  }
}
