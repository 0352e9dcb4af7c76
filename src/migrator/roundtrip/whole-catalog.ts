import { readCatalogLines } from '../../database/catalog.js'
import type { Session } from '../../database/connect.js'
import { queryWithSettings } from '../../database/with-settings.js'
import type { RelationCache } from './relation-cache.js'

/**
 * Everything that a migration can have made or unmade, one sorted line an object: the
 * catalog of all schemas but the server's own, and what belongs to none or is not
 * written there (extensions, owners, grants, comments, casts, publications, …).
 *
 * @param cache what was read before; only relations whose rows in the catalog are others are read again
 */
export async function readWholeCatalog(session: Session, cache: RelationCache): Promise<readonly string[]> {
  const spaces = await session<{ name: string }[]>`
    select nspname as name from pg_namespace n
    where nspname <> 'information_schema' and nspname !~ '^pg_'
      and not exists (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')`
  const schemas = spaces.map((space) => space.name)
  const changed = cache.changedLines()
  const read = await readCatalogLines(session, schemas, changed)
  cache.keepLines(changed, read)
  const loose = read.filter(({ relation }) => relation === null).map(({ line }) => line)
  const rest = await queryWithSettings<{ line: string }>(session, { search_path: 'pg_catalog' }, besides)
  const apart = [...schemas.map((schema) => `schema ${schema}`), ...loose, ...rest.map((row) => row.line)]
  return [...apart, ...cache.lines()].sort()
}

/** https://github.com/postgres/postgres/blob/master/src/include/access/transam.h (FirstNormalObjectId) */
const firstOwn = 16384

/** Objects that are told by their identity alone. */
const otherClasses = [
  'pg_extension',
  'pg_cast',
  'pg_operator',
  'pg_opclass',
  'pg_opfamily',
  'pg_collation',
  'pg_conversion',
  'pg_language',
  'pg_am',
  'pg_transform',
  'pg_ts_config',
  'pg_ts_dict',
  'pg_ts_parser',
  'pg_ts_template',
  'pg_event_trigger',
  'pg_foreign_data_wrapper',
  'pg_foreign_server',
  'pg_user_mapping',
  'pg_publication',
  'pg_publication_rel',
  'pg_publication_namespace',
  'pg_default_acl',
]

const others = otherClasses.map(
  (name) => `select i.type || ' ' || i.identity as line
    from (
      select o.oid from ${name} o
      where o.oid >= ${firstOwn}
        and not exists (select from owned x where x.classid = '${name}'::regclass and x.objid = o.oid)
      offset 0
    ) o
    cross join lateral pg_identify_object('${name}'::regclass, o.oid, 0) i`,
)

/**
 * Rights of everybody but the owner, whether they were granted or are the default. Names
 * are looked up for these alone, because that is what takes time.
 */
function rights(table: string, list: string, owner: string, kind: string, which = 'true'): string {
  return `select concat_ws(' ', 'grant', o.privilege_type, 'on', i.identity, 'to',
      case o.grantee when 0 then 'public' else o.grantee::regrole::text end,
      case when o.is_grantable then 'with grant option' end)
    from (
      select o.oid, a.* from ${table} o
      cross join lateral aclexplode(coalesce(o.${list}, acldefault(${kind}, o.${owner}))) a
      where o.oid >= ${firstOwn} and a.grantee <> o.${owner} and ${which}
        and not exists (select from owned x where x.classid = '${table}'::regclass and x.objid = o.oid)
      offset 0
    ) o
    cross join lateral pg_identify_object('${table}'::regclass, o.oid, 0) i`
}

const commented = ['pg_constraint', 'pg_proc', 'pg_type', 'pg_trigger', 'pg_policy', 'pg_namespace', 'pg_statistic_ext']

const ownRelation = `o.relkind in ('r', 'p', 'v', 'm', 'S', 'f')`

const parts = [
  ...others,
  rights('pg_class', 'relacl', 'relowner', `case when o.relkind = 'S' then 's' else 'r' end::"char"`, ownRelation),
  rights('pg_proc', 'proacl', 'proowner', `'f'::"char"`),
  rights('pg_type', 'typacl', 'typowner', `'T'::"char"`, `o.typtype in ('d', 'e', 'r')`),
  rights('pg_namespace', 'nspacl', 'nspowner', `'n'::"char"`),
  `select format('grant %s on column %s to %s', o.privilege_type, i.identity,
      case o.grantee when 0 then 'public' else o.grantee::regrole::text end)
    from (
      select a.attrelid, a.attnum, x.* from pg_attribute a cross join lateral aclexplode(a.attacl) x
      where a.attrelid >= ${firstOwn} and a.attacl is not null and not a.attisdropped
      offset 0
    ) o
    cross join lateral pg_identify_object('pg_class'::regclass, o.attrelid, o.attnum) i`,
  `select format('owner of %I.%I is %s', n.nspname, o.relname, o.relowner::regrole)
    from pg_class o join pg_namespace n on n.oid = o.relnamespace
    where o.oid >= ${firstOwn} and ${ownRelation}
      and not exists (select from owned x where x.classid = 'pg_class'::regclass and x.objid = o.oid)`,
  `select format('owner of %s is %s', i.identity, o.proowner::regrole)
    from pg_proc o cross join lateral pg_identify_object('pg_proc'::regclass, o.oid, 0) i
    where o.oid >= ${firstOwn}
      and not exists (select from owned x where x.classid = 'pg_proc'::regclass and x.objid = o.oid)`,
  `select format('comment on %s %s %L', i.type, i.identity, o.description)
    from (
      select d.* from pg_description d
      where d.objoid >= ${firstOwn}
        and d.classoid in (${commented.map((name) => `'${name}'::regclass`).join(', ')})
        and not exists (select from owned x where x.classid = d.classoid and x.objid = d.objoid)
      offset 0
    ) o
    cross join lateral pg_identify_object(o.classoid, o.objoid, o.objsubid) i`,
]

const besides = `
  with owned as (select classid, objid from pg_depend where deptype = 'e')
  select line from (${parts.join('\nunion all\n')}) as everything (line) where line is not null`

/** What two catalogs do not have in common. */
export interface CatalogDifference {
  /** Lines of the first that the second lacks. */
  readonly gone: readonly string[]
  /** Lines of the second that the first lacks. */
  readonly added: readonly string[]
}

export function compareCatalogs(before: readonly string[], after: readonly string[]): CatalogDifference {
  const [first, second] = [new Set(before), new Set(after)]
  return { gone: before.filter((line) => !second.has(line)), added: after.filter((line) => !first.has(line)) }
}

export function isSame({ gone, added }: CatalogDifference): boolean {
  return gone.length === 0 && added.length === 0
}
