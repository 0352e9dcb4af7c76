import type { Window } from '../filters.js'

/** A part of a window, and the table that is read for it. */
export interface Stretch extends Window {
  readonly table: 'traces' | 'traces_hourly' | 'traces_daily'
}

/** The coarsest rollup that may be read; `none` reads traces alone. */
export type Coarsest = 'day' | 'hour' | 'none'

const hour = 3_600_000
const day = 24 * hour

/**
 * Cuts a window into stretches that a table answers exactly.
 *
 * Whole UTC days come from the daily rollup, whole hours at either side of them from
 * the hourly one, and what is left at the edges from traces. The stretches follow each
 * other without gap or overlap, so their sums are exact whatever the window.
 */
export function planStretches(window: Window, coarsest: Coarsest): readonly Stretch[] {
  const hours = coarsest === 'none' ? nothing(window) : whole(window, hour)
  const days = coarsest === 'day' ? whole(hours, day) : nothing(hours)
  const stretches: readonly Stretch[] = [
    { table: 'traces', from: window.from, to: hours.from },
    { table: 'traces_hourly', from: hours.from, to: days.from },
    { table: 'traces_daily', from: days.from, to: days.to },
    { table: 'traces_hourly', from: days.to, to: hours.to },
    { table: 'traces', from: hours.to, to: window.to },
  ]
  return stretches.filter(({ from, to }) => from < to)
}

/** The whole units inside a window. */
function whole(window: Window, unit: number): Window {
  const from = Math.ceil(window.from.getTime() / unit) * unit
  const to = Math.floor(window.to.getTime() / unit) * unit
  return from < to ? { from: new Date(from), to: new Date(to) } : nothing(window)
}

function nothing({ to }: Window): Window {
  return { from: to, to }
}
