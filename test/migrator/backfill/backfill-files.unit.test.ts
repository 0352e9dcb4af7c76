import { describe, expect, it } from 'vitest'
import { findBackfills } from '../../../src/migrator/backfill/find-backfills.js'
import { parsePause, parseRequest } from '../../../src/migrator/backfill/request.js'
import { parseDirectives } from '../../../src/migrator/files/directives.js'
import type { Script } from '../../../src/migrator/migration.js'
import { parseScript } from '../../../src/migrator/statements/statements.js'

const update = 'update pet set n = n + 1 where id > $1 and id <= $2;'

async function read(text: string) {
  const { directives, problems: first } = parseDirectives('0001_x.up.sql', text)
  const script: Script = { file: '0001_x.up.sql', text, checksum: '', variant: null, directives }
  const { parsed, problems } = await parseScript(script, 180000)
  const found = await findBackfills(script, parsed)
  return {
    statements: found.statements,
    problems: [...first, ...problems, ...found.problems].map(
      ({ message, location }) => `${location?.line}:${location?.column} ${message}`,
    ),
  }
}

/** The complaints about one backfill by id below a header that declares pet.n. */
async function complaints(statement: string, directive = 'backfill pet by id', changes = 'pet.n') {
  const { problems } = await read(
    `-- obs: no-transaction\n-- obs: changes ${changes}\n-- obs: ${directive}\n${statement}`,
  )
  return problems
}

describe('the directive', () => {
  it.each([
    ['pet by id', { table: { schema: undefined, table: 'pet' }, key: ['id'], batch: 5000, pauseMs: 0 }],
    [
      'Public."Odd ""Pet" BY "Born At",tag batch 1_000 pause 2s',
      { table: { schema: 'public', table: 'Odd "Pet' }, key: ['Born At', 'tag'], batch: 1000, pauseMs: 2000 },
    ],
    [
      'pet by a , b pause 0.5min batch 1',
      { table: { schema: undefined, table: 'pet' }, key: ['a', 'b'], batch: 1, pauseMs: 30000 },
    ],
  ])('reads %j', (text, expected) => {
    expect(parseRequest(text)).toEqual(expected)
  })

  it.each([
    ['', 'a backfill is written'],
    ['pet', 'a backfill is written'],
    ['pet by', 'a backfill is written'],
    ['pet by id,', 'a backfill is written'],
    ['pet by id; drop table pet', 'a backfill is written'],
    ['pet by id batch', 'batch takes'],
    ['pet by id batch 0', 'batch takes'],
    ['pet by id batch -5', 'batch takes'],
    ['pet by id batch 1e3', 'batch takes'],
    ['pet by id batch 9999999', 'batch takes'],
    ['pet by id pause 50', 'pause takes'],
    ['pet by id pause 50h', 'pause takes'],
    ['pet by id pause 2000min', 'pause takes'],
    ['pet by id slowly now', '"slowly" is no part of a backfill'],
    ['pet by id, id', 'names "id" twice'],
  ])('refuses %j', (text, expected) => {
    expect(parseRequest(text)).toContain(expected)
  })

  it('takes a pause in milliseconds from a function', () => {
    expect([parsePause(50), parsePause('50ms'), parsePause(1.4)]).toEqual([50, 50, 1])
    expect(parsePause(-1)).toContain('pause takes')
    expect(parsePause(Number.NaN)).toContain('pause takes')
  })

  it('belongs to the statement below it', async () => {
    const { statements, problems } = await read(
      `-- obs: no-transaction\n-- obs: changes pet.n\n-- obs: backfill pet by id batch 7\n-- why\n\n${update}\nselect 1;\n/* and */\n-- obs: backfill pet by id batch 8\r\n${update}`,
    )
    expect(problems).toEqual([])
    expect(statements.map((one) => one.backfill?.request.batch)).toEqual([7, undefined, 8])
  })

  it('is refused anywhere else', async () => {
    const { problems } = await read(
      `-- obs: no-transaction\n-- obs: changes pet.n\nupdate pet\n-- obs: backfill pet by id\nset n = 1;\n-- obs: backfill pet by id\n-- obs: backfill pet by id\n${update}\n  -- obs: backfill pet by id\n`,
    )
    expect(problems).toEqual([
      '7:4 a statement is one backfill; take one of the two directives out',
      '4:4 the directive backfill stands directly above the statement that it is for',
      '9:6 the directive backfill stands directly above the statement that it is for',
    ])
  })

  it('needs a file without a transaction', async () => {
    const { problems } = await read(`-- obs: changes pet.n\n-- obs: backfill pet by id\n${update}`)
    expect(problems).toEqual(['2:4 a backfill commits batch by batch; begin the file with -- obs: no-transaction'])
  })

  it('is missed above a statement with parameters', async () => {
    const { problems } = await read(update)
    expect(problems).toEqual([expect.stringContaining('1:1 the statement has parameters, which only a backfill binds')])
    const own = "create function f(integer) returns integer language sql as 'select $1';\nprepare p as select $1::int;"
    expect((await read(own)).problems).toEqual([])
  })
})

