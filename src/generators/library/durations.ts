import { z } from 'zod'

const units: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1000,
  s: 1_000_000,
  second: 1_000_000,
  m: 60_000_000,
  min: 60_000_000,
  minute: 60_000_000,
  h: 3_600_000_000,
  hour: 3_600_000_000,
  d: 86_400_000_000,
  day: 86_400_000_000,
  w: 604_800_000_000,
  week: 604_800_000_000,
}

/** The microseconds of a duration such as `90 s`, `12h` or `3 days`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const [, amount, name = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text) ?? []
  const unit = units[name.toLowerCase()] ?? units[name.toLowerCase().replace(/s$/, '')]
  return amount === undefined || unit === undefined ? undefined : Number(amount) * unit
}

/** A duration as an option. */
export const duration = z
  .string()
  .refine((text) => parseDuration(text) !== undefined, 'must be a duration, for example "90 s", "12 hours" or "3 days"')

/** A point in time as an option: an ISO date or time, UTC unless it says otherwise. */
export const pointInTime = z
  .string()
  .refine((text) => !Number.isNaN(parseTime(text)), 'must be an ISO date or time, for example "2026-11-22"')

/** Microseconds since 1970. */
export function parseTime(text: string): number {
  const isTime = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(text)
  if (!isTime) return Number.NaN
  const isZoned = text.length === 10 || /(Z|[+-]\d{2}:?\d{2})$/.test(text.slice(10))
  return Date.parse(isZoned ? text.replace(' ', 'T') : `${text.replace(' ', 'T')}Z`) * 1000
}

export function microsecondsOf(text: string): number {
  return parseDuration(text) ?? 0
}
