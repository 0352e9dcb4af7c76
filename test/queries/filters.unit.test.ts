import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/errors.js'
import { type FilterText, parseFilters, parseRange, windowBefore } from '../../src/queries/filters.js'

const now = new Date('2024-06-11T12:30:00Z')

function windowOf(text: FilterText) {
  const { from, to } = parseFilters(text, now).window
  return [from.toISOString(), to.toISOString()]
}

describe('a range', () => {
  it.each([
    ['24h', '2024-06-10T12:30:00.000Z'],
    ['7d', '2024-06-04T12:30:00.000Z'],
    ['30d', '2024-05-12T12:30:00.000Z'],
    ['90d', '2024-03-13T12:30:00.000Z'],
    ['12w', '2024-03-19T12:30:00.000Z'],
  ])('of %s reaches back from now', (range, from) => {
    expect(windowOf({ range })).toEqual([from, '2024-06-11T12:30:00.000Z'])
  })

  it('is 30 days when nothing is said', () => {
    expect(parseFilters({}, now)).toMatchObject({ range: '30d' })
    expect(windowOf({})).toEqual(windowOf({ range: '30d' }))
  })

  it('ends at --as-of', () => {
    expect(windowOf({ range: '1d', asOf: '2024-06-01' })).toEqual([
      '2024-05-31T00:00:00.000Z',
      '2024-06-01T00:00:00.000Z',
    ])
  })

  it('ends at --to', () => {
    expect(windowOf({ range: '1h', to: '2024-06-01T10:00:00+02:00' })).toEqual([
      '2024-06-01T07:00:00.000Z',
      '2024-06-01T08:00:00.000Z',
    ])
  })

  it.each(['', '0d', '-3d', 'abc', '30', 'd', '1.5d', '30 d', '1e3d', '30D', '٣d', '9999999d', '99999w', '3661d'])(
    'is never %j',
    (range) => {
      expect(() => parseRange(range)).toThrow(UsageError)
      expect(() => parseRange(range)).toThrow('--range')
    },
  )
})

describe('named ends', () => {
  it('are dates in UTC', () => {
    expect(windowOf({ from: '2024-05-01', to: '2024-06-01' })).toEqual([
      '2024-05-01T00:00:00.000Z',
      '2024-06-01T00:00:00.000Z',
    ])
  })

  it('are times in UTC unless they carry an offset', () => {
    expect(windowOf({ from: '2024-05-01T06:00:00', to: '2024-05-01T10:00:00-03:00' })).toEqual([
      '2024-05-01T06:00:00.000Z',
      '2024-05-01T13:00:00.000Z',
    ])
  })

  it('reach until now when only the first is named', () => {
    expect(windowOf({ from: '2024-06-11' })).toEqual(['2024-06-11T00:00:00.000Z', '2024-06-11T12:30:00.000Z'])
    expect(parseFilters({ from: '2024-06-11' }, now).range).toBeUndefined()
  })

  it.each<[string, FilterText]>([
    ['--from', { from: '2024-02-30' }],
    ['--from', { from: 'yesterday' }],
    ['--from', { from: '06/01/2024' }],
    ['--to', { to: '2024-13-01' }],
    ['--as-of', { asOf: '1717200000' }],
    ['--as-of', { asOf: '2024-06-12' }],
    ['--to', { to: '2024-06-12' }],
    ['--to', { asOf: '2024-06-01', to: '2024-06-02' }],
    ['--from', { from: '2024-06-02', to: '2024-06-01' }],
    ['--from', { from: '2024-06-01', to: '2024-06-01' }],
    ['--from', { from: '0001-01-01' }],
    ['--from', { from: '2024-06-01', range: '7d' }],
  ])('name %s when they cannot be used: %j', (flag, text) => {
    expect(() => parseFilters(text, now)).toThrow(UsageError)
    expect(() => parseFilters(text, now)).toThrow(flag)
  })
})

it('compares with the window of the same length that ends where this one begins', () => {
  const { window } = parseFilters({ from: '2024-06-01', to: '2024-06-08' }, now)
  expect(windowBefore(window)).toEqual({ from: new Date('2024-05-25'), to: new Date('2024-06-01') })
})

it('never throws anything but a usage error, whatever is typed', () => {
  const word = fc.option(fc.string(), { nil: undefined })
  fc.assert(
    fc.property(word, word, word, word, (range, from, to, asOf) => {
      const text = JSON.parse(JSON.stringify({ range, from, to, asOf }))
      try {
        const { window } = parseFilters(text, now)
        expect(window.from.getTime()).toBeLessThan(window.to.getTime())
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError)
      }
    }),
  )
})
