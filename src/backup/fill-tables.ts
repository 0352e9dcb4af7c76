import type { RunContext } from '../context.js'
import { type Database, type Session, withSession, withTransaction } from '../database/connect.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'
import { UsageError } from '../errors.js'
import { setvalStatement } from './built-in.js'
import { checkRestored } from './check-restored.js'
import { loadTables } from './copy-in.js'
import type { ManifestTable } from './manifest.js'
import { loadNative } from './restore-native.js'
import type { RestorePlan } from './restore-plan.js'
import { runInOrder } from './run-statements.js'
import { applyCopySettings } from './snapshot.js'

/**
 * Brings rows back into tables that exist and are empty, and checks them, in one transaction.
 *
 * Foreign keys are taken away and made again, so that the order of the tables does not matter and every
 * row is held against them at the end; triggers of the user's own are off meanwhile, because what they
 * would do is in the backup already.
 *
 * @throws UsageError when a table is missing, holds rows or lacks a column; ObsError when a row does not
 * fit. Either way the tables are as they were.
 */
export async function fillTables(plan: RestorePlan, { sql, platform }: Database, context: RunContext): Promise<void> {
  const { archive, manifest, tables, sequences } = plan
  await withSession(sql, (session) =>
    withTransaction(session, async () => {
      // First of all: without a search path the server writes out the schema of every table in a key.
      await applyCopySettings(session, 'transaction')
      await refuseUnfit(session, tables)
      context.progress.step('restoring rows')
      const keys = await foreignKeys(session, tables)
      const triggers = await userTriggers(session, tables)
      await run(
        session,
        keys.map(({ table, name }) => `alter table ${table} drop constraint ${name}`),
        context,
      )
      await run(
        session,
        triggers.map(({ table, name }) => `alter table ${table} disable trigger ${name}`),
        context,
      )
      await (plan.engine === 'native'
        ? loadNative(session, plan, context)
        : loadTables([session], archive, manifest.files, tables, context))
      const own = sequences.length === 0 ? [] : await sequencesThere(session, plan)
      await run(
        session,
        own.map((sequence) => setvalStatement(sequence)),
        context,
      )
      await run(
        session,
        triggers.map(({ table, name, mode }) => `alter table ${table} enable ${mode}trigger ${name}`),
        context,
      )
      await run(
        session,
        keys.map(({ table, name, text }) => `alter table ${table} add constraint ${name} ${text}`),
        context,
      )
      await checkRestored([session], plan, platform, context)
    }),
  )
}

function run(session: Session, statements: readonly string[], context: RunContext): Promise<void> {
  return runInOrder(
    session,
    statements.map((sql) => ({ sql })),
    context,
  )
}

/** Names everything that does not fit at once. */
async function refuseUnfit(session: Session, tables: readonly ManifestTable[]): Promise<void> {
  const problems: string[] = []
  for (const { schema, name, columns } of tables) {
    const table = quoteQualified(schema, name)
    const rows = await session<{ column: string }[]>`
      select attname as column from pg_attribute
      where attrelid = to_regclass(${table}) and attnum > 0 and not attisdropped`
    const there = new Set(rows.map(({ column }) => column))
    const missing = columns.filter((column) => !there.has(column))
    if (there.size === 0) problems.push(`${schema}.${name} does not exist`)
    else if (missing.length > 0) problems.push(`${schema}.${name} has no column ${missing.join(', ')}`)
    else {
      await session.unsafe(`lock table only ${table} in access exclusive mode`)
      const [row] = await session.unsafe<{ holds: boolean }[]>(`select exists (select from only ${table}) as holds`)
      if (row?.holds) problems.push(`${schema}.${name} holds rows`)
    }
  }
  if (problems.length === 0) return
  throw new UsageError(`the rows cannot be brought back: ${problems.join('; ')}`, {
    code: 'target_unfit',
    hint: 'Empty or make the tables first, choose others with --table, or restore beside with --to; nothing was changed.',
    details: { problems },
  })
}

/** Foreign keys of the tables, or of the partitioned tables they are part of. */
async function foreignKeys(session: Session, tables: readonly ManifestTable[]) {
  const rows = await session<{ schema: string; table: string; name: string; text: string }[]>`
    with recursive own as (
      select k.oid, k.conparentid from pg_constraint k
      where k.contype = 'f' and k.conrelid = any(${namesOf(tables)}::text[]::regclass[])
      union
      select p.oid, p.conparentid from own join pg_constraint p on p.oid = own.conparentid)
    select n.nspname as schema, c.relname as table, k.conname as name, pg_get_constraintdef(k.oid) as text
    from own join pg_constraint k on k.oid = own.oid and k.conparentid = 0
    join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
    order by k.oid`
  return rows.map(({ schema, table, name, text }) => ({
    table: quoteQualified(schema, table),
    name: quoteIdentifier(name),
    text,
  }))
}

const modes: Readonly<Record<string, string>> = { O: '', R: 'replica ', A: 'always ' }

async function userTriggers(session: Session, tables: readonly ManifestTable[]) {
  const rows = await session<{ schema: string; table: string; name: string; mode: string }[]>`
    select n.nspname as schema, c.relname as table, t.tgname as name, t.tgenabled as mode
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
    where t.tgrelid = any(${namesOf(tables)}::text[]::regclass[]) and not t.tgisinternal and t.tgenabled <> 'D'`
  return rows.map(({ schema, table, name, mode }) => ({
    table: quoteQualified(schema, table),
    name: quoteIdentifier(name),
    mode: modes[mode] ?? '',
  }))
}

function namesOf(tables: readonly ManifestTable[]): string[] {
  return tables.map(({ schema, name }) => quoteQualified(schema, name))
}

/** The sequences that belong to columns of the tables; with all tables, all of them that exist. */
async function sequencesThere(session: Session, { sequences, tables, manifest }: RestorePlan) {
  const all = tables.length === manifest.tables.length
  const rows = await session<{ schema: string; name: string }[]>`
    select n.nspname as schema, s.relname as name
    from pg_class s join pg_namespace n on n.oid = s.relnamespace
    where s.relkind = 'S' and (${all} or exists (
      select from pg_depend d
      where d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i')
        and d.refobjid = any(${namesOf(tables)}::text[]::regclass[])))`
  const there = new Set(rows.map(({ schema, name }) => quoteQualified(schema, name)))
  return sequences.filter(({ schema, name }) => there.has(quoteQualified(schema, name)))
}
