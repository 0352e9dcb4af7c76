import type { Session } from '../database/connect.js'
import { UsageError } from '../errors.js'
import type { DdlStatement, RelationName } from './ddl.js'
import type { RelationKey } from './inventory.js'

/** A table that is to be in a backup. */
export interface TableName {
  readonly schema: string
  readonly name: string
}

/** How much of a database to back up. */
export type Scope =
  | { readonly kind: 'full' }
  | { readonly kind: 'schema' }
  /** Only these tables, with what they need to exist: parents by foreign key, partitions, sequences, types, functions. */
  | { readonly kind: 'tables'; readonly tables: readonly TableName[] }

/** The objects of a part of a database that can exist without the rest. */
export interface Membership {
  /** `<catalog>.<oid>`, of every object. */
  readonly objects: ReadonlySet<string>
  /** Those of them that are tables, views, sequences and indexes. */
  readonly relations: readonly RelationKey[]
  /** The schemas that those are in. */
  readonly schemas: readonly string[]
}

/**
 * What some tables need to exist, by the server's own record of what depends on what.
 *
 * From the tables it follows what they refer to (types, functions, sequences, collations, extensions,
 * parents by foreign key and by inheritance), takes what belongs to a table with it (indexes,
 * constraints, triggers, policies, statistics, partitions) and follows that too. What only refers to
 * them (views, foreign keys of others) stays behind. A function's dependencies are those that the
 * server knows: of a body in PL/pgSQL it knows none.
 *
 * https://www.postgresql.org/docs/current/catalog-pg-depend.html
 *
 * @throws UsageError `unknown_table` naming the tables that are not there.
 */
export async function membersOf(session: Session, tables: readonly TableName[]): Promise<Membership> {
  const oids = await findTables(session, tables)
  const members = await session.unsafe<{ catalog: number; oid: number }[]>(closure(oids))
  const relations = await session<(RelationKey & { kind: string })[]>`
    select c.oid::bigint as oid, n.nspname as schema, c.relname as name, c.relkind as kind
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid = any(${members.map(({ oid }) => oid)}::oid[]) and n.nspname !~ '^pg_'`
  const objects = new Set(members.map(({ catalog, oid }) => `${catalog}.${oid}`))
  const own = relations.filter(({ oid }) => objects.has(`${classCatalog}.${oid}`))
  const schemas = [...new Set(own.map(({ schema }) => schema))].sort()
  return { objects, relations: own.map(({ oid, schema, name }) => ({ oid, schema, name })), schemas }
}

/** The OID of pg_class. */
const classCatalog = 1259

async function findTables(session: Session, tables: readonly TableName[]): Promise<number[]> {
  const found = await session<{ oid: number | null; schema: string; name: string }[]>`
    select c.oid::bigint as oid, w.schema, w.name
    from unnest(${tables.map(({ schema }) => schema)}::text[], ${tables.map(({ name }) => name)}::text[]) as w (schema, name)
    left join pg_namespace n on n.nspname = w.schema
    left join pg_class c on c.relnamespace = n.oid and c.relname = w.name and c.relkind in ('r', 'p', 'f', 'v', 'm')`
  const missing = found.filter(({ oid }) => oid === null).map(({ schema, name }) => `${schema}.${name}`)
  if (missing.length === 0) return found.flatMap(({ oid }) => oid ?? [])
  throw new UsageError(`there is no table ${missing.join(', ')} to back up`, {
    code: 'unknown_table',
    hint: 'Check the names and the schema; nothing was written.',
    details: { missing },
  })
}

function closure(oids: readonly number[]): string {
  return `
    with recursive
    edge (fromclass, fromobj, toclass, toobj) as materialized (
      -- What an object refers to. A sequence can do without the column that owns it.
      select d.classid, d.objid, d.refclassid, d.refobjid from pg_depend d
      where d.deptype in ('n', 'a', 'i', 'P', 'S', 'e')
        and not (d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
                 and exists (select from pg_class c where c.oid = d.objid and c.relkind = 'S'))
      -- What belongs to a table.
      union all select 'pg_class'::regclass, adrelid, 'pg_attrdef'::regclass, oid from pg_attrdef
      union all select 'pg_class'::regclass, conrelid, 'pg_constraint'::regclass, oid from pg_constraint where conrelid <> 0
      union all select 'pg_type'::regclass, contypid, 'pg_constraint'::regclass, oid from pg_constraint where contypid <> 0
      union all select 'pg_class'::regclass, tgrelid, 'pg_trigger'::regclass, oid from pg_trigger
      union all select 'pg_class'::regclass, polrelid, 'pg_policy'::regclass, oid from pg_policy
      union all select 'pg_class'::regclass, ev_class, 'pg_rewrite'::regclass, oid from pg_rewrite
      union all select 'pg_class'::regclass, stxrelid, 'pg_statistic_ext'::regclass, oid from pg_statistic_ext
      union all select 'pg_class'::regclass, indrelid, 'pg_class'::regclass, indexrelid from pg_index
      union all select 'pg_class'::regclass, inhparent, 'pg_class'::regclass, inhrelid from pg_inherits
      union all select 'pg_class'::regclass, d.refobjid, 'pg_class'::regclass, d.objid
                from pg_depend d join pg_class c on c.oid = d.objid and c.relkind = 'S'
                where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
      -- The columns of a composite type hang on its entry in pg_class.
      union all select 'pg_type'::regclass, oid, 'pg_class'::regclass, typrelid from pg_type where typrelid <> 0
    ),
    member (class, obj) as (
      select 'pg_class'::regclass::oid, oid::oid from unnest('{${oids.join(',')}}'::oid[]) as oid
      union
      select e.toclass, e.toobj from member m join edge e on e.fromclass = m.class and e.fromobj = m.obj
      -- An extension brings its own objects with it.
      where m.class <> 'pg_extension'::regclass
    )
    select class::bigint as catalog, obj::bigint as oid from member`
}

/** The statements of a dump that make the members, with the grants and comments on them. */
export function onlyMembers(statements: readonly DdlStatement[], { objects, relations }: Membership): DdlStatement[] {
  const names = new Set(relations.map(({ schema, name }) => nameOf({ schema, name })))
  const kept = new Set<number>()
  for (const { entry } of statements) {
    if (entry && objects.has(`${entry.catalog}.${entry.oid}`)) kept.add(entry.id)
  }
  return statements.filter(({ entry, relations: named }) => {
    if (entry === undefined) return true
    if (named.some((relation) => !names.has(nameOf(relation)))) return false
    if (kept.has(entry.id)) return true
    // Comments, grants and what puts partitions together have no object of their own.
    if (entry.oid !== 0 && entry.catalog !== 0) return false
    return entry.dependencies.length > 0 ? entry.dependencies.some((id) => kept.has(id)) : named.length > 0
  })
}

function nameOf({ schema, name }: RelationName): string {
  return JSON.stringify([schema ?? null, name])
}