describe('the statement', () => {
  it.each([
    [update],
    ['update pet p set n = 2 where $2 >= p.id and $1::bigint < p.id;'],
    [
      'with old as (select id from pet where id > $1 and id <= $2) update pet set n = 1 from old where old.id = pet.id;',
    ],
    ['insert into copy select id from pet where id > $1 and id <= $2 on conflict do nothing;'],
  ])('may be %s', async (statement) => {
    expect(await complaints(statement)).toEqual([])
  })

  it.each([
    ['update pet set n = 1 where id > $1;', 'the statement does not use $2'],
    ['update pet set n = 1 where id > $1 and id <= $2 and n < $3;', 'nothing is bound to $3'],
    [
      'update pet set n = 1 where id >= $1 and id <= $2;',
      'a batch begins above its lower bound: write id > $1, not >=',
    ],
    ['update pet set n = 1 where id > $1 and id < $2;', 'a batch ends with its upper bound: write id <= $2, not <'],
    ['update pet set n = 1 where id > $2 and id <= $1;', 'a batch begins above its lower bound: write id > $1'],
    ['update pet set n = 1 where id between $1 and $2;', 'a batch begins above its lower bound: write id > $1'],
    ['update pet set n = 1 where id > $1 or id <= $2;', 'a batch begins above its lower bound: write id > $1'],
    ['update pet set n = 1 where not (id > $1 and id <= $2);', 'a batch begins above its lower bound: write id > $1'],
    ['update pet set n = 1 where other > $1 and other <= $2;', 'write id > $1'],
    [
      'update pet set n = 1, id = id + 1 where id > $1 and id <= $2;',
      'the statement alters id, the key that it walks by',
    ],
    [
      'update pet set m = 1 where id > $1 and id <= $2;',
      'the statement alters pet.m; begin the file with -- obs: changes pet.m',
    ],
    ['update pet set (n, m) = (1, 2) where id > $1 and id <= $2;', 'the statement alters pet.m'],
    [
      'delete from pet where id > $1 and id <= $2;',
      'the statement takes rows out of pet; begin the file with -- obs: changes pet',
    ],
    [
      'with gone as (delete from pet where id > $1 and id <= $2 returning id) insert into copy select id from gone;',
      'the statement takes rows out of pet',
    ],
    [
      'insert into pet select id + 1000 from pet where id > $1 and id <= $2;',
      'the statement inserts into pet, which it walks through',
    ],
    [
      'insert into copy select id from pet where id > $1 and id <= $2 on conflict (id) do update set m = 1;',
      'the statement alters copy.m',
    ],
    ['update pet set n = 1 where id > $1 and id <= $2 returning n;', 'nobody reads what returning returns'],
    ['select id from pet where id > $1 and id <= $2;', 'a backfill is one update, insert … select or delete'],
    ['begin; update pet set n = 1 where id > $1 and id <= $2; commit;', 'a backfill is one update'],
  ])('is refused as %s', async (statement, expected) => {
    expect((await complaints(statement)).join('\n')).toContain(expected)
  })

  it('compares rows when the key has several columns', async () => {
    const by = 'backfill pet by a, b'
    const good = 'update pet set n = 1 where (a, b) > ($1, $2) and (pet.a, pet.b) <= ($3, $4) and a >= $1;'
    expect(await complaints(good, by)).toEqual([])
    const bad = 'update pet set n = 1 where a > $1 and b > $2 and a <= $3 and b <= $4;'
    expect((await complaints(bad, by)).join('\n')).toContain('write (a, b) > ($1, $2)')
    const swapped = 'update pet set n = 1 where (b, a) > ($1, $2) and (b, a) <= ($3, $4);'
    expect((await complaints(swapped, by)).join('\n')).toContain('write (a, b) > ($1, $2)')
  })

  it('may do anything to a table that is declared as a whole', async () => {
    expect(await complaints('delete from pet where id > $1 and id <= $2;', 'backfill pet by id', 'pet')).toEqual([])
  })
})
