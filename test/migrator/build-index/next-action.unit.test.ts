import { describe, expect, it } from 'vitest'
import { derivedName } from '../../../src/migrator/build-index/derived-name.js'
import { nextAction } from '../../../src/migrator/build-index/next-action.js'
import type { IndexFacts, Member } from '../../../src/migrator/build-index/partition-tree.js'

describe('the name of a partition’s index', () => {
  it('is made of both names and never longer than PostgreSQL keeps', () => {
    expect(derivedName('idx_a', 'traces_2024', 0)).toBe('idx_a_traces_2024')
    for (const long of ['x'.repeat(63), 'ä'.repeat(31), '😀'.repeat(15)]) {
      const name = derivedName(long, 'traces_2024', 0)
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
      expect(name).toMatch(/_[0-9a-f]{8}$/)
      expect(name).not.toContain('\ufffd')
      expect(derivedName(long, 'traces_2024', 0)).toBe(name)
      expect(derivedName(long, 'traces_2025', 0)).not.toBe(name)
      expect(derivedName(long, 'traces_2024', 1)).not.toBe(name)
    }
  })
})

const says = 'USING btree (a)'
const top: IndexFacts = { oid: 1, schema: 'public', name: 'idx', valid: false, says, attachedTo: null }

function index(over: Partial<IndexFacts>): IndexFacts {
  return { oid: 9, schema: 'public', name: 'other', valid: true, says, attachedTo: null, ...over }
}

function tree(...below: readonly (Partial<Member> & Pick<Member, 'name'>)[]): readonly Member[] {
  const root: Member = { oid: 100, schema: 'public', name: 't', kind: 'p', parent: null, level: 0, indexes: [top] }
  return [
    root,
    ...below.map((one, i) => ({
      oid: 101 + i,
      schema: 'public',
      kind: 'r',
      parent: 100,
      level: 1,
      indexes: [],
      ...one,
    })),
  ]
}

describe('what is next', () => {
  it.each([
    ['nothing when the whole is valid', [{ name: 'a' }], { ...top, valid: true }, { kind: 'done' }],
    ['a build where there is no index', [{ name: 'a' }], top, { kind: 'build', member: { name: 'a' } }],
    [
      'a declaration where a partition is partitioned',
      [{ name: 'a', kind: 'p' }],
      top,
      { kind: 'declare', member: { name: 'a' } },
    ],
    [
      'to attach what says the same',
      [{ name: 'a', indexes: [index({})] }],
      top,
      { kind: 'attach', index: { name: 'other' } },
    ],
    [
      'a build where an index says something else or is somebody’s unfinished work',
      [{ name: 'a', indexes: [index({ says: 'USING btree (b)' }), index({ valid: false }), index({ attachedTo: 7 })] }],
      top,
      { kind: 'build', member: { name: 'a' } },
    ],
    [
      'to drop what an earlier build of its own left',
      [{ name: 'a', indexes: [index({ valid: false, name: 'idx_a' })] }],
      top,
      { kind: 'drop', index: { name: 'idx_a' } },
    ],
    [
      'the next partition when one is attached',
      [{ name: 'a', indexes: [index({ attachedTo: 1 })] }, { name: 'b' }],
      top,
      { kind: 'build', member: { name: 'b' } },
    ],
    [
      'what is below a partition that is attached',
      [
        { name: 'a', oid: 200, kind: 'p', indexes: [index({ oid: 20, valid: false, attachedTo: 1 })] },
        { name: 'b', parent: 200, level: 2 },
      ],
      top,
      { kind: 'build', member: { name: 'b' } },
    ],
    [
      'to make the server look again when all is attached',
      [{ name: 'a', indexes: [index({ attachedTo: 1 })] }],
      top,
      { kind: 'look', to: { oid: 1 } },
    ],
    ['an end where there is nothing to attach', [], top, { kind: 'stuck' }],
  ] as const)('is %s', (_what, below, root, expected) => {
    expect(nextAction(tree(...below), root)).toMatchObject(expected)
  })
})
