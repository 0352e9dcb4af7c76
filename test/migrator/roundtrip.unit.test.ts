import { describe, expect, it } from 'vitest'
import { type Evidence, judge } from '../../src/migrator/roundtrip/label.js'
import { describeLoss, findLosses, findSequenceLosses, restrictTo } from '../../src/migrator/roundtrip/losses.js'
import type { Prints } from '../../src/migrator/roundtrip/prints.js'
import { compareCatalogs } from '../../src/migrator/roundtrip/whole-catalog.js'

const directives = { noTransaction: false, changes: [], drops: [], requires: [] }
const same = { gone: [], added: [] }
const other = { gone: ['index a'], added: [] }
const well: Evidence = { hasDown: true, afterDown: same, afterUpAgain: same, afterDownWithRows: same, losses: [] }
const loss = { table: 'public.pet', column: 'name', what: 'values', rows: 2 } as const

describe('the label', () => {
  it.each<[string, Partial<Evidence>, string]>([
    ['nothing was amiss', {}, 'lossless'],
    ['a value is another', { losses: [loss] }, 'schema-only'],
    ['there is no down', { hasDown: false }, 'irreversible'],
    ['down fails', { downFailure: 'no' }, 'irreversible'],
    ['the catalog is another after down', { afterDown: other, losses: [loss] }, 'irreversible'],
    ['the second up fails', { upAgainFailure: 'no' }, 'irreversible'],
    ['the second up makes something else', { afterUpAgain: other }, 'irreversible'],
    ['down fails with rows', { downWithRowsFailure: 'no' }, 'irreversible'],
    ['the catalog is another after down with rows', { afterDownWithRows: other }, 'irreversible'],
    ['up fails after down with rows', { upAfterRowsFailure: 'no' }, 'irreversible'],
  ])('when %s', (_, evidence, label) => {
    const verdict = judge({ ...well, ...evidence }, [directives])
    expect(verdict).toMatchObject({ label, ok: label === 'lossless' })
    expect(verdict.reasons.length > 0).toBe(label !== 'lossless')
  })

  it('is excused by the directive that says so, and by no weaker one', () => {
    const lossy = [directives, { ...directives, lossy: 'rounded' }]
    const irreversible = [{ ...directives, irreversible: 'enum' }, directives]
    const lost = { ...well, losses: [loss] }
    const broken = { ...well, downFailure: 'no' }
    expect(judge(lost, lossy)).toMatchObject({ ok: true, declared: { directive: 'lossy', reason: 'rounded' } })
    expect(judge(lost, irreversible)).toMatchObject({ ok: true })
    expect(judge(broken, irreversible)).toMatchObject({ ok: true })
    expect(judge(broken, lossy)).toMatchObject({ ok: false, declared: undefined })
    expect(judge({ ...well, upRefused: 'data would be lost' }, irreversible)).toMatchObject({ ok: false })
  })

  it('comes with the lines of the catalog that differ', () => {
    expect(judge({ ...well, afterDown: { gone: ['index a'], added: ['table b'] } }, []).differences).toEqual([
      'not brought back by down: index a',
      'left behind by down: table b',
    ])
    expect(compareCatalogs(['a', 'b'], ['b', 'c'])).toEqual({ gone: ['a'], added: ['c'] })
  })
})

function prints(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  key: readonly string[] = [],
  path = 'public.pet',
): Prints {
  const table = { schema: 'public', name: 'pet', path, columns, key, form: '', foreign: false }
  return new Map([[path, { table, rows }]])
}

describe('losses', () => {
  const before = prints(
    ['id', 'name'],
    [
      ['1', 'a'],
      ['2', 'null'],
    ],
    ['id'],
  )
  const losses = (after: Prints, old = before) => findLosses(old, after).map((loss) => describeLoss(loss, 'public'))

  it('are none when rows come back in another order, with more rows and more columns', () => {
    expect(
      losses(
        prints(
          ['new', 'name', 'id'],
          [
            ['x', 'null', '2'],
            ['y', 'z', '3'],
            ['z', 'a', '1'],
          ],
          ['id'],
        ),
      ),
    ).toEqual([])
  })

  it('name what is gone or other', () => {
    expect(losses(new Map())).toEqual(['pet is gone with 2 rows'])
    expect(losses(prints(['id'], [['1'], ['2']], ['id']))).toEqual(['pet.name is gone with its values in 1 row'])
    expect(losses(prints(['id', 'name'], [['2', 'null']], ['id']))).toEqual(['pet has lost 1 row'])
    expect(
      losses(
        prints(
          ['id', 'name'],
          [
            ['1', 'null'],
            ['2', 'a'],
          ],
          ['id'],
        ),
      ),
    ).toEqual(['pet.name has other values in 2 rows'])
  })

  it('are found without a key, where values changed places too', () => {
    const loose = prints(
      ['a', 'b'],
      [
        ['1', 'x'],
        ['2', 'y'],
        ['2', 'y'],
      ],
    )
    expect(
      losses(
        prints(
          ['a', 'b'],
          [
            ['2', 'y'],
            ['1', 'x'],
            ['2', 'y'],
          ],
        ),
        loose,
      ),
    ).toEqual([])
    expect(
      losses(
        prints(
          ['a', 'b'],
          [
            ['1', 'y'],
            ['2', 'x'],
            ['2', 'y'],
          ],
        ),
        loose,
      ),
    ).toEqual(['pet has other values in 2 rows'])
    expect(
      losses(
        prints(
          ['a', 'b'],
          [
            ['1', 'x'],
            ['2', 'y'],
            ['2', 'z'],
          ],
        ),
        loose,
      ),
    ).toEqual(['pet.b has other values in 1 row'])
    expect(
      losses(
        prints(
          ['a', 'b'],
          [
            ['1', 'x'],
            ['2', 'y'],
          ],
        ),
        loose,
      ),
    ).toEqual(['pet has lost 1 row'])
  })

  it('of an empty table are none, and a column that held only nulls lost nothing', () => {
    expect(losses(new Map(), prints(['id'], []))).toEqual([])
    expect(losses(prints(['id'], [['1']], ['id']), prints(['id', 'x'], [['1', 'null']], ['id']))).toEqual([])
  })

  it('of a sequence are steps back', () => {
    const at = (last: bigint | null) => new Map([['public.s', last]])
    const found = (a: bigint | null, b?: bigint | null) =>
      findSequenceLosses(at(a), b === undefined ? new Map() : at(b)).length
    expect([found(5n, 5n), found(5n, 9n), found(null, null), found(null), found(-3n, -5n)]).toEqual([0, 0, 0, 0, 0])
    expect([found(5n, 4n), found(5n, null), found(5n), found(-5n, -3n)]).toEqual([1, 1, 1, 1])
  })

  it('can be looked for among the rows and columns that were there before alone', () => {
    const after = prints(
      ['id', 'name', 'token'],
      [
        ['1', 'a', 'r'],
        ['2', 'b', 's'],
        ['3', 'c', 't'],
      ],
      ['id'],
    )
    const [print] = restrictTo(after, before).values()
    expect(print).toMatchObject({
      table: { columns: ['id', 'name'] },
      rows: [
        ['1', 'a'],
        ['2', 'b'],
      ],
    })
    expect(restrictTo(after, new Map()).size).toBe(0)
  })
})
