import { nothingIn, type Observation, passed, skipped, violated } from '../check.js'
import {
  type ExpectedColumn,
  type ExpectedConstraint,
  expectedColumns,
  expectedConstraints,
  expectedRoutines,
  fewestTraceIndexes,
  fits,
  rollupColumns,
  rollups,
  traceIndexes,
} from './expected-schema.js'
import type { ObservabilityContext, ObservabilitySuite } from './facts.js'

/** Whether the database has the shape that the newest migration promises. */
export const schemaSuite: ObservabilitySuite = {
  name: 'schema',
  description: 'tables, columns, indexes, constraints and partitions are what the newest migration promises',
  checks: [
    {
      id: 'schema.platform',
      severity: 'info',
      description: 'An old server lacks what the migrations use.',
      expected: 'PostgreSQL 15 or newer',
      run: async ({ platform }) => checkPlatform(platform),
    },
    {
      id: 'schema.tables',
      severity: 'error',
      description: 'A missing table breaks whatever reads it.',
      expected: `the tables ${tableNames().join(', ')}, ${rollups.map(({ name }) => name).join(', ')}`,
      run: checkTables,
    },
    {
      id: 'schema.columns',
      severity: 'error',
      description: 'A missing column breaks whatever reads it.',
      expected: `the ${expectedColumns.length} columns of the newest version`,
      run: (context) => compareColumns(context, missingColumn),
    },
    {
      id: 'schema.column_types',
      severity: 'error',
      description: 'A narrower type refuses values that applications write.',
      expected: 'every column has the type of the newest version, or a wider one',
      run: (context) => compareColumns(context, wrongType),
    },
    {
      id: 'schema.required_columns',
      severity: 'error',
      description: 'A column that allows NULL will sooner or later hold one.',
      expected: 'every required column is declared NOT NULL',
      run: (context) => compareColumns(context, missingNotNull),
    },
    {
      id: 'schema.rollup_columns',
      severity: 'error',
      description: 'KPI queries read these columns of both rollups.',
      expected: `${rollups.map(({ name }) => name).join(' and ')} with ${rollupColumns.length} columns each`,
      run: checkRollupColumns,
    },
    {
      id: 'schema.trace_indexes',
      severity: 'error',
      description: 'Without its index a dashboard query reads every trace.',
      expected: `${traceIndexes.length} named indexes on traces`,
      run: checkTraceIndexes,
    },
    {
      id: 'schema.trace_index_count',
      severity: 'error',
      description: 'Too few indexes on traces slow down some question that was fast before.',
      expected: `at least ${fewestTraceIndexes} indexes on traces`,
      run: countTraceIndexes,
    },
    {
      id: 'schema.indexes_valid',
      severity: 'error',
      description: 'An invalid index costs every write and serves no read.',
      expected: 'no invalid index on any table of the schema',
      run: checkIndexesValid,
    },
    {
      id: 'schema.partition_indexes',
      severity: 'error',
      description: 'A partition without an index of its parent is slow in its month alone.',
      expected: 'every partition of traces has every index of traces',
      run: checkPartitionIndexes,
    },
    {
      id: 'schema.constraints',
      severity: 'error',
      description: 'A missing key or reference lets wrong rows in.',
      expected: `${expectedConstraints.length} primary keys, unique keys and references`,
      run: checkConstraints,
    },
    {
      id: 'schema.constraints_validated',
      severity: 'error',
      description: 'A constraint that was never validated says nothing about the rows that were there before it.',
      expected: 'every constraint of the schema is validated and enforced',
      run: checkConstraintsValidated,
    },
    {
      id: 'schema.partitioning',
      severity: 'error',
      description: 'One big table cannot drop or archive a month at once.',
      expected: 'traces is partitioned by range of timestamp (a hypertable on TimescaleDB)',
      run: checkPartitioning,
    },
    {
      id: 'schema.default_partition',
      severity: 'warning',
      description: 'Rows outside every month slow down queries on any month.',
      expected: 'the default partition of traces is empty',
      run: checkDefaultPartition,
    },
    {
      id: 'schema.routines',
      severity: 'error',
      description: 'Seeding and refreshing rollups call these functions.',
      expected: `the functions ${expectedRoutines.join(', ')}`,
      run: checkRoutines,
    },
    {
      id: 'schema.rollup_triggers',
      severity: 'error',
      description: 'With a trigger disabled, changed traces never reach the rollups.',
      expected: 'the triggers that log changes of traces for insert, update, delete and truncate are enabled',
      run: checkRollupTriggers,
    },
  ],
}

