import { describe, expect, it } from 'vitest'
import { loadsOf } from '../../src/backup/copy-in.js'
import type { ManifestTable } from '../../src/backup/manifest.js'

/** A table with files of these sizes, in MiB. */
const table = (name: string, sizes: readonly number[], where: string | null = null) => {
  const files = sizes.map((size, i) => ({ path: `${name}.${i}`, bytes: size * 2 ** 20, sha256: '' }))
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const described: ManifestTable = {
    ...{ schema: 'public', name, columns: ['id'], where, rows: 1, hash: '0', bytes },
    files: files.map(({ path }) => path),
  }
  return { described, files }
}

function loads(tables: readonly ReturnType<typeof table>[], sessions: number) {
  const described = tables.map((one) => one.described)
  const files = tables.flatMap((one) => one.files)
  return loadsOf(described, files, sessions).map((load) => [load.files.join(' '), load.whole])
}

describe('dividing the rows that come back among sessions', () => {
  const large = table('large', [10, 10, 10])
  const small = table('small', [4])

  it('keeps the files of a table together, the largest first', () => {
    expect(loads([small, large], 2)).toEqual([
      ['large.0 large.1 large.2', true],
      ['small.0', true],
    ])
  })

  it('divides a table that one session would be busy with long after the others', () => {
    expect(loads([small, large], 4)).toEqual([
      ['large.0', false],
      ['large.1', false],
      ['large.2', false],
      ['small.0', true],
    ])
  })

  it('has nothing to do for a table without rows, and never empties one that an extension fills', () => {
    expect(loads([table('empty', []), table('config', [1], 'where own')], 2)).toEqual([['config.0', false]])
  })
})
