import type { Session, Sql } from '../../database/connect.js'
import { quoteLiteral } from '../../database/quote.js'
import { queryWithSettings } from '../../database/with-settings.js'
import { textsThatPass } from './ask-server.js'
import { type ConditionReader, conditionReader } from './conditions.js'
import {
  type ForeignKey,
  joinRules,
  noRules,
  type PartitionRules,
  type Rules,
  type SampleColumn,
  type SampleTable,
  type SampleType,
} from './model.js'
import { roomOf } from './texts.js'

/** A table by its name. */
export interface TableRef {
  readonly schema: string
  readonly name: string
}

/**
 * Reads what decides which rows tables take: columns and their types, keys, foreign keys,
 * check conditions and the bounds of partitions. Partitions themselves are not asked for;
 * rows find them through their table.
 */
export async function readSampleTables(
  sql: Sql | Session,
  tables: readonly TableRef[],
): Promise<readonly SampleTable[]> {
  if (tables.length === 0) return []
  const reader = await conditionReader()
  const rows = await queryWithSettings<TableRow>(sql, { search_path: 'pg_catalog' }, tableQuery(tables))
  const wanted = new Set(rows.flatMap((row) => row.columns.map((column) => column.type)))
  const types = await readTypes(sql, [...wanted])
  const described: SampleTable[] = []
  for (const row of rows)
    described.push(await withPassingTexts(sql, row, describeTable(row, types, reader), types, reader))
  return described
}

/** Conditions that say nothing by themselves (a pattern, a function) are tried on texts. */
async function withPassingTexts(
  sql: Sql | Session,
  row: TableRow,
  table: SampleTable,
  types: Types,
  reader: ConditionReader,
): Promise<SampleTable> {
  const isOpaque = (condition: string) => Object.keys(reader.columnRules(condition)).length === 0
  const columns: SampleColumn[] = []
  for (const column of table.columns) {
    const own = row.checks.filter(({ columns: on, condition }) => on.join() === column.name && isOpaque(condition))
    const opaque = own.map(({ condition }) => ({ column: column.name, condition }))
    const type = types.get(Number(row.columns.find((one) => one.name === column.name)?.type))
    const ofDomain = domainChecks(type, types)
      .filter(isOpaque)
      .map((condition) => ({ column: 'value', condition }))
    const asked = isText(column.type) && opaque.length + ofDomain.length > 0
    const texts = asked ? await textsThatPass(sql, [...opaque, ...ofDomain]) : []
    const fitting = texts.filter((text) => text.length <= roomFor(column.type))
    columns.push(fitting.length > 0 ? { ...column, rules: joinRules(column.rules, { oneOf: fitting }) } : column)
  }
  return { ...table, columns }
}

function domainChecks(type: TypeRow | undefined, types: Types): readonly string[] {
  return type?.kind === 'd' ? [...type.checks, ...domainChecks(types.get(Number(type.base)), types)] : []
}

function isText(type: SampleType): boolean {
  if (type.kind === 'domain') return isText(type.base)
  return type.kind === 'base' && roomOf(type.name, type.modifier) !== undefined
}

function roomFor(type: SampleType): number {
  if (type.kind === 'domain') return roomFor(type.base)
  return (type.kind === 'base' && roomOf(type.name, type.modifier)) || 0
}

interface TableRow {
  readonly path: string
  readonly schema: string
  readonly name: string
  readonly kind: string
  readonly columns: readonly ColumnRow[]
  readonly generated: readonly string[]
  readonly uniques: readonly (readonly string[])[]
  readonly loose_uniques: readonly (readonly string[])[]
  readonly exclusions: readonly string[]
  readonly foreign_keys: readonly ForeignKey[]
  readonly checks: readonly { readonly name: string; readonly condition: string; readonly columns: readonly string[] }[]
  readonly leaves: readonly (readonly { readonly bound: string; readonly key: readonly string[] }[])[] | null
}

interface ColumnRow {
  readonly number: number
  readonly name: string
  readonly type: number
  readonly type_name: string
  readonly modifier: number
  readonly not_null: boolean
  readonly identity: string
  readonly counted: boolean
  readonly has_default: boolean
  readonly comment: string | null
}

