import type { CatalogObject } from '../database/catalog.js'
import type { Database } from '../database/connect.js'
import { definitionOf, describeKind, isPartition } from './describe.js'
import { type ExcludedTable, takeSnapshot } from './snapshot.js'

/** How many there are of each kind; of indexes, constraints and triggers only those declared themselves, not those that partitions inherit. */
export interface ObjectCounts {
  readonly extensions: number
  readonly types: number
  readonly tables: number
  readonly columns: number
  readonly sequences: number
  readonly foreign_keys: number
  readonly functions: number
  readonly views: number
  readonly materialized_views: number
  readonly triggers: number
  readonly indexes: number
  readonly constraints: number
  readonly partitions: number
  readonly policies: number
}

/** A table with its partitions. */
export interface TableSize {
  readonly schema: string
  readonly table: string
  /** By the planner's statistics, an estimate; null when nothing was ever counted. */
  readonly rows: number | null
  /** Bytes on disk, indexes and TOAST included. */
  readonly bytes: number
  readonly index_bytes: number
  readonly partitions: number
  readonly primary_key: boolean
}

/** What is in some schemas. */
export interface Inspection {
  readonly schemas: readonly string[]
  readonly counts: ObjectCounts
  /** The largest first. */
  readonly tables: readonly TableSize[]
  /** Indexes that cost every write and serve no read. */
  readonly invalid_indexes: readonly string[]
  /** Constraints that older rows may break. */
  readonly unvalidated_constraints: readonly string[]
  readonly tables_without_primary_key: readonly string[]
  readonly disabled_triggers: readonly string[]
  readonly objects: readonly InspectedObject[]
}

export interface InspectedObject {
  readonly kind: string
  readonly object: string
  readonly definition: string
}

/** Counts and lists what some schemas contain; reads only. */
export async function inspectSchemas(
  database: Database,
  schemas: readonly string[],
  excluded: readonly ExcludedTable[],
): Promise<Inspection> {
  const { objects } = await takeSnapshot(database, schemas, excluded)
  const tables = (await readSizes(database, schemas)).filter(
    ({ schema, table }) => !excluded.some((one) => one.schema === schema && one.table === table),
  )
  return {
    schemas,
    counts: countObjects(objects),
    tables,
    invalid_indexes: named(objects, ({ kind, facts }) => kind === 'index' && facts['validity'] === 'invalid'),
    unvalidated_constraints: named(objects, isUnvalidated),
    tables_without_primary_key: tables.filter((one) => !one.primary_key).map((one) => `${one.schema}.${one.table}`),
    disabled_triggers: named(objects, ({ kind, facts }) => kind === 'trigger' && facts['enabled'] === 'enabled D'),
    objects: objects.map(asInspected).sort(byName),
  }
}

function countObjects(objects: readonly CatalogObject[]): ObjectCounts {
  const count = (test: (object: CatalogObject) => boolean) => objects.filter(test).length
  const declared = (kind: CatalogObject['kind']) => count((one) => one.kind === kind && !one.inherited)
  return {
    extensions: declared('extension'),
    types: declared('type'),
    tables: count((one) => one.kind === 'table' && !isPartition(one)),
    columns: columnsOfTables(objects),
    sequences: declared('sequence'),
    foreign_keys: count((one) => one.kind === 'constraint' && one.detail === 'f' && !one.inherited),
    functions: declared('function'),
    views: declared('view'),
    materialized_views: declared('materialized view'),
    triggers: declared('trigger'),
    indexes: declared('index'),
    constraints: declared('constraint'),
    partitions: count(isPartition),
    policies: declared('policy'),
  }
}

function columnsOfTables(objects: readonly CatalogObject[]): number {
  const partitions = new Set(objects.filter(isPartition).map(({ identity }) => `relation ${identity}`))
  const kinds = new Set(['r', 'p', 'f'])
  return objects.filter(
    (one) => one.kind === 'column' && kinds.has(one.detail ?? '') && !partitions.has(one.owner ?? ''),
  ).length
}

function isUnvalidated({ kind, facts, inherited }: CatalogObject): boolean {
  return kind === 'constraint' && !inherited && / NOT (VALID|ENFORCED)$/.test(facts['definition'] ?? '')
}

function named(objects: readonly CatalogObject[], test: (object: CatalogObject) => boolean): readonly string[] {
  return objects
    .filter(test)
    .map(({ identity }) => identity)
    .sort()
}

function asInspected(object: CatalogObject): InspectedObject {
  return { kind: describeKind(object), object: object.identity, definition: definitionOf(object) }
}

function byName(a: InspectedObject, b: InspectedObject): number {
  const [left, right] = [`${a.kind} ${a.object}`, `${b.kind} ${b.object}`]
  if (left === right) return 0
  return left < right ? -1 : 1
}

/** Partitions, and chunks of a hypertable, count with the table they belong to. */
function readSizes({ sql }: Database, schemas: readonly string[]): Promise<readonly TableSize[]> {
  return sql<TableSize[]>`
    with recursive base as (
      select c.oid, n.nspname, c.relname
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = any(${[...schemas]}) and c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
        and not exists (
          select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    ),
    tree as (
      select oid as root, oid as member from base
      union
      select tree.root, i.inhrelid from tree join pg_inherits i on i.inhparent = tree.member
    ),
    size as (
      select tree.root, sum(pg_total_relation_size(m.oid)) as bytes, sum(pg_indexes_size(m.oid)) as index_bytes,
             sum(m.reltuples) filter (where m.reltuples >= 0 and m.relkind = 'r') as rows,
             count(*) filter (where m.oid <> tree.root) as partitions
      from tree join pg_class m on m.oid = tree.member group by tree.root
    )
    select b.nspname as schema, b.relname as table, s.rows::float8 as rows, s.bytes::bigint as bytes,
           s.index_bytes::bigint as index_bytes, s.partitions::int as partitions,
           exists (select from pg_constraint k where k.conrelid = b.oid and k.contype = 'p') as primary_key
    from base b join size s on s.root = b.oid
    order by s.bytes desc, b.nspname, b.relname`
}