function checkPlatform({ serverVersion, displayVersion, extensions }: ObservabilityContext['platform']): Observation {
  const installed = Object.entries(extensions).map(([name, version]) => `${name} ${version}`)
  const observed = `PostgreSQL ${displayVersion} with ${installed.sort().join(', ') || 'no extension'}`
  return serverVersion >= 150_000 ? passed(observed) : violated(observed)
}

async function checkTables(context: ObservabilityContext): Promise<Observation> {
  const found = await context.once(columnsOfSchema)
  const wanted = [...tableNames(), ...rollups.map(({ name }) => name)]
  const missing = wanted.filter((name) => !found.has(name))
  return nothingIn(missing, `all ${wanted.length} tables`, (count) => `${count} of ${wanted.length} missing`)
}

function tableNames(): string[] {
  return [...new Set(expectedColumns.map((column) => column.table))]
}

interface FoundColumn {
  readonly type: string
  readonly required: boolean
}

type Finding = (expected: ExpectedColumn, found: FoundColumn | undefined) => string | undefined

const missingColumn: Finding = ({ table, name }, found) => (found ? undefined : `${table}.${name}`)

const wrongType: Finding = ({ table, name, type }, found) =>
  found === undefined || fits(found.type, type) ? undefined : `${table}.${name} is ${found.type}, not ${type}`

const missingNotNull: Finding = ({ table, name, required }, found) =>
  found === undefined || found.required || !required ? undefined : `${table}.${name}`

/** A table that is missing altogether is the finding of schema.tables alone. */
async function compareColumns(context: ObservabilityContext, compare: Finding): Promise<Observation> {
  const found = await context.once(columnsOfSchema)
  const present = expectedColumns.filter(({ table }) => found.has(table))
  if (present.length === 0) return skipped('none of the tables exists')
  const findings = present.flatMap((expected) => compare(expected, found.get(expected.table)?.get(expected.name)) ?? [])
  return nothingIn(findings, `all ${present.length} columns`, (count) => `${count} of ${present.length} columns differ`)
}

async function columnsOfSchema({
  session,
  schema,
}: ObservabilityContext): Promise<ReadonlyMap<string, ReadonlyMap<string, FoundColumn>>> {
  const rows = await session<{ table: string; name: string; type: string; required: boolean }[]>`
    select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where n.nspname = ${schema} and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition`
  const tables = new Map<string, Map<string, FoundColumn>>()
  for (const { table, name, type, required } of rows) {
    const columns = tables.get(table) ?? new Map<string, FoundColumn>()
    tables.set(table, columns.set(name, { type, required }))
  }
  return tables
}

async function checkRollupColumns(context: ObservabilityContext): Promise<Observation> {
  const found = await context.once(columnsOfSchema)
  const present = rollups.filter(({ name }) => found.has(name))
  if (present.length === 0) return skipped('neither rollup exists')
  const missing = present.flatMap(({ name }) =>
    rollupColumns.filter((column) => !found.get(name)?.has(column)).map((column) => `${name}.${column}`),
  )
  return nothingIn(missing, `${rollupColumns.length} columns each`, (count) => `${count} columns missing`)
}

interface TraceIndex {
  readonly name: string
  readonly partitions_without: readonly string[]
}

/** The indexes of traces itself; for each, the partitions that have no index attached to it. */
async function indexesOfTraces({ session }: ObservabilityContext): Promise<readonly TraceIndex[]> {
  return session<TraceIndex[]>`
    select x.relname as name,
           array(select p.inhrelid::regclass::text
                 from pg_inherits p
                 join pg_class partition on partition.oid = p.inhrelid and partition.relispartition
                 where p.inhparent = i.indrelid
                   and not exists (select from pg_inherits xi
                                   join pg_index child on child.indexrelid = xi.inhrelid
                                   where xi.inhparent = i.indexrelid and child.indrelid = p.inhrelid)
                 order by 1) as partitions_without
    from pg_index i
    join pg_class x on x.oid = i.indexrelid
    where i.indrelid = to_regclass('traces')
    order by 1`
}

