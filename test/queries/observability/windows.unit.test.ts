import { expect, it } from 'vitest'
import { monthsIn, stepOf, stepsOf } from '../../../src/queries/observability/windows.js'

const window = (from: string, to: string) => ({ from: new Date(from), to: new Date(to) })

it('counts a whole month as one, whatever its length', () => {
  expect(monthsIn(window('2024-02-01', '2024-03-01'))).toBe(1)
  expect(monthsIn(window('2024-01-01', '2025-01-01'))).toBe(12)
})

it('counts of a month the share that is covered', () => {
  expect(monthsIn(window('2024-06-16', '2024-07-01'))).toBe(0.5)
  expect(monthsIn(window('2024-04-16', '2024-06-16'))).toBeCloseTo(0.5 + 1 + 0.5, 12)
})

it('steps by the hour for up to three days and by the day beyond', () => {
  expect(stepOf(window('2024-06-01', '2024-06-04'))).toBe('hour')
  expect(stepOf(window('2024-06-01', '2024-06-05'))).toBe('day')
})

it('names every step that the window touches', () => {
  const days = stepsOf(window('2024-06-01T10:30Z', '2024-06-03T00:30Z'), 'day')
  expect(days.map((day) => day.toISOString().slice(0, 10))).toEqual(['2024-06-01', '2024-06-02', '2024-06-03'])
  expect(stepsOf(window('2024-06-01T10:00Z', '2024-06-01T12:00Z'), 'hour')).toHaveLength(2)
})
