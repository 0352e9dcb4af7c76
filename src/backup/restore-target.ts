import { randomBytes } from 'node:crypto'
import { quietContext, type RunContext } from '../context.js'
import { type ServerAddress, withDatabaseName } from '../database/address.js'
import {
  type Database,
  type Session,
  type Sql,
  throwIfAborted,
  withDatabase,
  withSession,
} from '../database/connect.js'
import { quoteIdentifier, quoteLiteral } from '../database/quote.js'
import { codeOf, ObsError, UsageError } from '../errors.js'
import type { ManifestDatabase } from './manifest.js'

const restoring = {
  purpose: 'restore',
  ifLost: 'Check the server and restore again; a half restored database never has the name of the target.',
} as const

/** Runs `work` in the database `to`; undefined when there is no such database. */
export async function withExistingDatabase<T>(
  to: ServerAddress,
  context: RunContext,
  work: (database: Database) => Promise<T>,
): Promise<T | undefined> {
  if (!(await databaseExists(to, context))) return undefined
  return withDatabase(to, context, work, { connections: 2, ...restoring })
}

async function databaseExists(to: ServerAddress, context: RunContext): Promise<boolean> {
  try {
    return await withDatabase(to, context, async () => true, { connections: 1, ...restoring })
  } catch (error) {
    if (error instanceof ObsError && error.code === 'unknown_database') return false
    throw error
  }
}

/** Runs `work` in the server's maintenance database: `postgres`, else `template1`; never in the one that `to` names. */
export async function withMaintenance<T>(
  to: ServerAddress,
  context: RunContext,
  work: (database: Database) => Promise<T>,
  connections = 1,
): Promise<T> {
  const usual = withDatabaseName(to, 'postgres')
  const isUsable = to.database !== 'postgres' && (await databaseExists(usual, context))
  const address = isUsable ? usual : withDatabaseName(to, 'template1')
  return withDatabase(address, context, work, { connections, ...restoring })
}

/**
 * Makes a database under a temporary name, lets `work` fill and check it, and then `place` gives it a name
 * that people use: by default that of `to`. When anything fails it is dropped, so the wanted name only ever
 * means a whole database. What runs that were killed left behind is dropped first.
 */
export async function withNewDatabase<T>(
  to: ServerAddress,
  like: ManifestDatabase,
  context: RunContext,
  work: (database: Database) => Promise<T>,
  place: (temporary: string) => Promise<void> = (temporary) => nameIt(to, temporary, context),
): Promise<T> {
  return withMaintenance(
    to,
    context,
    ({ sql, platform }) =>
      withLease(sql, context, async (temporary) => {
        try {
          await createLike(sql, temporary, like, platform.serverVersion, context.progress)
          const result = await withDatabase(withDatabaseName(to, temporary), context, work, {
            connections: 2,
            ...restoring,
          })
          throwIfAborted(context.signal)
          await place(temporary)
          return result
        } catch (error) {
          await dropDatabase(to, temporary, context)
          throw error
        }
      }),
    2,
  )
}

function nameIt(to: ServerAddress, temporary: string, context: RunContext): Promise<void> {
  return withMaintenance(to, context, ({ sql }) => renameDatabase(sql, temporary, to.database))
}

/** Begins the name of every database that is being filled. */
const temporaryPrefix = 'obs_restore_'
/** Any number that is the same for every run; the second key of the lock is the number in the name. */
const leaseKey = 1_402_773_915

/**
 * Gives `work` a name for a database, and holds a lock that says that somebody is at work on it: the
 * server lets go of it when this process dies, and then the next restore knows that it may be dropped.
 */
async function withLease<T>(sql: Sql, context: RunContext, work: (name: string) => Promise<T>): Promise<T> {
  const number = randomBytes(4).readInt32BE()
  const name = `${temporaryPrefix}${(number >>> 0).toString(16).padStart(8, '0')}`
  return withSession(sql, async (session) => {
    await dropAbandoned(session, context)
    await session`select pg_advisory_lock(${leaseKey}::int, ${number}::int)`
    return work(name)
  })
}

