import { describe, expect, it } from 'vitest'
import { discover } from '../../src/migrator/files/discover.js'
import { readSingleFile } from '../../src/migrator/files/single-file.js'
import { testPack } from '../support/packs.js'

function problems(text: string): string[] | undefined {
  return readSingleFile('/m/1_x.sql', text)?.problems.map(
    ({ message, location }) => `${location?.line}:${location?.column} ${message}`,
  )
}

describe('a file with both directions', () => {
  it('of dbmate is cut in two, with every place where it was', () => {
    const text = '-- migrate:up\ncreate table pet ();\n\n-- migrate:down\ndrop table pet;\n'
    expect(readSingleFile('/m/1_x.sql', text)).toEqual({
      sections: [
        { direction: 'up', text: '-- migrate:up\ncreate table pet ();\n\n', noTransaction: false },
        { direction: 'down', text: '\n\n\n-- migrate:down\ndrop table pet;\n', noTransaction: false },
      ],
      problems: [],
    })
  })

  it('of dbmate says for each direction whether it wants a transaction', () => {
    const text = '--migrate:up transaction:false\r\nvacuum;\r\n-- migrate:down  transaction:true \r\nselect 1;'
    expect(readSingleFile('/m/1_x.sql', text)?.sections.map((one) => one.noTransaction)).toEqual([true, false])
  })

  it('of goose takes its annotations in any case, and for both directions at once', () => {
    const text = [
      '/* licence */',
      '-- +goose NO TRANSACTION',
      '-- +goose up',
      '-- +goose StatementBegin',
      'create function f() returns int language plpgsql as $$ begin return 1; end $$;',
      '-- +goose StatementEnd',
      '--   +goose DOWN',
      'drop function f();',
    ].join('\n')
    const read = readSingleFile('/m/1_x.sql', text)
    expect(read?.problems).toEqual([])
    expect(read?.sections.map(({ direction, noTransaction }) => [direction, noTransaction])).toEqual([
      ['up', true],
      ['down', true],
    ])
    expect(read?.sections[1]?.text).toBe('\n\n\n\n\n\n--   +goose DOWN\ndrop function f();')
  })

  it.each(['-- migrate:up\nselect 1;\n-- migrate:down\n-- nothing\n', '-- +goose Up\nselect 1;\n-- +goose Down\n\n'])(
    'has no down when nothing stands below its mark: %j',
    (text) => {
      expect(readSingleFile('/m/1_x.sql', text)?.sections.map((one) => one.direction)).toEqual(['up'])
    },
  )

  it.each([
    ['-- migrate:down\nselect 1;', ['1:1 1_x.sql has no -- migrate:up']],
    ['-- migrate:down\n-- migrate:up\nselect 1;', ['1:1 -- migrate:up goes above -- migrate:down']],
    ['-- migrate:up\n-- migrate:up\nselect 1;', ['2:1 -- migrate:up stands in this file twice']],
    [
      '-- a\nselect 1;\n-- migrate:up\nselect 1;',
      ['2:1 this stands above -- migrate:up, so it belongs to no direction'],
    ],
    ['-- migrate:up transactions:false\n', ['1:1 "transactions:false" is no option of -- migrate that obs knows']],
    ['-- +goose Up\n-- +goose ENVSUB ON\nselect 1', ['2:1 obs fills in no environment variables; write the values']],
    ['-- +goose Up\n-- +goose Upp\nselect 1', ['2:1 obs knows no annotation of goose "upp"']],
    ['-- +goose Up\n-- +goose ENVSUB OFF\nselect 1', []],
    ['select 1;\n  -- migrate:up', undefined],
    ["select '-- migrate:up'", undefined],
  ])('%j', (text, expected) => {
    expect(problems(text)).toEqual(expected)
  })
})

describe('a folder with such files', () => {
  it('takes them beside pairs, with directives in either half', async () => {
    const pack = await testPack({
      '1_a.sql':
        '-- migrate:up\n-- obs: changes pet\nselect 1;\n-- migrate:down transaction:false\n-- obs: drops pet\nselect 2;',
      '2_b.up.sql': 'select 1;',
      '3_c.sql': '-- +goose Up\n',
      '3_c.down.sql': 'select 3;',
    })
    const migrations = await discover(pack.migrations)
    expect(migrations.map(({ id, up, down }) => [id, up.length, down.length])).toEqual([
      ['1_a', 1, 1],
      ['2_b', 1, 0],
      ['3_c', 1, 1],
    ])
    const [{ up, down } = { up: [], down: [] }] = migrations
    expect(up[0]?.directives).toMatchObject({ noTransaction: false, changes: [{ table: 'pet' }], drops: [] })
    expect(down[0]?.directives).toMatchObject({ noTransaction: true, changes: [], drops: [{ table: 'pet' }] })
  })

  it.each([
    [{ '1_a.sql': 'select 1;' }, '1_a.sql: the name has to end in .up.sql'],
    [{ '1_a.up.sql': '-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;' }, '1_a.up.sql: it holds the down as well'],
    [{ '1_a.sql': '-- migrate:up\n', '1_a.up.sql': '' }, 'version 1 exists twice: 1_a.sql and 1_a.up.sql'],
    [
      { '1_a.sql': '-- migrate:up\n-- migrate:down\nselect 1', '1_b.down.sql': '' },
      'version 1 exists twice: 1_a.sql and 1_b.down.sql',
    ],
  ])('%j is refused', async (files, message) => {
    const pack = await testPack(files as Readonly<Record<string, string>>)
    await expect(discover(pack.migrations)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(message),
    })
  })
})