function tableQuery(tables: readonly TableRef[]): string {
  const wanted = tables.map(({ schema, name }) => `(${quoteLiteral(schema)}, ${quoteLiteral(name)})`)
  return `
    with recursive base as (
      select c.oid, n.nspname, c.relname, c.relkind
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where (n.nspname, c.relname) in (${wanted.join(', ')}) and c.relkind in ('r', 'p', 'f')
    ),
    -- Every way from a table down to a leaf, with the bounds along it.
    leaf as (
      select oid as root, oid, relkind::text as kind, '[]'::jsonb as bounds from base where relkind = 'p'
      union all
      select leaf.root, c.oid, c.relkind::text,
             leaf.bounds || jsonb_build_object('bound', pg_get_expr(c.relpartbound, c.oid), 'key', ${keyColumns})
      from leaf
      join pg_inherits i on i.inhparent = leaf.oid
      join pg_class c on c.oid = i.inhrelid and c.relispartition
    )
    select format('%I.%I', b.nspname, b.relname) as path, b.nspname::text as schema, b.relname::text as name, b.relkind::text as kind,
      (select coalesce(jsonb_agg(jsonb_build_object(
         'number', a.attnum, 'name', a.attname, 'type', a.atttypid::bigint, 'modifier', a.atttypmod,
         'type_name', format_type(a.atttypid, a.atttypmod), 'has_default', d.oid is not null, 'comment', col_description(b.oid, a.attnum),
         'not_null', a.attnotnull, 'identity', a.attidentity::text,
         'counted', coalesce(pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false)) order by a.attnum), '[]')
       from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where a.attrelid = b.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
      (select coalesce(jsonb_agg(a.attname order by a.attnum), '[]') from pg_attribute a
       where a.attrelid = b.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> '') as generated,
      (select coalesce(jsonb_agg(key.columns), '[]')
       from pg_index i
       cross join lateral (
         select jsonb_agg(a.attname) as columns, count(*) as named
         from unnest(i.indkey::int2[]) with ordinality k (number, place)
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
         where k.place <= i.indnkeyatts
       ) key
       where i.indrelid = b.oid and i.indisunique and i.indpred is null and key.named = i.indnkeyatts) as uniques,
      (select coalesce(jsonb_agg(key.columns), '[]')
       from pg_index i
       cross join lateral (
         select jsonb_agg(distinct a.attname) as columns
         from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
         where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid
       ) key
       where i.indrelid = b.oid and i.indisunique and (i.indpred is not null or i.indexprs is not null) and key.columns is not null) as loose_uniques,
      (select coalesce(jsonb_agg(k.conname order by k.conname), '[]') from pg_constraint k where k.conrelid = b.oid and k.contype = 'x') as exclusions,
      (select coalesce(jsonb_agg(jsonb_build_object(
         'name', k.conname, 'columns', ${columnNames('k.conrelid', 'k.conkey')},
         'parent', format('%I.%I', pn.nspname, p.relname), 'parentColumns', ${columnNames('k.confrelid', 'k.confkey')},
         'deferrable', k.condeferrable) order by k.conname), '[]')
       from pg_constraint k
       join pg_class p on p.oid = k.confrelid join pg_namespace pn on pn.oid = p.relnamespace
       where k.conrelid = b.oid and k.contype = 'f'
         and not exists (select from pg_constraint o where o.oid = k.conparentid and o.conrelid = k.conrelid)) as foreign_keys,
      (select coalesce(jsonb_agg(jsonb_build_object(
         'name', k.conname, 'condition', pg_get_expr(k.conbin, k.conrelid),
         'columns', coalesce(${columnNames('k.conrelid', 'k.conkey')}, '[]')) order by k.conname), '[]')
       from pg_constraint k where k.conrelid = b.oid and k.contype = 'c') as checks,
      case when b.relkind = 'p' then
        (select coalesce(jsonb_agg(l.bounds order by l.oid), '[]') from leaf l where l.root = b.oid and l.kind <> 'p') end as leaves
    from base b
    order by b.nspname, b.relname`
}

/** The columns of the parent's key, empty when an expression is among them. */
const keyColumns = `(
        select coalesce(jsonb_agg(a.attname order by k.place), '[]')
        from pg_partitioned_table p
        cross join lateral unnest(p.partattrs::int2[]) with ordinality k (number, place)
        join pg_attribute a on a.attrelid = p.partrelid and a.attnum = k.number
        where p.partrelid = leaf.oid and not 0 = any (p.partattrs::int2[]))`

function columnNames(table: string, numbers: string): string {
  return `(select jsonb_agg(a.attname order by u.place) from unnest(${numbers}) with ordinality u (number, place)
          join pg_attribute a on a.attrelid = ${table} and a.attnum = u.number)`
}

type Types = ReadonlyMap<number, TypeRow>

interface TypeRow {
  readonly oid: number
  readonly name: string
  readonly kind: string
  readonly category: string
  readonly base: number
  readonly modifier: number
  readonly not_null: boolean
  readonly element: number
  readonly delimiter: string
  readonly subtype: number | null
  readonly range: number | null
  readonly labels: readonly string[]
  readonly fields: readonly { readonly type: number; readonly modifier: number }[]
  readonly checks: readonly string[]
}

/** The types and all that they are made of. */
async function readTypes(sql: Sql | Session, wanted: readonly number[]): Promise<Types> {
  if (wanted.length === 0) return new Map()
  const rows = await queryWithSettings<TypeRow>(sql, { search_path: 'pg_catalog' }, typeQuery(wanted))
  return new Map(rows.map((row) => [Number(row.oid), row]))
}

