import type { RunContext } from '../context.js'
import type { ServerAddress } from '../database/address.js'
import type { Sql } from '../database/connect.js'
import { quoteIdentifier } from '../database/quote.js'
import { ObsError, UsageError } from '../errors.js'
import { renameDatabase, withMaintenance } from './restore-target.js'
import { datedName, isDatedName, refuseImpossibleSwap, swapDatabases } from './swap-databases.js'

export interface SwapResult {
  readonly database: string
  /** The database that has this name now. */
  readonly was: string
  /** What was called so before; null when there was none. */
  readonly kept: string | null
}

/**
 * Lets the database `name` take the place of the one that `to` names, which is kept under another name.
 *
 * @param confirm is told how many sessions will be ended; throws when a person refuses.
 * @throws UsageError when there is no database `name`, or it cannot be done; nothing was changed.
 */
export async function putInPlace(
  to: ServerAddress,
  name: string,
  confirm: (facts: { readonly sessions: number; readonly kept: string | null }) => Promise<void>,
  context: RunContext,
): Promise<SwapResult> {
  const live = to.database
  const found = await withMaintenance(to, context, async (database) => {
    const there = await sessionsByDatabase(database.sql, [live, name])
    if (!there.has(name) || name === live) throw unknownDatabase(name)
    await refuseImpossibleSwap(database, name)
    await refuseImpossibleSwap(database, live)
    return there
  })
  const kept = found.has(live) ? datedName(live, 'replaced', new Date()) : null
  await confirm({ sessions: (found.get(live) ?? 0) + (found.get(name) ?? 0), kept })
  if (kept === null) await withMaintenance(to, context, ({ sql }) => renameDatabase(sql, name, live))
  else await swapDatabases(to, { live, fresh: name, kept }, context)
  return { database: live, was: name, kept }
}

/** Client sessions of those of the databases that exist. */
export async function sessionsByDatabase(sql: Sql, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const rows = await sql<{ name: string; sessions: number }[]>`
    select datname as name,
           (select count(*) from pg_stat_activity a
            where a.datname = d.datname and backend_type = 'client backend') as sessions
    from pg_database d where datname = any(${[...names]})`
  return new Map(rows.map((row) => [row.name, row.sessions]))
}

/** A database that obs made beside another one, or put aside. */
export interface KeptDatabase {
  readonly name: string
  readonly bytes: number
}

/** The databases that `discardDatabase` would drop, by name. */
export function keptDatabases(to: ServerAddress, context: RunContext): Promise<readonly KeptDatabase[]> {
  return withMaintenance(to, context, async ({ sql }) => {
    const rows = await sql<KeptDatabase[]>`
      select datname as name,
             case when has_database_privilege(oid, 'connect') then pg_database_size(oid) else 0 end as bytes
      from pg_database where pg_has_role(datdba, 'usage') order by datname`
    return rows.filter(({ name }) => isDatedName(name))
  })
}

/**
 * Drops a database that a restore made beside another one or put aside; no other can be dropped with it.
 *
 * @throws UsageError when it is not one of those; ObsError `in_use` while somebody is connected to it.
 */
export async function discardDatabase(
  to: ServerAddress,
  name: string,
  confirm: (database: KeptDatabase) => Promise<void>,
  context: RunContext,
): Promise<void> {
  const candidates = await keptDatabases(to, context)
  const chosen = candidates.find((one) => one.name === name)
  if (!chosen || name === to.database) throw notKept(name, candidates)
  await confirm(chosen)
  await withMaintenance(to, context, async ({ sql }) => {
    const sessions = (await sessionsByDatabase(sql, [name])).get(name)
    if (sessions) throw inUse(name, sessions)
    await sql.unsafe(`drop database ${quoteIdentifier(name)}`)
  })
}

function unknownDatabase(name: string): UsageError {
  return new UsageError(`there is no other database ${JSON.stringify(name)} on this server`, {
    code: 'unknown_database',
    hint: 'obs backup discard lists what restores have kept; nothing was changed.',
    details: { database: name },
  })
}

function notKept(name: string, candidates: readonly KeptDatabase[]): UsageError {
  const names = candidates.map((one) => one.name)
  return new UsageError(`${JSON.stringify(name)} is not a database that a restore made or put aside`, {
    code: 'not_kept',
    hint:
      names.length === 0
        ? 'There is none on this server; nothing was changed.'
        : `Name one of ${names.join(', ')}; nothing was changed.`,
    details: { database: name, kept: names },
  })
}

function inUse(database: string, sessions: number): ObsError {
  return new ObsError(`${JSON.stringify(database)} is in use by ${sessions} sessions`, {
    code: 'in_use',
    hint: 'End them, or find out who still works with it; nothing was changed.',
    details: { database, sessions },
  })
}