async function checkTraceIndexes(context: ObservabilityContext): Promise<Observation> {
  if (!(await tracesExist(context))) return noTraces
  const names = (await context.once(indexesOfTraces)).map(({ name }) => name)
  const missing = traceIndexes.filter((name) => !names.includes(name))
  return nothingIn(missing, `all ${traceIndexes.length}`, (count) => `${count} of ${traceIndexes.length} missing`)
}

async function countTraceIndexes(context: ObservabilityContext): Promise<Observation> {
  if (!(await tracesExist(context))) return noTraces
  const { length } = await context.once(indexesOfTraces)
  return length >= fewestTraceIndexes ? passed(`${length} indexes`) : violated(`${length} indexes`)
}

async function checkIndexesValid({ session, schema }: ObservabilityContext): Promise<Observation> {
  const indexes = await session<{ name: string; usable: boolean }[]>`
    select i.indexrelid::regclass::text as name, i.indisvalid and i.indisready as usable
    from pg_index i
    join pg_class c on c.oid = i.indrelid
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${schema}
    order by 1`
  if (indexes.length === 0) return skipped('the schema has no index')
  const broken = indexes.filter(({ usable }) => !usable).map(({ name }) => name)
  return nothingIn(broken, `all ${indexes.length} valid`, (count) => `${count} of ${indexes.length} invalid`)
}

async function checkPartitionIndexes(context: ObservabilityContext): Promise<Observation> {
  if (context.platform.name === 'timescaledb') return hypertable
  const partitions = await context.once(partitionsOfTraces)
  if (partitions.length === 0) return skipped('traces has no partition')
  const indexes = await context.once(indexesOfTraces)
  const missing = indexes.flatMap(({ name, partitions_without }) =>
    partitions_without.map((partition) => `${partition}: ${name}`),
  )
  const good = `${indexes.length} indexes on each of ${partitions.length} partitions`
  return nothingIn(missing, good, (count) => `${count} indexes missing on partitions`)
}

async function partitionsOfTraces({ session }: ObservabilityContext): Promise<readonly string[]> {
  const rows = await session<{ name: string }[]>`
    select c.oid::regclass::text as name
    from pg_inherits i join pg_class c on c.oid = i.inhrelid and c.relispartition
    where i.inhparent = to_regclass('traces')
    order by 1`
  return rows.map(({ name }) => name)
}

interface FoundConstraint {
  readonly table: string
  readonly name: string
  readonly kind: string
  readonly columns: string
  readonly references: string | null
  readonly in_force: boolean
}

/** NOT ENFORCED came with PostgreSQL 18, so the column is asked for in a way that older servers understand. */
async function constraintsOfSchema({ session, schema }: ObservabilityContext): Promise<readonly FoundConstraint[]> {
  return session<FoundConstraint[]>`
    select c.relname as table, k.conname as name, k.contype as kind,
           (select string_agg(a.attname, ', ' order by key.place)
            from unnest(k.conkey) with ordinality key (attnum, place)
            join pg_attribute a on a.attrelid = k.conrelid and a.attnum = key.attnum) as columns,
           (select f.relname from pg_class f where f.oid = k.confrelid) as references,
           k.convalidated and coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) as in_force
    from pg_constraint k
    join pg_class c on c.oid = k.conrelid
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${schema} and k.contype in ('p', 'u', 'f', 'c')
    order by 1, 2`
}

async function checkConstraints(context: ObservabilityContext): Promise<Observation> {
  const found = await context.once(constraintsOfSchema)
  const tables = await context.once(columnsOfSchema)
  const wanted = expectedConstraints.filter(({ table }) => tables.has(table))
  if (wanted.length === 0) return skipped('none of the tables exists')
  const missing = wanted.filter((expected) => !found.some((constraint) => says(constraint, expected))).map(describe)
  return nothingIn(missing, `all ${wanted.length}`, (count) => `${count} of ${wanted.length} missing`)
}

function says(found: FoundConstraint, expected: ExpectedConstraint): boolean {
  const columns = (text: string) => text.split(', ').sort().join()
  return (
    found.table === expected.table &&
    found.kind === expected.kind &&
    columns(found.columns) === columns(expected.columns) &&
    (expected.references === undefined || found.references === expected.references)
  )
}

