import { epochDay } from './calendar.js'
import type { TraceSource } from './trace-source.js'
import { TraceDrawer } from './traces.js'
import type { User } from './users.js'

/**
 * When each user was there last, in milliseconds since 1970; 0 for users who never were.
 *
 * From the last day backwards and only as far as somebody is missing; of most
 * conversations no more is drawn than whose they are.
 */
export function lastSeen(source: TraceSource): Float64Array {
  const { volume, population, window } = source
  const seen = new Float64Array(population.users.length)
  const missing = new Set(population.users.filter((user) => user.signedUpAt < window.to).map(({ index }) => index))
  const drawer = new TraceDrawer(source)
  for (let day = volume.firstDay + volume.dayCount - 1; day >= volume.firstDay && missing.size > 0; day--) {
    const found = lookAtDay(drawer, source, day, missing)
    for (const [user, time] of found) {
      seen[user] = time
      missing.delete(user)
    }
    forgetGone(missing, population.users, day)
  }
  return seen
}

function lookAtDay(
  drawer: TraceDrawer,
  { population }: TraceSource,
  day: number,
  missing: ReadonlySet<number>,
): Map<number, number> {
  const found = new Map<number, number>()
  drawer.openDay(day)
  for (const agent of population.agents) {
    drawer.openAgent(agent)
    for (let size = drawer.peek(); size > 0; size = drawer.peek()) {
      const { user } = drawer.trace
      if (!missing.has(user)) {
        drawer.skip(size)
        continue
      }
      for (let n = 0; n < size; n++) drawer.draw()
      const { midnight, micros } = drawer.trace
      found.set(user, Math.max(found.get(user) ?? 0, midnight + micros / 1000))
    }
  }
  return found
}

/** Nobody is there before the day after the sign-up, so that looking for him further back is in vain. */
function forgetGone(missing: Set<number>, users: readonly User[], day: number): void {
  for (const index of missing) if (epochDay(users[index]?.signedUpAt ?? 0) >= day - 1) missing.delete(index)
}
