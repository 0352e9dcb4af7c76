import { expect, it } from 'vitest'
import { roomFor } from '../../src/backup/disk-space.js'

const mebi = 2 ** 20

it.each([
  ['enough', 50 * mebi],
  ['doubtful', 50 * mebi - 1],
  ['doubtful', 10 * mebi],
  ['none', 10 * mebi - 1],
])('takes the room for 100 MiB of tables for %s when %i bytes are free', (room, free) => {
  expect(roomFor(100 * mebi, free)).toBe(room)
})

it('has room for the definitions of a database without rows on any disk', () => {
  expect(roomFor(0, 0)).toBe('enough')
})
