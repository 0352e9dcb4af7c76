import { type Window, windowBefore } from '../filters.js'

export type Step = 'hour' | 'day'

const lengths = { hour: 3_600_000, day: 24 * 3_600_000 } as const

/** The window of the question and the one of the same length before it, as `sumFacts` names periods. */
export function withPeriodBefore(window: Window): { readonly current: Window; readonly previous: Window } {
  return { current: window, previous: windowBefore(window) }
}

/** Hours for a window of up to three days, UTC days for a longer one. */
export function stepOf(window: Window): Step {
  return window.to.getTime() - window.from.getTime() <= 3 * lengths.day ? 'hour' : 'day'
}

/** The start of every hour or UTC day that the window touches. */
export function stepsOf(window: Window, step: Step): readonly Date[] {
  const length = lengths[step]
  const first = Math.floor(window.from.getTime() / length)
  const last = Math.ceil(window.to.getTime() / length)
  return Array.from({ length: last - first }, (_, index) => new Date((first + index) * length))
}

/**
 * What a monthly amount comes to in a window: of every UTC month the share that the window covers.
 *
 * A whole month is one whole amount, whatever its length.
 */
export function monthsIn(window: Window): number {
  let months = 0
  for (let start = monthStart(window.from, 0); start < window.to; start = monthStart(start, 1)) {
    const end = monthStart(start, 1)
    const from = Math.max(start.getTime(), window.from.getTime())
    const to = Math.min(end.getTime(), window.to.getTime())
    months += (to - from) / (end.getTime() - start.getTime())
  }
  return months
}

function monthStart(time: Date, offset: number): Date {
  return new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + offset, 1))
}
