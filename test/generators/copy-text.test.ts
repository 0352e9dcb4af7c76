import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { withSession } from '../../src/database/connect.js'
import { copyIn } from '../../src/database/copy-in.js'
import { arrayLiteral, CopyBuffer, copyRows, copyValue } from '../../src/generators/copy-text.js'
import { testDatabase } from '../support/database.js'

/** Everything that means something to COPY, to arrays or to neither. */
const hostile = fc.oneof(
  fc.constantFrom(
    '\\N',
    '\\.',
    '',
    '\\',
    '\t',
    '\n',
    '\r\n',
    '\\t',
    "'; drop table traces; --",
    '{}',
    'NULL',
    '\u{1f9e8}',
    '\u2028',
  ),
  fc.string({
    unit: fc.constantFrom('\\', '\t', '\n', '\r', '.', 'N', 'b', '"', ',', '{', '}', ' ', 'é', '\b', '\v', '\u007f'),
  }),
  fc.string({ unit: 'grapheme' }),
)
const text = hostile.map((value) => value.replaceAll('\0', ''))

it('brings any text into PostgreSQL and back unchanged', async () => {
  const { sql } = await testDatabase()
  await sql`create table word (n int, value text, list text[])`
  const rows = fc.sample(fc.tuple(fc.option(text), fc.array(text, { maxLength: 4 })), { numRuns: 2000, seed: 9 })
  const lines = rows.map(([value, list], n) => [String(n), value, arrayLiteral(list)])
  const taken = await withSession(sql, (session) =>
    copyIn(session, 'copy word from stdin', Readable.from([copyRows(lines)])),
  )
  expect(taken).toBe(rows.length)
  const found = await sql<{ value: string | null; list: string[] }[]>`select value, list from word order by n`
  expect(found.map(({ value, list }) => [value, list])).toEqual(rows)
})

it('writes numbers that PostgreSQL reads as they were meant', async () => {
  const { sql } = await testDatabase()
  await sql`create table number (whole bigint, cost numeric(16, 6), word uuid, note text)`
  const buffer = new CopyBuffer()
  buffer.integer(Number.MAX_SAFE_INTEGER).tab().decimal(1_234_567_890_123, 6).tab()
  buffer.hex(0x01234567).hexHalves(0x89abcdef).hex(0xfedcba98).hex(0x76543210).tab().bytes(copyValue(null)).newline()
  buffer.integer(0).tab().decimal(7, 6).tab().hex(0).hex(0).hex(0).hex(0).tab().bytes(copyValue('\\N')).newline()
  await withSession(sql, (session) => copyIn(session, 'copy number from stdin', Readable.from([buffer.content])))
  expect(await sql`select whole::text, cost::text, word::text, note from number order by cost desc`).toEqual([
    { whole: '9007199254740991', cost: '1234567.890123', word: '01234567-89ab-cdef-fedc-ba9876543210', note: null },
    { whole: '0', cost: '0.000007', word: '00000000-0000-0000-0000-000000000000', note: '\\N' },
  ])
})
