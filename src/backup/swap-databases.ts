import type { RunContext } from '../context.js'
import { type ServerAddress, withDatabaseName } from '../database/address.js'
import {
  type Database,
  finishFirst,
  type Session,
  type Sql,
  withSession,
  withTransaction,
} from '../database/connect.js'
import { quoteIdentifier } from '../database/quote.js'
import { codeOf, ObsError, UsageError } from '../errors.js'
import { withMaintenance } from './restore-target.js'

/** Milliseconds that the swap waits for sessions that somebody else is just opening or ending. */
const patience = 10_000

/** What a swap does to names: `fresh` becomes `live`, and what was `live` becomes `kept`. */
export interface Swap {
  readonly live: string
  readonly fresh: string
  readonly kept: string
}

/**
 * Lets one database take the place of another, by name.
 *
 * Both renames are one transaction: whatever happens, either both databases have their new names or
 * neither. The first rename locks the database against new connections, and while it waits for the
 * sessions that are there, those are ended; so nobody is kept out for longer than it takes to end them.
 *
 * @throws ObsError `cannot_swap` with both databases under their old names.
 */
export async function swapDatabases(to: ServerAddress, swap: Swap, context: RunContext): Promise<void> {
  const elsewhere = withDatabaseName(to, swap.live)
  await withMaintenance(
    elsewhere,
    context,
    async ({ sql }) => {
      await withSession(sql, (session) => finishFirst(session, () => renameBoth(session, sql, swap)))
    },
    2,
  )
}

async function renameBoth(session: Session, sql: Sql, { live, fresh, kept }: Swap): Promise<void> {
  try {
    await withTransaction(session, async () => {
      await session.unsafe(`set local lock_timeout to ${patience}`)
      await endingSessions(sql, live, renaming(session, live, kept))
      await endingSessions(sql, fresh, renaming(session, fresh, live))
    })
  } catch (error) {
    if (codeOf(error) === '' || error instanceof ObsError) throw error
    throw cannotSwap({ live, fresh, kept }, error)
  }
}

function renaming(session: Session, from: string, to: string): Promise<unknown> {
  return session.unsafe(`alter database ${quoteIdentifier(from)} rename to ${quoteIdentifier(to)}`)
}

/** Ends the sessions of a database until `rename` is over: the server waits five seconds for them to go. */
async function endingSessions(sql: Sql, database: string, rename: Promise<unknown>): Promise<void> {
  let over = false
  const renamed = rename.finally(() => {
    over = true
  })
  const ended = (async () => {
    while (!over) {
      await sql`
        select pg_terminate_backend(pid, 200) from pg_stat_activity
        where datname = ${database} and pid <> pg_backend_pid()`
    }
  })()
  await Promise.allSettled([renamed, ended])
  await renamed
  await ended
}

function cannotSwap({ live, fresh }: Swap, cause: unknown): ObsError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new ObsError(`${JSON.stringify(fresh)} could not take the place of ${JSON.stringify(live)}: ${reason}`, {
    code: 'cannot_swap',
    hint: 'Both databases are as they were. End what keeps them busy and try again.',
    cause,
    details: { live, fresh, reason },
  })
}

/**
 * Finds out before a long restore what would stop the swap at its end.
 *
 * @throws UsageError naming all of it; nothing was changed.
 */
export async function refuseImpossibleSwap({ sql }: Database, live: string): Promise<void> {
  const [row] = await sql<{ owns: boolean; creates: boolean; prepared: string[]; foreign: string[] }[]>`
    select pg_has_role(d.datdba, 'usage') as owns,
           (select rolcreatedb or rolsuper from pg_roles where rolname = current_user) as creates,
           array(select gid from pg_prepared_xacts where database = d.datname) as prepared,
           array(select distinct usename::text from pg_stat_activity a
                 where a.datname = d.datname and a.usename is not null
                   and not pg_has_role(a.usesysid, 'usage')
                   and not pg_has_role('pg_signal_backend', 'usage')) as foreign
    from pg_database d where datname = ${live}`
  if (!row) return
  const obstacles = [
    ...(row.owns ? [] : ['the role does not own it']),
    ...(row.creates ? [] : ['the role may not create databases']),
    ...(row.prepared.length > 0 ? [`it has prepared transactions (${row.prepared.join(', ')})`] : []),
    ...(row.foreign.length > 0 ? [`the role may not end the sessions of ${row.foreign.join(', ')}`] : []),
  ]
  if (obstacles.length === 0) return
  throw new UsageError(`the database ${JSON.stringify(live)} cannot be replaced: ${obstacles.join(', and ')}`, {
    code: 'cannot_replace',
    hint: 'Connect as its owner with the right to create databases, or restore into a new one with --to; nothing was changed.',
    details: { database: live, obstacles },
  })
}

/** Longest name of a database, in bytes. */
const longestName = 63

/**
 * The name of a database with the time in it, as long as PostgreSQL lets names be: `traces_replaced_20261122T093015Z`.
 */
export function datedName(database: string, what: 'replaced' | 'restored', now: Date): string {
  const ending = `_${what}_${now.toISOString().replace(/[-:]|\.\d+/g, '')}`
  let head = database
  while (Buffer.byteLength(head + ending) > longestName) head = [...head].slice(0, -1).join('')
  return head + ending
}

/** Whether a name was given by `datedName`: a database that obs made or put aside. */
export function isDatedName(name: string): boolean {
  return /_(replaced|restored)_\d{8}T\d{6}Z$/.test(name)
}
