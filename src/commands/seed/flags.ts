import { InvalidArgumentError } from 'commander'

export function parseSeed(text: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text.trim()) && Number.isSafeInteger(number)) return number
  throw new InvalidArgumentError(`--seed is a whole number from 0 to ${Number.MAX_SAFE_INTEGER}.`)
}

export function parseScale(text: string): number {
  const factor = Number(text)
  if (text.trim() !== '' && factor > 0 && factor <= 1000) return factor
  throw new InvalidArgumentError('--scale is a number above 0 and up to 1000.')
}

export function parseUuid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase()
  throw new InvalidArgumentError('--workspace is a UUID, for example 8f14e45f-ceea-4e7a-9b1c-0242ac120001.')
}

/** An ISO date or time; without an offset it is UTC, whatever the machine's time zone. */
export function parseAsOf(text: string): Date {
  const [, date, time, offset] =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(text.trim()) ?? []
  const asOf = new Date(`${date}T${time ?? '00:00'}${offset ?? 'Z'}`)
  if (date === undefined || !isRealDate(date) || Number.isNaN(asOf.getTime())) {
    throw new InvalidArgumentError('--as-of is an ISO date or time, for example 2026-11-22 or 2026-11-22T09:30:00Z.')
  }
  if (asOf.getTime() > Date.now()) throw new InvalidArgumentError('--as-of lies in the future; the history ends there.')
  return asOf
}

/** JavaScript takes 30 February for 1 March. */
function isRealDate(date: string): boolean {
  const parsed = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(date)
}

export function parseWorkers(text: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text.trim()) && number >= 1 && number <= 64) return number
  throw new InvalidArgumentError('--workers is a whole number from 1 to 64.')
}

export function parseRows(text: string): number {
  const rows = Number(text)
  if (/^\d+$/.test(text.trim()) && rows >= 1 && rows <= 1_000_000_000) return rows
  throw new InvalidArgumentError('--rows is a whole number from 1 to 1,000,000,000.')
}
