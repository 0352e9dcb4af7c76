/** How events are spread over a window: as likely as each other within an hour, and more or less likely from hour to hour. */
export interface Intensity {
  /** The share of events before `time`. */
  cdf(time: number): number
  /** The time before which a share `u` of the events lies, 0 <= u < 1. */
  quantile(u: number): number
}

const hour = 3_600_000_000

export interface Rhythm {
  /** 24 weights by hour of the day, in UTC. */
  readonly hours?: readonly number[] | undefined
  /** 7 weights by day of the week, from Monday. */
  readonly weekdays?: readonly number[] | undefined
  /** The last day has this many times the events of the first. */
  readonly growth?: number | undefined
}

/** Spreads events over a window in microseconds since 1970. */
export function intensity(from: number, to: number, { hours, weekdays, growth = 1 }: Rhythm): Intensity {
  const first = Math.floor(from / hour)
  const count = Math.max(1, Math.ceil(to / hour) - first)
  const before = new Float64Array(count + 1)
  for (let i = 0; i < count; i++) {
    const start = Math.max(from, (first + i) * hour)
    const end = Math.min(to, (first + i + 1) * hour)
    const weight = (hours?.[(first + i) % 24] ?? 1) * (weekdays?.[weekdayOf(first + i)] ?? 1)
    before[i + 1] = (before[i] ?? 0) + Math.max(0, end - start) * weight * growth ** (i / count)
  }
  const sum = before[count] ?? 0
  const at = (i: number) => (before[i] ?? 0) / sum
  return {
    cdf(time) {
      if (time <= from) return 0
      if (time >= to) return 1
      const i = Math.floor(time / hour) - first
      const start = Math.max(from, (first + i) * hour)
      const end = Math.min(to, (first + i + 1) * hour)
      return at(i) + ((time - start) / (end - start)) * (at(i + 1) - at(i))
    },
    quantile(u) {
      const i = lastAtMost(before, u * sum)
      const start = Math.max(from, (first + i) * hour)
      const end = Math.min(to, (first + i + 1) * hour)
      const share = (u - at(i)) / (at(i + 1) - at(i))
      return Math.min(to - 1, Math.floor(start + share * (end - start)))
    },
  }
}

/** The day of the week of an hour since 1970, Monday 0; 1 January 1970 was a Thursday. */
function weekdayOf(hourNumber: number): number {
  return (Math.floor(hourNumber / 24) + 3) % 7
}

/** The last index below the end whose value is at most `target` and that has something behind it. */
function lastAtMost(sums: Float64Array, target: number): number {
  let low = 0
  let high = sums.length - 2
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((sums[middle] ?? 0) <= target) low = middle
    else high = middle - 1
  }
  // An hour without weight has no events.
  while (low > 0 && sums[low + 1] === sums[low]) low--
  return low
}
