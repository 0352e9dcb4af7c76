import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planStretches } from '../../../src/queries/observability/stretches.js'

const window = (from: string, to: string) => ({ from: new Date(from), to: new Date(to) })

function described(from: string, to: string, coarsest: 'day' | 'hour' | 'none' = 'day') {
  return planStretches(window(from, to), coarsest).map(({ table, from, to }) =>
    [table, from.toISOString().slice(0, 16), to.toISOString().slice(0, 16)].join(' '),
  )
}

describe('the plan of a window', () => {
  it('takes whole days from the daily rollup, whole hours from the hourly one and the rest from traces', () => {
    expect(described('2024-06-01T10:30Z', '2024-06-04T02:15Z')).toEqual([
      'traces 2024-06-01T10:30 2024-06-01T11:00',
      'traces_hourly 2024-06-01T11:00 2024-06-02T00:00',
      'traces_daily 2024-06-02T00:00 2024-06-04T00:00',
      'traces_hourly 2024-06-04T00:00 2024-06-04T02:00',
      'traces 2024-06-04T02:00 2024-06-04T02:15',
    ])
  })

  it('needs the daily rollup alone for whole days', () => {
    expect(described('2024-06-01T00:00Z', '2024-07-01T00:00Z')).toEqual([
      'traces_daily 2024-06-01T00:00 2024-07-01T00:00',
    ])
  })

  it('stays with hours when hours are wanted', () => {
    expect(described('2024-06-01T00:00Z', '2024-06-03T00:00Z', 'hour')).toEqual([
      'traces_hourly 2024-06-01T00:00 2024-06-03T00:00',
    ])
  })

  it('reads traces alone when the rollups are behind', () => {
    expect(described('2024-06-01T00:00Z', '2024-06-03T00:00Z', 'none')).toEqual([
      'traces 2024-06-01T00:00 2024-06-03T00:00',
    ])
  })

  it('reads traces alone for minutes within an hour', () => {
    expect(described('2024-06-01T10:05Z', '2024-06-01T10:50Z')).toEqual(['traces 2024-06-01T10:05 2024-06-01T10:50'])
  })

  it('covers every moment exactly once', () => {
    const time = fc.date({ min: new Date('2024-01-01'), max: new Date('2025-01-01'), noInvalidDate: true })
    fc.assert(
      fc.property(time, time, fc.constantFrom('day', 'hour', 'none'), (a, b, coarsest) => {
        fc.pre(a < b)
        const stretches = planStretches({ from: a, to: b }, coarsest)
        expect(stretches[0]?.from).toEqual(a)
        expect(stretches.at(-1)?.to).toEqual(b)
        for (const [index, stretch] of stretches.slice(1).entries()) expect(stretch.from).toEqual(stretches[index]?.to)
        for (const { table, from, to } of stretches) {
          expect(from.getTime()).toBeLessThan(to.getTime())
          const unit = { traces: 1, traces_hourly: 3_600_000, traces_daily: 24 * 3_600_000 }[table]
          expect([from.getTime() % unit, to.getTime() % unit]).toEqual([0, 0])
        }
      }),
    )
  })
})
