import type { Session } from '../database/connect.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'
import type { Stretch } from './pack.js'

/** A table that is partitioned by ranges of its time column. */
export interface Partitioning {
  readonly partitions: readonly Partition[]
  readonly defaultPartition: string | undefined
}

export interface Partition extends Stretch {
  readonly name: string
}

/**
 * How the rows of a month get into their table.
 *
 * `attach`: the table they were loaded into becomes the partition, in the place of
 * `replaces` if there is one that holds nothing worth keeping. `merge`: they are inserted
 * into the table. `ensure`: the same, once the table's own function has made the partition,
 * because rows of that month lie in the default one.
 */
export type Placement = { readonly way: 'attach'; readonly replaces?: string } | { readonly way: 'merge' | 'ensure' }

interface PartitionRow {
  readonly name: string
  readonly is_default: boolean
  readonly from: number | null
  readonly to: number | null
}

/** How a table is partitioned, or undefined when it is not by ranges of `timeColumn` alone. */
export async function readPartitioning(
  session: Session,
  schema: string,
  table: string,
  timeColumn: string,
): Promise<Partitioning | undefined> {
  const [key] = await session<{ strategy: string; column: string | null }[]>`
    select p.partstrat as strategy, a.attname as column
    from pg_partitioned_table p
    left join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0] and p.partnatts = 1
    where p.partrelid = ${quoteQualified(schema, table)}::regclass`
  if (key?.strategy !== 'r' || key.column !== timeColumn) return undefined
  const rows = await session<PartitionRow[]>`
    select name, bound = 'DEFAULT' as is_default,
           (extract(epoch from substring(bound from $$FROM [(]'([^']*)'[)]$$)::timestamptz) * 1000)::float8 as from,
           (extract(epoch from substring(bound from $$TO [(]'([^']*)'[)]$$)::timestamptz) * 1000)::float8 as to
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    cross join lateral (select c.relname::text as name, pg_get_expr(c.relpartbound, c.oid) as bound) b
    where i.inhparent = ${quoteQualified(schema, table)}::regclass
    order by name`
  return {
    partitions: rows
      .filter((row) => !row.is_default)
      .map(({ name, from, to }) => ({
        name,
        from: from ?? Number.NEGATIVE_INFINITY,
        to: to ?? Number.POSITIVE_INFINITY,
      })),
    defaultPartition: rows.find((row) => row.is_default)?.name,
  }
}

/** The months of UTC that a stretch touches. */
export function monthsOf({ from, to }: Stretch): readonly Stretch[] {
  const months: Stretch[] = []
  for (let start = monthStart(from, 0); start < to; start = monthStart(start, 1)) {
    months.push({ from: start, to: monthStart(start, 1) })
  }
  return months
}

/**
 * Decides how the rows of a month get into their table.
 *
 * `replaceable` names partitions whose rows are all to be replaced; `isInDefault` says
 * whether the default partition has rows of that month.
 */
export function placeMonth(
  month: Stretch,
  { partitions }: Partitioning,
  replaceable: ReadonlySet<string>,
  isInDefault: boolean,
): Placement {
  const existing = partitions.filter(({ from, to }) => from < month.to && to > month.from)
  if (existing.length === 0) return { way: isInDefault ? 'ensure' : 'attach' }
  const whole = existing.find(({ from, to }) => from === month.from && to === month.to)
  if (whole && replaceable.has(whole.name)) return { way: 'attach', replaces: whole.name }
  return { way: 'merge' }
}

/** The months of which the default partition holds rows, as the times at which they begin. */
export async function monthsInDefault(
  session: Session,
  schema: string,
  partition: string,
  timeColumn: string,
): Promise<ReadonlySet<number>> {
  const time = quoteIdentifier(timeColumn)
  const rows = await session.unsafe<{ month: number }[]>(`
    select distinct (extract(epoch from date_trunc('month', ${time}, 'UTC')) * 1000)::float8 as month
    from ${quoteQualified(schema, partition)} where isfinite(${time})`)
  return new Set(rows.map(({ month }) => month))
}

/** `traces_y2026m09` */
export function partitionName(table: string, month: Stretch): string {
  const [year, number] = new Date(month.from).toISOString().split('-')
  return `${table}_y${year}m${number}`
}

function monthStart(time: number, later: number): number {
  const date = new Date(time)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later, 1)
}
