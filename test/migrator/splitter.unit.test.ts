import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { checksumOf } from '../../src/migrator/checksum/checksum.js'
import { parseDirectives } from '../../src/migrator/files/directives.js'
import type { Script } from '../../src/migrator/migration.js'
import { loadParser } from '../../src/migrator/statements/parser.js'
import { parseScript } from '../../src/migrator/statements/statements.js'

beforeAll(loadParser)

function script(text: string): Script {
  return {
    file: '/m/1_x.up.sql',
    text,
    checksum: '',
    variant: null,
    directives: parseDirectives('/f', text).directives,
  }
}

/** Characters that splitters trip over, inside of quotes of every kind. */
const nasty = fc
  .array(
    fc.constantFrom(
      ';',
      '--',
      '/*',
      '*/',
      "''",
      '""',
      '$',
      '$$',
      '\\.',
      '\\',
      '\n',
      '\r\n',
      ' ',
      'stdin',
      'é',
      '🐶',
      'copy t from stdin;',
      '{{x}}',
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))

const inSingle = nasty.map((text) => `select '${text.replaceAll("'", "''")}' as x`)
const inIdentifier = nasty.map((text) => `select 1 as "x${text.replaceAll('"', '""')}"`)
const inBody = nasty.map((text) => `do $o$ ${text.replaceAll('$o$', '')} $o$`)
const inComment = nasty.map((text) => `select /* ${text.replaceAll('/*', '').replaceAll('*/', '')} */ 1`)
const atomic = fc.constant('create function f() returns int language sql begin atomic select 1; select 2; end')
const statement = fc.oneof(inSingle, inIdentifier, inBody, inComment, atomic)

const gap = fc.constantFrom('', ' ', '\n', '\r\n', '\t', '-- é; 🐶\n', "/* ; /* ' */ $$ */", '-- x\r', ';')

const rows = fc
  .array(
    fc.array(fc.constantFrom('1', 'é', '🐶', "it's", '$$', '/*', '--', ';', '\\N', '"', '\\.x', '1abc'), {
      minLength: 1,
      maxLength: 3,
    }),
    { maxLength: 4 },
  )
  .map((lines) => lines.map((cells) => `${cells.join('\t')}\n`).join(''))
  .filter((text) => !/^\\\.$/m.test(text))

interface Piece {
  readonly sql: string
  readonly rows?: string
  readonly gap: string
}

const piece: fc.Arbitrary<Piece> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ sql: statement, gap }) },
  { weight: 1, arbitrary: fc.record({ sql: fc.constant('copy t from stdin'), rows, gap }) },
)

function fileOf(pieces: readonly Piece[]): string {
  return pieces
    .map(({ sql, rows, gap }) => (rows === undefined ? `${gap}${sql};` : `${gap}${sql};\n${rows}\\.\n`))
    .join('')
}

describe('whatever a file holds', () => {
  it('is taken apart into the statements it was made of, each where it stands', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (pieces) => {
        const text = fileOf(pieces)
        const { parsed, problems } = await parseScript(script(text), 180000)
        expect(problems).toEqual([])
        expect(parsed.statements.map(({ sql, rows }) => [sql, rows?.text])).toEqual(
          pieces.map(({ sql, rows }) => [sql, rows]),
        )
        for (const { sql, index, rows } of parsed.statements) {
          expect(text.slice(index, index + sql.length)).toBe(sql)
          if (rows) expect(text.slice(rows.index, rows.index + rows.text.length)).toBe(rows.text)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('has the same checksum whatever stands between its statements', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(piece, gap), { maxLength: 5 }), async (pairs) => {
        const one = await checksumOf(script(fileOf(pairs.map(([first]) => first))))
        const other = await checksumOf(script(fileOf(pairs.map(([first, gap]) => ({ ...first, gap })))))
        expect(other.split(' ')[0]).toBe(one.split(' ')[0])
      }),
      { numRuns: 150 },
    )
  })

  it('has another checksum when it is made of other statements', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 4 }), fc.array(piece, { maxLength: 4 }), async (a, b) => {
        const said = (pieces: readonly Piece[]) =>
          JSON.stringify(
            pieces.map(({ sql, rows }) => [
              sql
                .replace(/\r\n/g, '\n')
                .replace(/\/\*.*\*\//s, '')
                .replace(/\s+1$/, '1'),
              rows,
            ]),
          )
        fc.pre(said(a) !== said(b))
        const [one, other] = [await checksumOf(script(fileOf(a))), await checksumOf(script(fileOf(b)))]
        expect(other.split(' ')[0]).not.toBe(one.split(' ')[0])
      }),
      { numRuns: 150 },
    )
  })
})

