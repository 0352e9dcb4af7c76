import { describe, expect, it } from 'vitest'
import { chooseScope, type ScopeFacts } from '../../src/backup/choose-scope.js'

const large = 40 * 1024 ** 3
const pet = { schema: 'public', name: 'pet' }
const choose = (facts: Partial<ScopeFacts>) =>
  chooseScope({ wanted: undefined, tableBytes: large, reach: { tables: [pet] }, ...facts })

describe('chooseScope', () => {
  it('takes everything while that is small', () => {
    expect(choose({ tableBytes: 1024 ** 3 })).toMatchObject({
      scope: { kind: 'full' },
      reason: 'it holds 1.0 GiB, and up to 1.0 GiB everything is backed up',
    })
  })

  it('takes of a large database what the plan can alter', () => {
    expect(choose({})).toEqual({
      scope: { kind: 'tables', tables: [pet] },
      reason: 'it holds 40.0 GiB; the plan can alter public.pet',
    })
  })

  it('takes definitions alone when no existing row can change', () => {
    expect(choose({ reach: { tables: [] } }).scope).toEqual({ kind: 'schema' })
  })

  it('takes everything when nobody can tell what the plan alters, even where tables were asked for', () => {
    const reach = { anyBecause: '7_x runs do' }
    expect(choose({ reach }).scope).toEqual({ kind: 'full' })
    expect(choose({ reach, wanted: 'tables' })).toEqual({
      scope: { kind: 'full' },
      reason: 'the plan may alter any table: 7_x runs do',
    })
  })

  it('does what was asked for', () => {
    expect(choose({ wanted: 'full' }).scope).toEqual({ kind: 'full' })
    expect(choose({ wanted: 'schema', tableBytes: 1 }).scope).toEqual({ kind: 'schema' })
    expect(choose({ wanted: 'tables', tableBytes: 1 }).scope).toEqual({ kind: 'tables', tables: [pet] })
  })

  it('does not take an unknown size for a small one', () => {
    expect(choose({ tableBytes: null }).scope).toEqual({ kind: 'tables', tables: [pet] })
  })
})
