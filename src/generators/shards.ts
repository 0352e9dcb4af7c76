import type { FactTable, Stretch } from './pack.js'
import type { Partitioning } from './partitions.js'
import { monthsOf, partitionName } from './partitions.js'
import type { Wanted } from './row-source.js'

/** A part of a run that is generated, loaded and recorded by itself: rows of one table, of one partition at most. */
export interface Shard {
  readonly fact: FactTable
  /** The fact table's place in the plan, and the shard's within the table, from 1. */
  readonly table: number
  readonly number: number
  readonly stretch: Stretch
  /** The range of the partition that all rows belong to, when the table is partitioned by months. */
  readonly month?: Stretch
  /** The name of the table that the rows are loaded into; that of their partition, if there is one. */
  readonly name: string
}

/** Rows of a shard, where a stretch is a range of rows. */
const rowsPerShard = 500_000

/**
 * Cuts the rows of fact tables into shards, the same way every time.
 *
 * @param partitioned says how a table is partitioned by its time column, if it is.
 */
export function cutIntoShards(
  facts: readonly FactTable[],
  window: Stretch,
  partitioned: (fact: FactTable) => Partitioning | undefined,
): readonly Shard[] {
  return facts.flatMap((fact, table) => {
    if (fact.axis === 'rows') return rangesOf(fact.rows ?? 0).map((stretch, i) => merged(fact, table, i + 1, stretch))
    const isPartitioned = partitioned(fact) !== undefined
    return monthsOf(window).map((month, i) => {
      const stretch = { from: Math.max(window.from, month.from), to: Math.min(window.to, month.to) }
      if (!isPartitioned) return merged(fact, table, i + 1, stretch)
      return { fact, table, number: i + 1, stretch, month, name: partitionName(fact.table, month) }
    })
  })
}

export function wantedOf({ table, stretch }: Shard, firstNumber: number | undefined): Wanted {
  return { fact: table, stretch, firstNumber }
}

function merged(fact: FactTable, table: number, number: number, stretch: Stretch): Shard {
  return { fact, table, number, stretch, name: `shard_${table + 1}_${number}` }
}

function rangesOf(rows: number): readonly Stretch[] {
  const count = Math.ceil(rows / rowsPerShard)
  return Array.from({ length: count }, (_, i) => ({
    from: i * rowsPerShard,
    to: Math.min(rows, (i + 1) * rowsPerShard),
  }))
}
