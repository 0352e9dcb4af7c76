export { formatBytes } from '../format-bytes.js'

/** `1234567` as `1,234,567`. */
export function formatCount(count: number | bigint): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** Milliseconds as people say them: `840 ms`, `3.2 s`, `4 min 05 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(1)} s`
  const seconds = Math.round(milliseconds / 1000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

/** A point in time to the second, in UTC: `2026-11-22 09:30:00Z`. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')}Z`
}

const hour = 3_600_000

/** How long ago or how long something is, roughly: `12 min 05 s`, `36 h`, `9 days`. */
export function formatAge(milliseconds: number): string {
  if (milliseconds < hour) return formatDuration(Math.max(0, milliseconds))
  if (milliseconds < 48 * hour) return `${Math.floor(milliseconds / hour)} h`
  return `${Math.floor(milliseconds / (24 * hour))} days`
}