function describe({ table, kind, columns, references }: ExpectedConstraint): string {
  const kinds = { p: 'primary key', u: 'unique', f: 'foreign key' }
  return `${table}: ${kinds[kind]} (${columns})${references ? ` references ${references}` : ''}`
}

async function checkConstraintsValidated(context: ObservabilityContext): Promise<Observation> {
  const constraints = await context.once(constraintsOfSchema)
  if (constraints.length === 0) return skipped('the schema has no constraint')
  const doubtful = constraints.filter(({ in_force }) => !in_force).map(({ table, name }) => `${table}.${name}`)
  const good = `all ${constraints.length} in force`
  return nothingIn(doubtful, good, (count) => `${count} of ${constraints.length} not validated or not enforced`)
}

async function checkPartitioning(context: ObservabilityContext): Promise<Observation> {
  if (!(await tracesExist(context))) return noTraces
  return context.platform.name === 'timescaledb' ? checkHypertable(context) : checkPartitionKey(context)
}

async function checkPartitionKey(context: ObservabilityContext): Promise<Observation> {
  const [row] = await context.session<{ key: string | null }[]>`
    select pg_get_partkeydef(to_regclass('traces')) as key`
  const key = row?.key ?? 'no partition key'
  if (!/^RANGE \("?timestamp"?\)$/.test(key)) return violated(key)
  return passed(`${key}, ${(await context.once(partitionsOfTraces)).length} partitions`)
}

async function checkHypertable({ session, schema }: ObservabilityContext): Promise<Observation> {
  const [row] = await session<{ chunks: number }[]>`
    select num_chunks as chunks from timescaledb_information.hypertables
    where hypertable_schema = ${schema} and hypertable_name = 'traces'`
  return row ? passed(`a hypertable of ${row.chunks} chunks`) : violated('an ordinary table')
}

async function checkDefaultPartition(context: ObservabilityContext): Promise<Observation> {
  if (context.platform.name === 'timescaledb') return hypertable
  const [found] = await context.session<{ name: string }[]>`
    select partdefid::regclass::text as name from pg_partitioned_table
    where partrelid = to_regclass('traces') and partdefid <> 0`
  if (!found) return skipped('traces has no default partition')
  const [row] = await context.session.unsafe<{ rows: number; months: readonly string[] }[]>(`
    select sum(rows)::bigint as rows, array_agg(month order by month) as months
    from (select date_trunc('month', timestamp)::text as month, count(*) as rows
          from ${found.name} group by 1) by_month`)
  const rows = row?.rows ?? 0
  return rows === 0 ? passed('empty') : violated(`${rows} traces`, rows, row?.months.slice(0, 5) ?? [])
}

async function checkRoutines({ session, schema }: ObservabilityContext): Promise<Observation> {
  const rows = await session<{ name: string }[]>`
    select p.proname as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = ${schema}`
  const missing = expectedRoutines.filter((name) => !rows.some((row) => row.name === name))
  return nothingIn(
    missing,
    `all ${expectedRoutines.length}`,
    (count) => `${count} of ${expectedRoutines.length} missing`,
  )
}

/** Bits of pg_trigger.tgtype: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_trigger.h */
const triggerEvents = { insert: 4, delete: 8, update: 16, truncate: 32 } as const

async function checkRollupTriggers(context: ObservabilityContext): Promise<Observation> {
  if (context.platform.name === 'timescaledb') return skipped('continuous aggregates need no trigger')
  if (!(await tracesExist(context))) return noTraces
  const triggers = await context.session<{ type: number }[]>`
    select tgtype::int as type from pg_trigger
    where tgrelid = to_regclass('traces') and not tgisinternal and tgenabled in ('O', 'A')`
  const missing = Object.entries(triggerEvents).filter(([, bit]) => !triggers.some(({ type }) => (type & bit) !== 0))
  const names = missing.map(([event]) => event)
  return nothingIn(names, `${triggers.length} triggers enabled`, () => `no enabled trigger for ${names.join(', ')}`)
}

async function tracesExist(context: ObservabilityContext): Promise<boolean> {
  return (await context.once(columnsOfSchema)).has('traces')
}

const noTraces = skipped('the table traces is missing')
const hypertable = skipped('TimescaleDB keeps chunks, not partitions')
