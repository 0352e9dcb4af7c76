import { describe, expect, it } from 'vitest'
import { monthsOf, type Partitioning, partitionName, placeMonth } from '../../src/generators/partitions.js'

const at = (text: string) => Date.parse(`${text}Z`)
const month = (name: string, from: string, to: string) => ({ name, from: at(from), to: at(to) })
const november = { from: at('2026-11-01T00:00:00'), to: at('2026-12-01T00:00:00') }
const december = month('traces_y2026m12', '2026-12-01T00:00:00', '2027-01-01T00:00:00')
const quarter = month('traces_q1', '2027-01-01T00:00:00', '2027-04-01T00:00:00')
const february = { from: at('2027-02-01T00:00:00'), to: at('2027-03-01T00:00:00') }
const partitioning: Partitioning = { partitions: [december, quarter], defaultPartition: 'traces_default' }
const none = new Set<string>()

describe('the rows of a month', () => {
  it('become a partition when there is none, and are inserted where there is one', () => {
    expect(placeMonth(november, partitioning, none, false)).toEqual({ way: 'attach' })
    expect(placeMonth(december, partitioning, none, false)).toEqual({ way: 'merge' })
    expect(placeMonth(february, partitioning, none, false)).toEqual({ way: 'merge' })
  })

  it('wait for the table to make room when the default partition holds rows of that month', () => {
    expect(placeMonth(november, partitioning, none, true)).toEqual({ way: 'ensure' })
  })

  it('replace a partition only when they may and it spans the month exactly', () => {
    const all = new Set([december.name, quarter.name])
    expect(placeMonth(december, partitioning, all, false)).toEqual({ way: 'attach', replaces: 'traces_y2026m12' })
    expect(placeMonth(february, partitioning, all, false)).toEqual({ way: 'merge' })
  })
})

it('counts months in UTC and names them', () => {
  const months = monthsOf({ from: at('2024-02-29T23:59:59.999'), to: at('2024-03-01T00:00:00.001') })
  expect(months.map((each) => partitionName('traces', each))).toEqual(['traces_y2024m02', 'traces_y2024m03'])
  expect(monthsOf({ from: at('2024-02-01T00:00:00'), to: at('2024-03-01T00:00:00') })).toHaveLength(1)
})
