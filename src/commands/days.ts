import { InvalidArgumentError } from 'commander'

/** Reads a number of days from 1 to 3650. */
export function wholeDays(text: string): number {
  const days = Number(text)
  if (/^\d+$/.test(text) && days >= 1 && days <= 3650) return days
  throw new InvalidArgumentError('Give a whole number of days from 1 to 3650.')
}

/** Midnight, UTC, of the day that `time` is in. */
export function startOfDay(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 86_400_000) * 86_400_000)
}
