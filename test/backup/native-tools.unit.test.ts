import { describe, expect, it } from 'vitest'
import { warningsIn } from '../../src/backup/native-tools.js'

const circular = [
  'pg_dump: warning: there are circular foreign-key constraints among these tables:',
  'pg_dump: detail: hypertable',
  'pg_dump: detail: chunk',
  'pg_dump: hint: You might not be able to restore the dump without using --disable-triggers or temporarily dropping the constraints.',
  'pg_dump: hint: Consider using a full dump instead of a --data-only dump to avoid this problem.',
]
const loop = [
  'pg_dump: warning: could not resolve dependency loop among these items:',
  'pg_dump: detail:   FUNCTION f  (ID 1 OID 2)',
]

describe('warningsIn', () => {
  it('passes over foreign keys that go round in a circle, with all that belongs to the warning', () => {
    expect(warningsIn(circular.join('\n'))).toEqual([])
  })

  it('keeps every other warning, details included, before and behind one that is passed over', () => {
    const [first, last] = ['pg_dump: warning: first', 'a word of a library']
    expect(warningsIn([first, ...circular, ...loop, ...circular, last, ''].join('\n'))).toEqual([
      'first',
      'could not resolve dependency loop among these items: (  FUNCTION f  (ID 1 OID 2))',
      'a word of a library',
    ])
  })
})
