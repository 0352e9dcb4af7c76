import { z } from 'zod'
import { UsageError } from '../errors.js'

/** The filters of a KPI question as a person writes them; flags of `obs query` have the same names. */
export interface FilterText {
  /** A length of time that ends now: `24h`, `30d`, `12w`. */
  readonly range?: string
  /** ISO date or time; without an offset it is UTC. */
  readonly from?: string
  readonly to?: string
  /** What "now" is. */
  readonly asOf?: string
  /** A UUID or a workspace code. */
  readonly workspace?: string
  readonly department?: string
  readonly environment?: string
  readonly version?: string
}

/** A half-open stretch of time: `from` belongs to it, `to` does not. */
export interface Window {
  readonly from: Date
  readonly to: Date
}

/** The filters of a KPI question, checked as far as that goes without a database. */
export interface KpiFilters {
  /** The range as it was asked for, or undefined when both ends were named. */
  readonly range: string | undefined
  readonly window: Window
  readonly workspace: string | undefined
  readonly department: string | undefined
  readonly environment: string | undefined
  readonly version: string | undefined
}

export const defaultRange = '30d'

const hour = 3_600_000
const unitLength: Readonly<Record<string, number>> = { h: hour, d: 24 * hour, w: 7 * 24 * hour }
/** Ten years: longer ranges are slips of the finger. */
const longestRange = 3660 * 24 * hour

const isoDate = z.iso.date()
const isoTime = z.iso.datetime({ offset: true, local: true })

/**
 * Reads the filters of a question.
 *
 * The window ends at `to`, else at `asOf`, else at `now`, and reaches back by `range`
 * unless `from` names where it begins. Nothing after `asOf` is ever part of an answer,
 * so that the same question has the same answer tomorrow.
 *
 * @throws UsageError naming the flag that cannot be used.
 */
export function parseFilters(text: FilterText, now: Date = new Date()): KpiFilters {
  const { workspace, department, environment, version } = text
  return { ...parseWindow(text, now), workspace, department, environment, version }
}

/**
 * Milliseconds of a range such as `24h`, `30d` or `12w`.
 *
 * @throws UsageError naming `flag`.
 */
export function parseRange(text: string, flag = '--range'): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([hdw])$/.exec(text) ?? []
  const length = Number(count) * (unitLength[unit] ?? 0)
  if (length > 0 && length <= longestRange) return length
  const reason = length > longestRange ? 'is longer than ten years' : 'is not a range of time'
  throw invalid(flag, text, reason, 'Write a number of hours, days or weeks, for example 24h, 30d or 12w.')
}

/** The window of the same length that ends where this one begins. */
export function windowBefore(window: Window): Window {
  return { from: new Date(2 * window.from.getTime() - window.to.getTime()), to: window.from }
}

function parseWindow(text: FilterText, now: Date): Pick<KpiFilters, 'range' | 'window'> {
  if (text.range !== undefined && text.from !== undefined) {
    throw new UsageError('--range and --from both say where the range begins', { hint: 'Give one of the two.' })
  }
  const to = parseEnd(text, now)
  if (text.from === undefined) {
    const range = text.range ?? defaultRange
    return { range, window: checked({ from: new Date(to.getTime() - parseRange(range)), to }) }
  }
  return { range: undefined, window: checked({ from: parseTime(text.from, '--from'), to }) }
}

function parseEnd(text: FilterText, now: Date): Date {
  const asOf = text.asOf === undefined ? now : parseTime(text.asOf, '--as-of')
  if (asOf > now) throw invalid('--as-of', text.asOf ?? '', 'is in the future', 'Name a time that has passed.')
  if (text.to === undefined) return asOf
  const to = parseTime(text.to, '--to')
  if (to > asOf) {
    throw invalid(
      '--to',
      text.to,
      `is later than ${asOf.toISOString()}`,
      'Leave --to away to ask about the time until now.',
    )
  }
  return to
}

function checked(window: Window): Window {
  const length = window.to.getTime() - window.from.getTime()
  if (length <= 0) {
    throw new UsageError(
      `--from ${window.from.toISOString()} is not before the end of the range, ${window.to.toISOString()}`,
      { hint: 'Name a --from that lies before --to (or --as-of).' },
    )
  }
  if (length > longestRange) {
    throw new UsageError(`--from ${window.from.toISOString()} lies more than ten years before the end of the range`, {
      hint: 'Name a later --from.',
    })
  }
  return window
}

function parseTime(text: string, flag: string): Date {
  if (isoDate.safeParse(text).success) return new Date(`${text}T00:00:00Z`)
  if (isoTime.safeParse(text).success) return new Date(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`)
  throw invalid(flag, text, 'is not an ISO date or time', 'Write it as 2026-11-22 or 2026-11-22T09:30:00Z.')
}

function invalid(flag: string, text: string, reason: string, hint: string): UsageError {
  return new UsageError(`${flag} ${JSON.stringify(text)} ${reason}`, {
    code: 'invalid_filter',
    hint,
    details: { flag, value: text },
  })
}
