import { describe, expect, it } from 'vitest'
import type { SeedRun } from '../../../src/validators/observability/seed-runs.js'
import { dayOf, isWeekend, kindOfHour, wholeDays, wholeHours } from '../../../src/validators/observability/window.js'

describe('an hour of the week', () => {
  it.each([
    ['2026-11-20T08:00:00Z', 'evening'],
    ['2026-11-20T09:00:00Z', 'business'],
    ['2026-11-20T16:00:00Z', 'business'],
    ['2026-11-20T17:00:00Z', 'evening'],
    ['2026-11-21T12:00:00Z', 'weekend'],
    ['2026-11-22T23:00:00Z', 'weekend'],
    ['2026-11-23T00:00:00Z', 'evening'],
  ])('%s is %s', (time, kind) => {
    expect(kindOfHour(Date.parse(time))).toBe(kind)
  })
})

describe('a window', () => {
  const run = window('2026-11-20T09:30:00Z', '2026-11-23T08:15:00Z')

  it('has the days that lie in it from midnight to midnight', () => {
    expect(wholeDays(run).map((day) => new Date(day).toISOString().slice(0, 10))).toEqual(['2026-11-21', '2026-11-22'])
    expect(wholeDays(run).every(isWeekend)).toBe(true)
  })

  it('has the hours that lie in it as a whole', () => {
    const hours = wholeHours(run)
    expect(new Date(hours[0] ?? 0).toISOString()).toBe('2026-11-20T10:00:00.000Z')
    expect(new Date(hours.at(-1) ?? 0).toISOString()).toBe('2026-11-23T07:00:00.000Z')
  })

  it('shorter than an hour has neither', () => {
    const short = window('2026-11-20T09:10:00Z', '2026-11-20T09:50:00Z')
    expect([wholeDays(short), wholeHours(short)]).toEqual([[], []])
  })

  it('starts each day at midnight UTC', () => {
    expect(new Date(dayOf(Date.parse('2026-11-20T23:59:59.999Z'))).toISOString()).toBe('2026-11-20T00:00:00.000Z')
  })
})

function window(from: string, to: string): SeedRun {
  return {
    run_id: 'r',
    profile: 'demo',
    seed: 42,
    days: 90,
    as_of: new Date(0),
    ordinal: 0,
    population: null,
    part_id: null,
    rank: null,
    workspace_id: '',
    window_from: new Date(from),
    window_to: new Date(to),
    started_at: new Date(to),
    scale: 1,
    incidents: [],
  }
}
