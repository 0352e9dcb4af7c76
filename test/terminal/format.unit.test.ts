import { expect, it } from 'vitest'
import { formatBytes, formatCount, formatDuration, formatTime } from '../../src/terminal/format.js'

it.each([
  [0, '0'],
  [999, '999'],
  [1000, '1,000'],
  [-1234567, '-1,234,567'],
  [12345678901234567890n, '12,345,678,901,234,567,890'],
])('groups the digits of %s as %s', (count, text) => {
  expect(formatCount(count)).toBe(text)
})

it.each([
  [0, '0 ms'],
  [840.4, '840 ms'],
  [3200, '3.2 s'],
  [59_970, '1 min 00 s'],
  [245_000, '4 min 05 s'],
])('says %s ms as %s', (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text)
})

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [5 * 2 ** 30, '5.0 GiB'],
])('says %s bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

it('writes times in UTC, to the second', () => {
  expect(formatTime(new Date('2026-11-22T09:30:00.987+01:00'))).toBe('2026-11-22 08:30:00Z')
})
