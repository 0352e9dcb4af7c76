import type { Session } from '../../database/connect.js'
import type { Node } from '../statements/statements.js'
import {
  droppedNames,
  list,
  listedName,
  node,
  relationName,
  text,
  type WrittenName,
  writtenSql,
} from '../statements/written-name.js'

/** One object as the catalog knows it at one moment. */
export interface CatalogObject {
  readonly oid: number
  /** Null for what belongs to no schema. */
  readonly schema: string | null
  readonly name: string
  /** False when it exists but is not usable: an index whose build broke off, a detachment or a drop that did. */
  readonly valid: boolean
  /** Of an index only. */
  readonly unique?: boolean | undefined
  readonly method?: string | undefined
  /** Key columns of an index by name; null for an expression. */
  readonly keys?: readonly (string | null)[] | undefined
}

/** Reads what the catalog says about the objects that a statement names. */
export type Look = (session: Session, content: Node) => Promise<readonly CatalogObject[]>

interface Witness {
  applies(content: Node): boolean
  readonly look: Look
}

const always = () => true

/**
 * Where to look, by the kind of statement. Those that refuse a transaction come first;
 * the others are here for histories in which they ran outside of one.
 */
export const looks: Readonly<Record<string, Witness>> = {
  IndexStmt: { applies: always, look: (session, content) => indexesOf(session, relationName(content['relation'])) },
  DropStmt: { applies: (content) => relationKinds.has(String(content['removeType'])), look: droppedRelations },
  ReindexStmt: { applies: always, look: leftovers },
  AlterTableStmt: { applies: always, look: attachment },
  AlterEnumStmt: { applies: (content) => text(content['newVal']) !== undefined, look: enumValue },
  CreatedbStmt: { applies: always, look: (session, content) => databaseNamed(session, content['dbname']) },
  DropdbStmt: { applies: always, look: (session, content) => databaseNamed(session, content['dbname']) },
  CreateTableSpaceStmt: { applies: always, look: (session, content) => tablespace(session, content['tablespacename']) },
  DropTableSpaceStmt: { applies: always, look: (session, content) => tablespace(session, content['tablespacename']) },
  CreateSubscriptionStmt: { applies: always, look: (session, content) => subscription(session, content['subname']) },
  DropSubscriptionStmt: { applies: always, look: (session, content) => subscription(session, content['subname']) },
  CreateStmt: { applies: always, look: (session, content) => relation(session, relationName(content['relation'])) },
  CreateSeqStmt: { applies: always, look: (session, content) => relation(session, relationName(content['sequence'])) },
  ViewStmt: {
    applies: (content) => content['replace'] !== true,
    look: (session, content) => relation(session, relationName(content['view'])),
  },
  CreateTableAsStmt: {
    applies: always,
    look: (session, content) => relation(session, relationName(node(content['into'])['rel'])),
  },
}

const relationKinds = new Set([
  'OBJECT_INDEX',
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_FOREIGN_TABLE',
])

async function droppedRelations(session: Session, content: Node): Promise<readonly CatalogObject[]> {
  const found: CatalogObject[] = []
  for (const name of droppedNames(content)) found.push(...(await relation(session, name)))
  return found
}

function relation(session: Session, name: WrittenName): Promise<readonly CatalogObject[]> {
  return session<CatalogObject[]>`
    select c.oid::bigint as oid, n.nspname as schema, c.relname as name, coalesce(i.indisvalid, true) as valid
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    left join pg_index i on i.indexrelid = c.oid
    where c.oid = to_regclass(${writtenSql(name)})`
}

