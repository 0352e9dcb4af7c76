import { poisson } from '../distributions.js'
import { Random, type StreamKey } from '../random.js'
import type { ParentRows } from './generator.js'
import type { RowsPer } from './spec.js'

/** Rows counted per row of another table. */
export interface CountedRows extends ParentRows {
  readonly rows: number
}

/** Parents whose counts are added up together; the sums are kept, the counts drawn again. */
const bucket = 64

/** Parents beyond this would take more than 64 MiB for the sums alone. */
export const mostParents = 500_000_000

/**
 * Says which rows belong to which parent.
 *
 * The number of rows of a parent is a function of the parent alone. What is kept is one
 * sum for every 64 parents, so that a hundred million parents cost 12 MiB.
 *
 * @param parents how many there are. @param first the number of the first row.
 */
export function countPerParent(
  key: StreamKey,
  table: string,
  parents: number,
  first: number,
  spec: RowsPer,
): CountedRows {
  const random = new Random()
  const count = counter(spec)
  const countOf = (parent: number) =>
    count(random.seat(key, parent % 0x1_0000_0000, Math.floor(parent / 0x1_0000_0000)))
  const sums = new Float64Array(Math.ceil(parents / bucket) + 1)
  let most = 0
  let total = 0
  for (let parent = 0; parent < parents; parent++) {
    if (parent % bucket === 0) sums[parent / bucket] = total
    const rows = countOf(parent)
    if (rows > most) most = rows
    total += rows
  }
  sums[sums.length - 1] = total
  // The parent of the last row asked for: rows are mostly asked for in order.
  let place = { parent: 0, from: 0, to: parents > 0 ? countOf(0) : 0 }
  const find = (row: number) => {
    const index = row - first
    if (index >= place.from && index < place.to) return place
    let { parent, from, to } = place
    if (index < from || index >= to + bucket * Math.max(1, most)) {
      const number = lastAtMost(sums, index)
      parent = number * bucket
      from = sums[number] ?? 0
      to = from + countOf(parent)
    }
    while (index >= to) {
      parent++
      from = to
      to = from + countOf(parent)
    }
    place = { parent, from, to }
    return place
  }
  return {
    table,
    most,
    rows: total,
    of: (row) => find(row).parent,
    nth: (row) => row - first - find(row).from,
  }
}

function counter({
  mean,
  spread = 'poisson',
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
}: RowsPer): (random: Random) => number {
  const within = (count: number) => Math.min(max, Math.max(min, count))
  if (spread === 'fixed') return () => within(Math.round(mean))
  if (spread === 'poisson') return (random) => within(poisson(random, mean))
  // Geometric: every further row is as likely as the one before it.
  const logRatio = Math.log(mean / (1 + mean))
  return (random) => within(Math.floor(Math.log(1 - random.uniform53()) / logRatio))
}

/** The last index whose sum is at most `target` and whose successor's is greater. */
function lastAtMost(sums: Float64Array, target: number): number {
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((sums[middle] ?? 0) <= target) low = middle
    else high = middle - 1
  }
  return low
}
