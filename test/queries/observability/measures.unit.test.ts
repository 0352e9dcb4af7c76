import { expect, it } from 'vitest'
import { measure, percentOf, quotient, rounded } from '../../../src/queries/observability/measures.js'

it('says how a number changed, in its own unit and in percent', () => {
  expect(measure(120, 100, 0)).toEqual({ value: 120, previous: 100, change: 20, change_percent: 20 })
  expect(measure(2.5, 3.75, 2)).toEqual({ value: 2.5, previous: 3.75, change: -1.25, change_percent: -33.33 })
})

it('has no change where there was nothing before', () => {
  expect(measure(120, null, 0)).toEqual({ value: 120, previous: null, change: null, change_percent: null })
  expect(measure(null, 3, 0)).toEqual({ value: null, previous: 3, change: null, change_percent: null })
})

it('has no percentage of zero', () => {
  expect(measure(5, 0, 0)).toEqual({ value: 5, previous: 0, change: 5, change_percent: null })
  expect(percentOf(0, 0)).toBeNull()
  expect(quotient(1, 0)).toBeNull()
})

it('never answers minus zero', () => {
  expect(Object.is(rounded(-0.001, 2), 0)).toBe(true)
})