describe('what obs cannot run is named with its place', () => {
  const problems = async (text: string) =>
    (await parseScript(script(text), 180000)).problems.map(
      ({ message, location }) => `${location?.line}:${location?.column} ${message}`,
    )

  it.each([
    [
      '\\connect x\nselect 1;\n  \\i other.sql\nselect 2 \\gexec\n',
      ['1:1 \\connect is', '3:3 \\i is', '4:10 \\gexec is'],
    ],
    ['\\restrict abc\nselect 1;\n\\unrestrict abc\n', []],
    ['select 1 \\restrict abc\n;', ['1:10 \\restrict is a command of psql']],
    ['\\restrict\n', ['1:1 \\restrict is']],
    ["\\copy t from 'x'\n", ['1:1 \\copy is a command of psql']],
    ['select 1;\n\\.\n', ['2:1 \\. ends the rows']],
    ["select :'name';", ['1:8 variables of psql']],
    ['select :name;', ['1:8 variables of psql']],
    ['rollback;', ['1:1 obs opens and ends the transaction itself']],
    ['begin;\nselect 1;\nrollback;', ['1:1 this begin has no commit', '3:1 obs opens']],
    ['begin; select 1; commit and chain;', ['1:18 commit and chain']],
    ['begin;\nselect 1;', ['1:1 this begin has no commit']],
    ['select 1;\ncommit;', ['2:1 this commit has no begin']],
    ['begin;\nbegin;\ncommit;', ['2:1 this begin stands between']],
    ['begin isolation level serializable; commit;', ['1:1 obs opens the transaction itself, so it cannot']],
    ["prepare transaction 'x'", ['1:1 a prepared transaction']],
    ["commit prepared 'x'", ['1:1 a prepared transaction']],
    ["rollback prepared 'x'", ['1:1 a prepared transaction']],
    ['begin; create index concurrently on t (a); commit;', ['1:8 this cannot run in a transaction']],
    ['-- obs: no-transaction\nbegin; vacuum; commit;', ['2:8 this cannot run in a transaction']],
    ['-- obs: no-transaction\nsavepoint a;', ['2:1 a savepoint needs']],
    ['-- obs: no-transaction\nbegin; savepoint a; release a; commit;', []],
    ['copy t from stdin', ['1:1 no rows follow']],
    ['copy t to stdout;', ['1:1 copy … to stdout']],
    ['copy t from stdin (format binary);\n\\.\n', ['1:1 copy … from stdin takes its rows']],
    ['copy t from stdin; select 1;\n\\.\n', ['1:20 the rows of copy']],
    ['discard all', ['1:1 discard all']],
    ['deallocate all', ['1:1 deallocate all']],
    ["set client_encoding = 'LATIN1'", ['1:1 obs reads and sends UTF-8']],
    ["set names 'utf-8'; set client_encoding to UTF8", []],
    ['set standard_conforming_strings = off', ['1:1 obs reads']],
    ['set standard_conforming_strings = on; discard temp; deallocate x', []],
    ['copy t from stdin;\nsyntax is no matter here\n\\.\nselect 1 fromm x y;', ['4:16 syntax error at or near "x"']],
  ])('%j', async (text, expected) => {
    const found = await problems(text)
    expect(found.map((line, i) => line.slice(0, (expected[i] ?? '').length))).toEqual(expected)
  })
})

it('takes a dump with hundreds of tables of data apart in one go', async () => {
  const rows = Array.from({ length: 200 }, (_, i) => `${i}\tit's ${i} from stdin; -- $$ \\\\.\n`).join('')
  const table = (i: number) => `create table t_${i} (id int, x text);\ncopy t_${i} from stdin;\n${rows}\\.\n`
  const text = Array.from({ length: 400 }, (_, i) => table(i)).join('\n')
  const { parsed, problems } = await parseScript(script(text), 180000)
  expect(problems).toEqual([])
  expect(parsed.statements).toHaveLength(800)
})
