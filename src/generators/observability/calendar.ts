export const dayMs = 86_400_000
export const hourMs = 3_600_000

/** Days since 1970-01-01, in UTC. */
export function epochDay(time: number): number {
  return Math.floor(time / dayMs)
}

/** Saturday or Sunday, in UTC. 1970-01-01 was a Thursday. */
export function isWeekend(day: number): boolean {
  const weekday = (((day + 4) % 7) + 7) % 7
  return weekday === 0 || weekday === 6
}

/** How the traffic of a day spreads over its hours; the traffic within an hour is even. */
export interface DayCurve {
  /** The share of a day's traffic that comes before `offset` milliseconds after midnight. */
  shareBefore(offset: number): number
  /** The offset before which the share `u` of a day's traffic comes: the inverse of `shareBefore`. */
  offsetAt(u: number): number
}

export function dayCurve(weights: readonly number[]): DayCurve {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const starts = new Float64Array(25)
  for (let hour = 0; hour < 24; hour++) starts[hour + 1] = at(starts, hour) + (weights[hour] ?? 0) / total
  starts[24] = 1
  return {
    shareBefore(offset) {
      const hour = Math.min(23, Math.floor(offset / hourMs))
      const within = offset / hourMs - hour
      return at(starts, hour) + within * (at(starts, hour + 1) - at(starts, hour))
    },
    offsetAt(u) {
      let hour = 0
      while (hour < 23 && at(starts, hour + 1) <= u) hour++
      const within = (u - at(starts, hour)) / (at(starts, hour + 1) - at(starts, hour))
      return (hour + within) * hourMs
    },
  }
}

function at(values: Float64Array, index: number): number {
  return values[index] ?? 0
}