function typeQuery(wanted: readonly number[]): string {
  return `
    with recursive used (oid) as (
      select unnest('{${wanted.map(Number).join(',')}}'::oid[])
      union
      select part.oid
      from used u
      join pg_type t on t.oid = u.oid
      cross join lateral (
        select t.typbasetype where t.typtype = 'd'
        union all select t.typelem where t.typcategory = 'A' and t.typelem <> 0
        union all select g.rngsubtype from pg_range g where t.oid in (g.rngtypid, g.rngmultitypid)
        union all select a.atttypid from pg_attribute a
          where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
      ) part (oid)
    )
    select t.oid::bigint as oid, t.typname::text as name, t.typtype::text as kind, t.typcategory::text as category,
      t.typbasetype::bigint as base, t.typtypmod as modifier, t.typnotnull as not_null,
      t.typelem::bigint as element,
      (select e.typdelim::text from pg_type e where e.oid = t.typelem) as delimiter,
      (select g.rngsubtype::bigint from pg_range g where t.oid in (g.rngtypid, g.rngmultitypid)) as subtype,
      (select g.rngtypid::bigint from pg_range g where g.rngmultitypid = t.oid) as range,
      (select coalesce(jsonb_agg(e.enumlabel order by e.enumsortorder), '[]') from pg_enum e where e.enumtypid = t.oid) as labels,
      (select coalesce(jsonb_agg(jsonb_build_object('type', a.atttypid::bigint, 'modifier', a.atttypmod) order by a.attnum), '[]')
       from pg_attribute a
       where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) as fields,
      (select coalesce(jsonb_agg(pg_get_expr(k.conbin, 0)), '[]')
       from pg_constraint k where k.contypid = t.oid and k.contype = 'c') as checks
    from used join pg_type t on t.oid = used.oid`
}

function describeTable(row: TableRow, types: Types, reader: ConditionReader): SampleTable {
  const rules = mergeRules(row.checks.map((check) => reader.columnRules(check.condition)))
  return {
    path: row.path,
    schema: row.schema,
    name: row.name,
    ...(row.kind === 'f' ? { obstacle: 'it is a foreign table, whose rows lie elsewhere' } : {}),
    columns: row.columns.map((column) => describeColumn(column, types, reader, rules[column.name] ?? noRules)),
    generated: row.generated,
    uniques: row.uniques,
    looseUniques: row.loose_uniques,
    checks: row.checks.map((check) => ({ ...check, isRead: reader.isRead(check.condition) })),
    exclusions: row.exclusions,
    foreignKeys: row.foreign_keys,
    ...(row.leaves ? { partitions: row.leaves.map((bounds) => describeLeaf(bounds, reader)) } : {}),
  }
}

function describeColumn(column: ColumnRow, types: Types, reader: ConditionReader, rules: Rules): SampleColumn {
  const { number, name, type, type_name: typeName, modifier, not_null, identity, counted } = column
  const sampleType = describeType(type, modifier, types, reader)
  const required = not_null || rules.notNull === true || (sampleType.kind === 'domain' && sampleType.notNull)
  const source = identity === 'a' ? 'identity' : identity === 'd' || counted ? 'sequence' : 'given'
  const { has_default: hasDefault, comment } = column
  return {
    number,
    name,
    type: sampleType,
    typeName,
    notNull: required,
    hasDefault,
    comment: comment ?? undefined,
    source,
    rules,
  }
}

function describeType(oid: number, modifier: number, types: Types, reader: ConditionReader): SampleType {
  const row = types.get(Number(oid))
  if (!row) return { kind: 'base', name: 'unknown', modifier }
  const deeper = (part: number, partModifier = -1) => describeType(part, partModifier, types, reader)
  if (row.kind === 'e') return { kind: 'enum', labels: row.labels }
  if (row.kind === 'd') return describeDomain(row, types, reader)
  if (row.kind === 'c')
    return { kind: 'composite', fields: row.fields.map((field) => deeper(field.type, field.modifier)) }
  if (row.subtype !== null) return { kind: 'range', subtype: deeper(row.subtype), multi: row.range !== null }
  const vector = row.name === 'int2vector' || row.name === 'oidvector'
  if (row.category === 'A' && row.element !== 0 && !vector) {
    return { kind: 'array', element: deeper(row.element, modifier), elementOid: row.element, delimiter: row.delimiter }
  }
  return { kind: 'base', name: row.name, modifier }
}

function describeDomain(row: TypeRow, types: Types, reader: ConditionReader): SampleType {
  const base = describeType(row.base, row.modifier, types, reader)
  const own = mergeRules(row.checks.map((check) => reader.columnRules(check)))['value'] ?? noRules
  const below = base.kind === 'domain' ? base : undefined
  return {
    kind: 'domain',
    base,
    notNull: row.not_null || own.notNull === true || below?.notNull === true,
    rules: joinRules(own, below?.rules ?? noRules),
  }
}

function describeLeaf(
  bounds: readonly { readonly bound: string; readonly key: readonly string[] }[],
  reader: ConditionReader,
): PartitionRules {
  return mergeRules(bounds.map(({ bound, key }) => reader.partitionRules(bound, key)))
}

function mergeRules(list: readonly Readonly<Record<string, Rules>>[]): Readonly<Record<string, Rules>> {
  const merged: Record<string, Rules> = {}
  for (const rules of list) {
    for (const [column, rule] of Object.entries(rules)) merged[column] = joinRules(merged[column] ?? noRules, rule)
  }
  return merged
}
