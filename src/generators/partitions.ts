import type { Session } from '../database/connect.js'
import { quoteQualified } from '../database/quote.js'
import type { Stretch } from './pack.js'

/** A table that is partitioned by ranges of its time column. */
export interface Partitioning {
  readonly partitions: readonly Partition[]
  readonly defaultPartition: string | undefined
}

export interface Partition extends Stretch {
  readonly name: string
}

/** A piece of a run's window and the way its rows go into the table. */
export interface Piece {
  /** The part of the month that lies in the window. */
  readonly stretch: Stretch
  readonly month: Stretch
  /** The name that the partition of the month has or gets. */
  readonly partition: string
  /**
   * `detached`: a new partition is filled and indexed on its own, and attached at the end.
   * `parent`: the rows go in through the table. `ensure`: the same, once the table's own
   * function has made the partition, because rows of that month lie in the default one.
   */
  readonly way: 'detached' | 'parent' | 'ensure'
  /** The detached partition takes the place of one that holds nothing worth keeping. */
  readonly replaces: boolean
}

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
 * Decides how each month of a window is loaded.
 *
 * `replaceable` names partitions whose rows are all to be replaced; `inDefault` says
 * which months have rows in the default partition.
 */
export function planPieces(
  table: string,
  window: Stretch,
  partitioning: Partitioning,
  replaceable: ReadonlySet<string>,
  inDefault: (month: Stretch) => boolean,
): readonly Piece[] {
  return monthsOf(window).map((month) => {
    const stretch = { from: Math.max(window.from, month.from), to: Math.min(window.to, month.to) }
    const existing = partitioning.partitions.filter(({ from, to }) => from < month.to && to > month.from)
    const whole = existing.find(({ from, to }) => from === month.from && to === month.to)
    const replaces = whole !== undefined && replaceable.has(whole.name)
    const isFree = existing.length === 0 && !inDefault(month)
    const makesRoom = existing.length === 0 && inDefault(month)
    return {
      stretch,
      month,
      partition: whole?.name ?? partitionName(table, month),
      way: isFree || replaces ? 'detached' : makesRoom ? 'ensure' : 'parent',
      replaces,
    }
  })
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
