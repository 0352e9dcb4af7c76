import type { RunContext } from '../context.js'
import { UsageError } from '../errors.js'
import { describeAddress, type ServerAddress } from './address.js'
import { type Database, type Session, type Sql, withDatabase, withSession } from './connect.js'

/**
 * Gives `work` an empty database that somebody keeps for this, and empties it again whatever happens.
 *
 * For roles that may not create databases. Extensions may be in it already and stay;
 * anything else is a reason to refuse, so that everything in it afterwards was made by
 * `work` and is dropped. A session holds a lock meanwhile, because two runs would not
 * tell their objects apart.
 *
 * @throws UsageError when it holds anything, or another run is using it; it is left as it was.
 */
export async function withBorrowedScratch<T>(
  address: ServerAddress,
  context: RunContext,
  work: (scratch: Database) => Promise<T>,
): Promise<T> {
  return withDatabase(
    address,
    context,
    ({ sql }) =>
      withSession(sql, async (session) => {
        await lock(session, address)
        const extensions = await extensionNames(session)
        await refuseContent(session, address)
        try {
          return await withDatabase(address, context, work, { purpose: 'scratch' })
        } finally {
          await clean(address, context, extensions)
        }
      }),
    { connections: 1, purpose: 'borrowed scratch database' },
  )
}

/** Any number that is the same for every run. */
const lockKey = 7_204_418_331

async function lock(session: Session, address: ServerAddress): Promise<void> {
  const [row] = await session<{ locked: boolean }[]>`select pg_try_advisory_lock(${lockKey}::bigint) as locked`
  if (row?.locked) return
  throw new UsageError(`another run is using ${describeAddress(address)} as its scratch database`, {
    code: 'scratch_in_use',
    hint: 'Run it again when that one is over, or name another empty database with --scratch.',
  })
}

async function refuseContent(session: Session, address: ServerAddress): Promise<void> {
  const found = await listObjects(session)
  if (found.length === 0) return
  const names = found.map(({ type, identity }) => `${type} ${identity}`)
  const shown = names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ')
  throw new UsageError(`the scratch database ${describeAddress(address)} is not empty: it holds ${shown}`, {
    code: 'scratch_not_empty',
    hint: 'Name an empty database with --scratch; this one was not touched.',
    details: { objects: names.slice(0, 20) },
  })
}

/** Also after Ctrl-C, which is why the run's own signal does not count here. */
async function clean(address: ServerAddress, { progress }: RunContext, extensions: ReadonlySet<string>): Promise<void> {
  const context = { progress, signal: new AbortController().signal }
  const name = describeAddress(address)
  await withDatabase(address, context, ({ sql }) => empty(sql, extensions), {
    connections: 1,
    purpose: 'clean up',
  }).catch((error: Error) => progress.warn(`the scratch database ${name} could not be emptied: ${error.message}`))
}

/** Schemas first: most other things go with them. */
async function empty(sql: Sql, extensions: ReadonlySet<string>): Promise<void> {
  const made = [...(await extensionNames(sql))].filter((name) => !extensions.has(name))
  for (const name of made) await sql`drop extension if exists ${sql(name)} cascade`
  const found = await listObjects(sql)
  const order = (type: string) => ['event trigger', 'schema'].indexOf(type)
  const sorted = [...found].sort((a, b) => order(b.type) - order(a.type))
  for (const { type, identity } of sorted) await sql.unsafe(`drop ${dropWord(type)} if exists ${identity} cascade`)
}

/** The words of DROP, which are those of pg_identify_object but for `foreign-data wrapper`. */
function dropWord(type: string): string {
  return type.replaceAll('-', ' ')
}

async function extensionNames(sql: Sql | Session): Promise<ReadonlySet<string>> {
  const rows = await sql<{ name: string }[]>`select extname as name from pg_extension`
  return new Set(rows.map((row) => row.name))
}

interface DatabaseObject {
  readonly type: string
  readonly identity: string
}

/**
 * Everything in the database that neither came with it nor belongs to an extension.
 *
 * Objects have numbers from 16384 on when they were made after initdb, and the server
 * itself says how a DROP command names each.
 * https://www.postgresql.org/docs/current/functions-info.html (pg_identify_object)
 */
function listObjects(sql: Sql | Session): Promise<readonly DatabaseObject[]> {
  return sql<DatabaseObject[]>`
    select i.type, i.identity
    from (
      select 'pg_namespace'::regclass as classid, oid, oid as space from pg_namespace where nspname !~ '^pg_(toast_)?temp_'
      union all
      select 'pg_class'::regclass, oid, relnamespace from pg_class
      where relkind in ('r', 'p', 'v', 'm', 'S', 'f') and relpersistence <> 't'
      union all
      select 'pg_type'::regclass, oid, typnamespace from pg_type t
      where typtype in ('d', 'e', 'r')
        or typtype = 'b' and not exists (select from pg_type e where e.typarray = t.oid)
        or typtype = 'c' and exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c')
      union all select 'pg_proc'::regclass, oid, pronamespace from pg_proc
      union all select 'pg_operator'::regclass, oid, oprnamespace from pg_operator
      union all select 'pg_opfamily'::regclass, oid, opfnamespace from pg_opfamily
      union all select 'pg_collation'::regclass, oid, collnamespace from pg_collation
      union all select 'pg_conversion'::regclass, oid, connamespace from pg_conversion
      union all select 'pg_ts_config'::regclass, oid, cfgnamespace from pg_ts_config
      union all select 'pg_ts_dict'::regclass, oid, dictnamespace from pg_ts_dict
      union all select 'pg_event_trigger'::regclass, oid, 0 from pg_event_trigger
      union all select 'pg_publication'::regclass, oid, 0 from pg_publication
      union all select 'pg_foreign_data_wrapper'::regclass, oid, 0 from pg_foreign_data_wrapper
      union all select 'pg_foreign_server'::regclass, oid, 0 from pg_foreign_server
      union all select 'pg_cast'::regclass, oid, 0 from pg_cast
    ) o
    cross join lateral pg_identify_object(o.classid, o.oid, 0) i
    where o.oid >= 16384
      and not exists (
        select from pg_depend d where d.classid = o.classid and d.objid = o.oid and d.objsubid = 0 and d.deptype in ('e', 'i'))
      and not exists (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = o.space and d.deptype = 'e')
    order by i.type, i.identity`
}
