import { describe, expect, it } from 'vitest'
import { makeAgents } from '../../../src/generators/observability/agents.js'
import { dayCurve, dayMs, epochDay, isWeekend } from '../../../src/generators/observability/calendar.js'
import { departments } from '../../../src/generators/observability/departments.js'
import { profileCalled } from '../../../src/generators/observability/profiles.js'
import { makeUsers } from '../../../src/generators/observability/users.js'
import { planVolume } from '../../../src/generators/observability/volume.js'
import { asOf, planOf } from './history.js'

const demo = profileCalled('demo')
const seeds = Array.from({ length: 40 }, (_, seed) => seed)
const to = asOf.getTime()
const from = to - 90 * dayMs

describe('the fleet', () => {
  it.each(seeds)('of seed %d has 80 to 100 agents, 8 to 12 in each department, of three types each', (seed) => {
    const agents = makeAgents(demo, seed)
    expect(agents.length).toBeGreaterThanOrEqual(80)
    expect(agents.length).toBeLessThanOrEqual(100)
    departments.forEach((department, i) => {
      const members = agents.filter((agent) => agent.department === i)
      expect(members.length).toBeGreaterThanOrEqual(8)
      expect(members.length).toBeLessThanOrEqual(12)
      expect(new Set(members.map(({ type }) => type)).size).toBe(3)
      expect(members[0]?.agentId).toBe(`${department.code}-${department.types[0].name}-1`)
    })
    expect(new Set(agents.map(({ agentId }) => agentId)).size).toBe(agents.length)
  })

  it('has few busy agents and many quiet ones, all within the bounds', () => {
    const volumes = makeAgents(demo, 42).map(({ volume }) => volume)
    expect(Math.min(...volumes)).toBeGreaterThanOrEqual(50)
    expect(Math.max(...volumes)).toBeLessThanOrEqual(200)
    expect(volumes.filter((volume) => volume < 70).length).toBeGreaterThan(volumes.length / 2)
    expect(volumes.some((volume) => volume > 120)).toBe(true)
  })

  it('is another for another seed', () => {
    expect(makeAgents(demo, 1)).not.toEqual(makeAgents(demo, 2))
    expect(JSON.stringify(makeAgents(demo, 1))).toBe(JSON.stringify(makeAgents(demo, 1)))
  })
})

describe('the volume', () => {
  it.each(seeds)('of 90 days with seed %d is between 350,000 and 500,000 traces', async (seed) => {
    const [traces] = await planOf({ seed }).facts(() => 'id')
    expect(traces?.rows).toBeGreaterThanOrEqual(350_000)
    expect(traces?.rows).toBeLessThanOrEqual(500_000)
  })

  it('keeps every agent between 50 and 200 traces on every working day, and near a quarter at weekends', () => {
    const { agents, volume } = volumeOf(1)
    const perDay = days(volume).map((day) => ({ day, counts: agents.map(({ index }) => volume.count(index, day)) }))
    const working = perDay.filter(({ day }) => !isWeekend(day))
    const weekend = perDay.filter(({ day }) => isWeekend(day))
    expect(Math.min(...working.flatMap(({ counts }) => counts))).toBeGreaterThanOrEqual(50)
    expect(Math.max(...working.flatMap(({ counts }) => counts))).toBeLessThanOrEqual(200)
    const ratio = meanOf(weekend) / meanOf(working)
    expect(ratio).toBeGreaterThan(0.2)
    expect(ratio).toBeLessThan(0.3)
  })

  it.each([0.001, 0.01, 0.37, 3])('follows the scale %d', (scale) => {
    const whole = volumeOf(1).volume.total
    expect(volumeOf(scale).volume.total / whole / scale).toBeCloseTo(1, scale < 0.01 ? 0 : 1)
  })

  it('counts only the part of a day that the window holds', () => {
    const noon = planOf({ asOf: new Date('2026-11-18T12:00:00Z'), days: 1 })
    expect(noon.window).toEqual({ from: Date.parse('2026-11-17T12:00:00Z'), to: Date.parse('2026-11-18T12:00:00Z') })
    const curve = dayCurve(demo.hours)
    const volume = planVolume(demo, makeAgents(demo, 1), noon.window, curve, { runId: 'noon', scale: 1 })
    expect(volume.dayCount).toBe(2)
    expect(volume.part(volume.firstDay)).toEqual({ from: curve.shareBefore(dayMs / 2), to: 1 })
    expect(volume.part(volume.firstDay + 1)).toEqual({ from: 0, to: curve.shareBefore(dayMs / 2) })
  })
})

describe('the curve of a day', () => {
  const curve = dayCurve(demo.hours)

  it('is undone by its inverse', () => {
    for (let minute = 0; minute < 24 * 60; minute += 7) {
      expect(curve.offsetAt(curve.shareBefore(minute * 60_000))).toBeCloseTo(minute * 60_000, 4)
    }
  })

  it('runs from midnight to midnight', () => {
    expect([curve.shareBefore(0), curve.shareBefore(dayMs)]).toEqual([0, 1])
  })

  it('has its peak between 8 and 15, and at least half as much again from 9 to 17 as in other hours', () => {
    const hour = (n: number) => demo.hours[n] ?? 0
    const peak = demo.hours.indexOf(Math.max(...demo.hours))
    expect(peak).toBeGreaterThanOrEqual(8)
    expect(peak).toBeLessThan(15)
    const business = [9, 10, 11, 12, 13, 14, 15, 16].map(hour)
    const others = demo.hours.filter((_, n) => n < 9 || n >= 17)
    expect(Math.min(...business)).toBeGreaterThan(0)
    expect(average(business) / average(others)).toBeGreaterThan(1.5)
  })
})

describe('the users', () => {
  const users = makeUsers(demo, 42, from, to)

  it('are 500 in segments of 10, 70, 15 and 5 percent', () => {
    const count = (segment: string) => users.filter((user) => user.segment === segment).length
    expect(['power_user', 'regular', 'new', 'dormant'].map(count)).toEqual([50, 350, 75, 25])
  })

  it('have signed up in every department long before the window, and new ones within it', () => {
    departments.forEach((_, department) => {
      expect(users.some((user) => user.department === department && user.signedUpAt < from - 700 * dayMs)).toBe(true)
    })
    for (const user of users.filter(({ segment }) => segment === 'new')) {
      expect(user.signedUpAt).toBeGreaterThan(from)
      expect(user.signedUpAt).toBeLessThan(to)
    }
  })
})

it('knows the weekend', () => {
  expect(isWeekend(epochDay(Date.parse('2026-11-20T00:00:00Z')))).toBe(false)
  expect(isWeekend(epochDay(Date.parse('2026-11-21T00:00:00Z')))).toBe(true)
  expect(isWeekend(epochDay(Date.parse('2026-11-22T23:59:59Z')))).toBe(true)
  expect(isWeekend(epochDay(Date.parse('1969-12-27T12:00:00Z')))).toBe(true)
})

function volumeOf(scale: number) {
  const agents = makeAgents(demo, 42)
  return { agents, volume: planVolume(demo, agents, { from, to }, dayCurve(demo.hours), { runId: 'volume', scale }) }
}

function days({ firstDay, dayCount }: { firstDay: number; dayCount: number }): number[] {
  return Array.from({ length: dayCount }, (_, i) => firstDay + i)
}

function meanOf(perDay: readonly { counts: readonly number[] }[]): number {
  return average(perDay.flatMap(({ counts }) => counts))
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
