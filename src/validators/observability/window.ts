import type { SeedRun } from './seed-runs.js'

export const hourMs = 3_600_000
export const dayMs = 24 * hourMs

/** What an hour of the week (UTC) is to people who work. */
export type KindOfHour = 'business' | 'evening' | 'weekend'

/** The hours from 9:00 to 17:00 on Monday to Friday are business. */
export function kindOfHour(start: number): KindOfHour {
  if (isWeekend(start)) return 'weekend'
  const hour = new Date(start).getUTCHours()
  return hour >= 9 && hour < 17 ? 'business' : 'evening'
}

/** The starts of the UTC hours that lie in the window as a whole. */
export function wholeHours({ window_from, window_to }: SeedRun): readonly number[] {
  return wholeSteps(window_from.getTime(), window_to.getTime(), hourMs)
}

/** The starts of the UTC days that lie in the window as a whole. */
export function wholeDays({ window_from, window_to }: SeedRun): readonly number[] {
  return wholeSteps(window_from.getTime(), window_to.getTime(), dayMs)
}

export function isWeekend(time: number): boolean {
  const weekday = new Date(time).getUTCDay()
  return weekday === 0 || weekday === 6
}

/** The start of the UTC day that `time` lies in. */
export function dayOf(time: number): number {
  return Math.floor(time / dayMs) * dayMs
}

function wholeSteps(from: number, to: number, step: number): number[] {
  const first = Math.ceil(from / step)
  const end = Math.floor(to / step)
  return Array.from({ length: Math.max(0, end - first) }, (_, index) => (first + index) * step)
}
