import type { Session, Sql } from '../database/connect.js'
import { copyIn } from '../database/copy-in.js'
import { quoteIdentifier, quoteLiteral } from '../database/quote.js'
import type { Archive } from './archive.js'
import type { ArchiveReader } from './archive-reader.js'
import { type DdlStatement, parseDdl } from './ddl.js'
import type { Manifest, ManifestFile } from './manifest.js'

const definitionsName = 'large-objects.sql'
const contentName = 'large-objects.copy'

type LargeObjects = NonNullable<Manifest['large_objects']>

/** Bytes of a large object that are read and written at a time. */
const pageBytes = 128 * 1024

/** What lies in the archive of a database's large objects: who may do what with them, and their content. */
export interface CopiedLargeObjects {
  readonly described: LargeObjects
  readonly files: readonly ManifestFile[]
  readonly statements: readonly DdlStatement[]
}

/** Carries every large object with its number, owner, grants and comment; pages go to the disk as they come. */
export async function copyLargeObjects(
  session: Session,
  archive: Archive,
  copy: (query: string, path: string) => Promise<ManifestFile>,
): Promise<CopiedLargeObjects> {
  const [found] = await session<{ count: number }[]>`select count(*) as count from pg_largeobject_metadata`
  if (!found?.count) return { described: nothing, files: [], statements: [] }
  const sql = await readDefinitions(session)
  const definitions = await archive.write(definitionsName, sql)
  const content = await copy(`select oid, page, bytes from (${pages}) as pages`, contentName)
  return {
    described: await hashLargeObjects(session),
    files: [definitions, content],
    statements: await parseDdl(sql),
  }
}

/** How many there are, how large they are together, and a hash of their content and numbers. */
export async function hashLargeObjects(sql: Sql | Session): Promise<LargeObjects> {
  const [row] = await sql.unsafe<LargeObjects[]>(`
    select (select count(*) from pg_largeobject_metadata) as count, coalesce(sum(length(bytes)), 0)::bigint as bytes,
           coalesce(sum(hashtextextended(concat_ws(' ', oid, page, md5(bytes)), 0)), 0)::text as hash
    from (${pages}) as pages`)
  return row ?? nothing
}

const nothing: LargeObjects = { count: 0, bytes: 0, hash: '0' }

/**
 * Pages of every large object, the last one shorter. `lo_lseek64` finds the end: 262144 is INV_READ, 2 SEEK_END.
 * https://www.postgresql.org/docs/current/lo-funcs.html
 */
const pages = `
  select oid::bigint as oid, page, lo_get(oid, page * ${pageBytes}, ${pageBytes}) as bytes
  from (select oid, lo_lseek64(fd, 0, 2) as size, lo_close(fd)
        from (select oid, lo_open(oid, 262144) as fd from pg_largeobject_metadata order by oid offset 0) as opened
        offset 0) as measured
  cross join lateral generate_series(0, (greatest(size, 1) - 1) / ${pageBytes}) as page`

interface Description {
  readonly oid: number
  readonly owner: string
  readonly comment: string | null
  /** Null where nobody was ever granted anything. */
  readonly grants: readonly { role: string | null; privilege: string; grantable: boolean }[] | null
}

async function readDefinitions(session: Session): Promise<string> {
  const rows = await session<Description[]>`
    select m.oid::bigint as oid, pg_get_userbyid(m.lomowner) as owner, obj_description(m.oid, 'pg_largeobject') as comment,
           (select jsonb_agg(jsonb_build_object('role', r.rolname, 'privilege', a.privilege_type, 'grantable', a.is_grantable)
                             order by r.rolname, a.privilege_type)
            from aclexplode(m.lomacl) a left join pg_roles r on r.oid = a.grantee) as grants
    from pg_largeobject_metadata m order by m.oid`
  return rows.map(definition).join('\n')
}

/** An owner's rights are what is left when they were granted something less than everything: they are named anew. */
function definition({ oid, owner, comment, grants }: Description): string {
  const on = `on large object ${oid}`
  return [
    `select pg_catalog.lo_create('${oid}');`,
    `alter large object ${oid} owner to ${quoteIdentifier(owner)};`,
    ...(comment === null ? [] : [`comment ${on} is ${quoteLiteral(comment)};`]),
    ...(grants === null ? [] : [`revoke all ${on} from ${quoteIdentifier(owner)};`]),
    ...(grants ?? []).map(({ role, privilege, grantable }) => {
      const to = role === null ? 'public' : quoteIdentifier(role)
      return `grant ${privilege} ${on} to ${to}${grantable ? ' with grant option' : ''};`
    }),
  ].join('\n')
}

/** The statements that make a backup's large objects, empty as yet. */
export async function largeObjectStatements(archive: ArchiveReader, manifest: Manifest): Promise<DdlStatement[]> {
  return hasLargeObjects(manifest) ? parseDdl(await archive.text(definitionsName)) : []
}

export function hasLargeObjects({ engine, large_objects }: Manifest): boolean {
  return engine === 'built-in' && (large_objects?.count ?? 0) > 0
}

/** Fills the large objects that `largeObjectStatements` made, in a transaction of the session. */
export async function loadLargeObjects(session: Session, archive: ArchiveReader, manifest: Manifest): Promise<void> {
  const file = manifest.files.find(({ path }) => path.startsWith(contentName))
  if (!hasLargeObjects(manifest) || file === undefined) return
  await session.unsafe(makePages)
  const { source, steps } = archive.open(file.path)
  await copyIn(session, `copy ${pagesTable} from stdin`, source, ...steps)
  await session.unsafe(putPages)
  await session.unsafe(`drop table ${pagesTable}`)
}

const pagesTable = 'pg_temp.obs_large_objects'
const makePages = `create temp table obs_large_objects (oid oid, page bigint, bytes bytea)`
const putPages = `select count(lo_put(oid, page * ${pageBytes}, bytes)) from ${pagesTable} where bytes <> ''`

/** The same for psql. */
export function largeObjectScript(unzip: (file: string) => string): string[] {
  return [
    `\\ir ${definitionsName}`,
    `${makePages};`,
    `\\copy ${pagesTable} from program ${unzip(`${contentName}.gz`)}`,
    `${putPages};`,
  ]
}