async function dropAbandoned(session: Session, { progress }: RunContext): Promise<void> {
  const rows = await session<{ name: string }[]>`
    select datname as name from pg_database
    where datname ~ ${`^${temporaryPrefix}[0-9a-f]{8}$`} and pg_has_role(datdba, 'usage')`
  for (const { name } of rows) {
    const number = Number.parseInt(name.slice(temporaryPrefix.length), 16) | 0
    const [row] = await session<{ free: boolean }[]>`
      select pg_try_advisory_lock(${leaseKey}::int, ${number}::int) as free`
    if (!row?.free) continue
    // Not with force: a pg_restore whose obs was killed may still be at work, and is left to end.
    const dropped = await session.unsafe(`drop database if exists ${quoteIdentifier(name)}`).then(
      () => true,
      () => false,
    )
    await session`select pg_advisory_unlock(${leaseKey}::int, ${number}::int)`
    if (dropped) progress.warn(`removed what an earlier restore left unfinished: ${name}`)
  }
}

/** A database of template0, with encoding and locale of the one that was backed up where the server has them. */
async function createLike(
  sql: Sql,
  name: string,
  like: ManifestDatabase,
  serverVersion: number,
  progress: RunContext['progress'],
): Promise<void> {
  const create = `create database ${quoteIdentifier(name)} template template0 encoding ${quoteLiteral(like.encoding)}`
  try {
    await sql.unsafe(`${create} ${localeClause(like, serverVersion)}`)
  } catch (error) {
    if (!isUnknownLocale(error)) throw error
    progress.warn(
      `the server does not have the locale ${like.locale ?? like.collate}; its own is used, so texts may sort differently`,
    )
    await sql.unsafe(create)
  }
}

function localeClause(like: ManifestDatabase, serverVersion: number): string {
  const libc = `lc_collate ${quoteLiteral(like.collate)} lc_ctype ${quoteLiteral(like.ctype)}`
  if (like.locale_provider === 'i' && like.locale)
    return `${libc} locale_provider icu icu_locale ${quoteLiteral(like.locale)}`
  if (like.locale_provider === 'b' && like.locale) {
    return `${libc} locale_provider builtin builtin_locale ${quoteLiteral(like.locale)}`
  }
  return serverVersion >= 150_000 ? `${libc} locale_provider libc` : libc
}

/** Not a locale of this server, or not one that fits the encoding, or a provider it does not know. */
function isUnknownLocale(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === '42809' || code === '22023' || code === '42601' || code === '0A000'
}

/** @throws UsageError when there is a database of that name. */
export async function renameDatabase(sql: Sql, from: string, to: string): Promise<void> {
  try {
    await sql.unsafe(`alter database ${quoteIdentifier(from)} rename to ${quoteIdentifier(to)}`)
  } catch (error) {
    if (codeOf(error) !== '42P04') throw error
    throw new UsageError(`a database ${JSON.stringify(to)} was made while the backup was being restored`, {
      code: 'target_exists',
      hint: 'Name another database with --to; the other one was left as it is.',
      cause: error,
    })
  }
}

/** The clean-up after a failure, also after Ctrl-C: with a context of its own. What it meets hides no other error. */
export async function dropDatabase(to: ServerAddress, name: string, context: RunContext): Promise<void> {
  const quiet = quietContext()
  await withMaintenance(to, quiet, ({ sql }) =>
    sql.unsafe(`drop database if exists ${quoteIdentifier(name)} with (force)`),
  ).catch(() => context.progress.warn(`the unfinished database ${name} could not be dropped: drop database ${name}`))
}

/** Objects a person or a program put into the database, by name; at most five. */
export async function contentsOf(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    with space as (
      select oid, nspname from pg_namespace n
      where nspname !~ '^pg_' and nspname <> 'information_schema'
        and not exists (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid
                        and d.deptype = 'e')),
    own as (
      select format('%I.%I', s.nspname, c.relname) as name, c.oid, 'pg_class'::regclass as catalog
      from pg_class c join space s on s.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
      union all
      select p.oid::regprocedure::text, p.oid, 'pg_proc'::regclass
      from pg_proc p join space s on s.oid = p.pronamespace
      union all
      select t.oid::regtype::text, t.oid, 'pg_type'::regclass
      from pg_type t join space s on s.oid = t.typnamespace where t.typtype in ('d', 'e', 'r')
      union all
      select 'the schema ' || nspname, oid, 'pg_namespace'::regclass from space where nspname <> 'public')
    select name from own
    where not exists (select from pg_depend d where d.classid = own.catalog and d.objid = own.oid and d.deptype = 'e')
    order by name limit 5`
  return rows.map(({ name }) => name)
}
