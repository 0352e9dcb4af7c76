import { describe, expect, it } from 'vitest'
import { parseDirectives } from '../../src/migrator/files/directives.js'
import type { Script } from '../../src/migrator/migration.js'
import { touchedTables } from '../../src/migrator/preservation/touched-tables.js'
import { parseScript } from '../../src/migrator/statements/statements.js'

function script(text: string): Script {
  return {
    file: '/m/0001_x.up.sql',
    text,
    checksum: '',
    variant: null,
    directives: parseDirectives('/f', text).directives,
  }
}

async function parse(text: string, serverVersion = 180004) {
  const { parsed, problems } = await parseScript(script(text), serverVersion)
  return { ...parsed, problems }
}

async function problems(text: string): Promise<string[]> {
  const found = (await parse(text)).problems
  return found.map(({ message, location }) => `${location?.line}:${location?.column} ${message}`)
}

describe('a file is taken apart', () => {
  it('into statements with their places, whatever is between them', async () => {
    const text = `-- ünï 🐶;\n\nselect ';' as a;;\n/* x /* ; */ é */ create function f() returns int\n language sql as $$ select 1; $$;\n select 'é🐶'`
    const { statements } = await parse(text)
    expect(statements.map((one) => one.sql)).toEqual([
      `select ';' as a`,
      `create function f() returns int\n language sql as $$ select 1; $$`,
      `select 'é🐶'`,
    ])
    for (const { sql, index } of statements) expect(text.slice(index, index + sql.length)).toBe(sql)
  })

  it.each(['', '  \n', '-- only a comment', '/* nothing */ ;'])('into nothing: %j', async (text) => {
    expect(await parse(text)).toMatchObject({ statements: [], problems: [] })
  })

  it('without the begin and commit around the whole of it', async () => {
    const { statements, transactional } = await parse('begin;\nselect 1;\nselect 2;\ncommit;')
    expect(statements.map((one) => one.sql)).toEqual(['select 1', 'select 2'])
    expect(transactional).toBe(true)
  })
})

describe('a mistake is placed', () => {
  it.each([
    ["-- é🐶\nselect '🐶' fromm x y z;", /^2:18 syntax error at or near "x"$/],
    ['create table x (\n  id int,,\n);', /^2:10 syntax error at or near ","$/],
    ['select 1', undefined],
    ["select 'open", /^1:8 unterminated quoted string/],
    ['create table (', /^1:14 syntax error/],
    ['select (', /^1:9 syntax error at end of input$/],
    ['select 1;\n  \\i other.sql\n', /^2:3 \\i is a command of psql/],
    ['select 1;\nrollback;', /^2:1 obs opens and ends the transaction itself/],
    ['begin; select 1; commit; select 2;', undefined],
    ['copy t from stdin;', /^1:18 the rows of copy … from stdin have no end/],
    [`copy t from '/tmp/x';`, undefined],
    ['savepoint a; select 1; release a;', undefined],
  ])('%j', async (text, expected) => {
    const [first] = await problems(text)
    if (expected) expect(first).toMatch(expected)
    else expect(first).toBeUndefined()
  })

  it('is left to a server that is newer than the parser', async () => {
    const { statements, problems: found } = await parse('select a new kind of syntax from 2031', 190000)
    expect(found).toEqual([])
    expect(statements).toHaveLength(1)
  })
})

describe('what refuses a transaction', () => {
  it.each([
    'create index concurrently on t (a)',
    'drop index concurrently i',
    'reindex table concurrently t',
    'reindex (concurrently) index i',
    'reindex schema s',
    'vacuum t',
    'cluster',
    'alter table p detach partition q concurrently',
    'create database d',
    'alter system set work_mem = 1',
  ])('%s', async (sql) => {
    expect(await parse(sql)).toMatchObject({ transactional: false, problems: [] })
    expect(await problems(`select 1;\n${sql}`)).toEqual([
      expect.stringMatching(/^2:1 this cannot run in a transaction/),
    ])
    expect(await parse(`-- obs: no-transaction\nselect 1;\n${sql}`)).toMatchObject({
      transactional: false,
      problems: [],
    })
  })

  it.each([
    'analyze t',
    'create index on t (a)',
    'cluster t using i',
    'alter table p detach partition q',
    'reindex table t',
  ])('not %s', async (sql) => {
    expect(await parse(sql)).toMatchObject({ transactional: true, problems: [] })
  })
})

describe('the tables a file can touch', () => {
  it.each([
    ['create table x (); create index on t (a); comment on table t is $$x$$', []],
    ['alter table s.t add column x int; alter table u rename to v', ['s.t', 'u']],
    ['alter table t attach partition p for values in (1)', ['t', 'p']],
    ['drop table a, s.b; drop index i', ['a', 's.b']],
    ['drop table a cascade', 'any'],
    ['drop type y', 'any'],
    ['insert into t values (1)', 'any'],
    ['create table x as select 1', 'any'],
    ['select f()', 'any'],
    ['do $$ begin end $$', 'any'],
    ['call p()', 'any'],
    ['truncate t', 'any'],
  ])('%s', async (sql, expected) => {
    const { tables, uncertain } = touchedTables((await parse(sql)).statements)
    const names = tables.map((one) => (one.schema ? `${one.schema}.${one.table}` : one.table))
    expect(uncertain.length > 0 ? 'any' : names).toEqual(expected)
  })
})