function indexesOf(session: Session, table: WrittenName): Promise<readonly CatalogObject[]> {
  return session<CatalogObject[]>`
    select i.indexrelid::bigint as oid, n.nspname as schema, c.relname as name,
           i.indisvalid and i.indisready as valid, i.indisunique as unique, am.amname as method,
           (select jsonb_agg(a.attname order by key.position)
            from unnest(i.indkey::int2[]) with ordinality as key (attnum, position)
            left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = key.attnum
            where key.position <= i.indnkeyatts) as keys
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_am am on am.oid = c.relam
    join pg_namespace n on n.oid = c.relnamespace
    where i.indrelid = to_regclass(${writtenSql(table)})
    order by c.relname`
}

/**
 * Indexes that `reindex concurrently` was building, or could not drop, when it broke off.
 * https://www.postgresql.org/docs/current/sql-reindex.html#SQL-REINDEX-CONCURRENTLY
 */
async function leftovers(session: Session, content: Node): Promise<readonly CatalogObject[]> {
  const kind = String(content['kind'])
  const only = kind === 'REINDEX_OBJECT_TABLE' || kind === 'REINDEX_OBJECT_INDEX'
  const named = only ? writtenSql(relationName(content['relation'])) : null
  const schema = kind === 'REINDEX_OBJECT_SCHEMA' ? (text(content['name']) ?? null) : null
  return session<CatalogObject[]>`
    with scope as (
      select coalesce(i.indrelid, c.oid) as oid
      from pg_class c
      left join pg_index i on i.indexrelid = c.oid
      join pg_namespace n on n.oid = c.relnamespace
      where (${named}::text is null or c.oid = to_regclass(${named}))
        and (${schema}::text is null or n.nspname = ${schema})
    ),
    tables as (
      select oid from scope
      union select t.reltoastrelid from scope join pg_class t on t.oid = scope.oid
    )
    select c.oid::bigint as oid, n.nspname as schema, c.relname as name, false as valid
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_namespace n on n.oid = c.relnamespace
    where i.indrelid in (select oid from tables) and not i.indisvalid and c.relname ~ '_cc(new|old)[0-9]*$'
    order by c.relname`
}

/** The partition as long as it belongs to its parent; not valid while its detachment is pending. */
function attachment(session: Session, content: Node): Promise<readonly CatalogObject[]> {
  const [command] = list(content['cmds'])
  const definition = node(node(node(command?.['AlterTableCmd'])['def'])['PartitionCmd'])
  const partition = writtenSql(relationName(definition['name']))
  const parent = writtenSql(relationName(content['relation']))
  return session<CatalogObject[]>`
    select c.oid::bigint as oid, n.nspname as schema, c.relname as name, not i.inhdetachpending as valid
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    join pg_namespace n on n.oid = c.relnamespace
    where i.inhrelid = to_regclass(${partition}) and i.inhparent = to_regclass(${parent})`
}

function enumValue(session: Session, content: Node): Promise<readonly CatalogObject[]> {
  const type = writtenSql(listedName(content['typeName']))
  return session<CatalogObject[]>`
    select oid::bigint as oid, null as schema, enumlabel as name, true as valid
    from pg_enum where enumtypid = to_regtype(${type}) and enumlabel = ${text(content['newVal']) ?? ''}`
}

/** A database whose drop broke off has a connection limit of -2 and can only be dropped again. */
function databaseNamed(session: Session, name: unknown): Promise<readonly CatalogObject[]> {
  return session<CatalogObject[]>`
    select oid::bigint as oid, null as schema, datname as name, datconnlimit <> -2 as valid
    from pg_database where datname = ${text(name) ?? ''}`
}

function tablespace(session: Session, name: unknown): Promise<readonly CatalogObject[]> {
  return session<CatalogObject[]>`
    select oid::bigint as oid, null as schema, spcname as name, true as valid
    from pg_tablespace where spcname = ${text(name) ?? ''}`
}

function subscription(session: Session, name: unknown): Promise<readonly CatalogObject[]> {
  return session<CatalogObject[]>`
    select oid::bigint as oid, null as schema, subname as name, true as valid
    from pg_subscription
    where subname = ${text(name) ?? ''} and subdbid = (select oid from pg_database where datname = current_database())`
}
