import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Sql, withSession } from '../../src/database/connect.js'
import { copyIn } from '../../src/database/copy-in.js'
import { copyOut } from '../../src/database/copy-out.js'
import { CopyBuffer, copyHeader, copyTrailer } from '../../src/generators/copy-binary.js'
import { arrayLiteral, copyRows } from '../../src/generators/copy-rows.js'
import { jsonbText } from '../../src/generators/jsonb-text.js'
import { testDatabase } from '../support/database.js'
import { fieldText, rowsOf } from './copy-fields.js'

/** Everything that means something to COPY, to arrays, to JSON or to none of them. */
const hostile = fc.oneof(
  fc.constantFrom(
    '\\N',
    '\\.',
    '',
    '\\',
    '\t',
    '\r\n',
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
/** JSON without what PostgreSQL's own form of it cannot hold. */
const json = fc
  .jsonValue({ noUnicodeString: false })
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll('\\u0000', '')) as unknown)

interface Kind<T> {
  readonly type: string
  readonly values: fc.Arbitrary<T>
  write(target: CopyBuffer, value: T): void
  /** What PostgreSQL is expected to write. */
  written(value: T): string
}

function kind<T>(type: string, values: fc.Arbitrary<T>, write: Kind<T>['write'], written: Kind<T>['written']): Kind<T> {
  return { type, values, write, written }
}

const safe = fc.maxSafeInteger()
/** From 1714 to 2255: what is a safe integer of microseconds, counted from 1970 and from 2000. */
const micros = fc.integer({ min: 946_684_800_000_000 - Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
const kinds = [
  kind(
    'bool',
    fc.boolean(),
    (b, v) => b.bool(v),
    (v) => (v ? 't' : 'f'),
  ),
  kind('int2', fc.integer({ min: -32_768, max: 32_767 }), (b, v) => b.int2(v), String),
  kind('int4', fc.integer(), (b, v) => b.int4(v), String),
  kind('int8', safe, (b, v) => b.int8(v), String),
  kind(
    'float8',
    fc.integer().map((v) => v / 1024),
    (b, v) => b.float8(v),
    String,
  ),
  kind(
    'numeric(28,6)',
    safe,
    (b, v) => b.numeric(v, 6),
    (v) => decimal(v, 6),
  ),
  kind('numeric(18,0)', safe, (b, v) => b.numeric(v, 0), String),
  kind(
    'numeric(24,12)',
    fc.nat(10 ** 15),
    (b, v) => b.numeric(v, 12),
    (v) => decimal(v, 12),
  ),
  kind(
    'timestamptz',
    micros,
    (b, v) => b.timestamptz(v),
    (v) => `${timestamp(v)}+00`,
  ),
  kind('timestamp', micros, (b, v) => b.timestamptz(v), timestamp),
  kind(
    'date',
    fc.integer({ min: -700_000, max: 2_000_000 }),
    (b, v) => b.date(v),
    (v) => new Date(v * 86_400_000).toISOString().replace(/T.*/, '').replace(/^\+0/, ''),
  ),
  kind(
    'time',
    fc.nat(86_399),
    (b, v) => b.time(v * 1_000_000 + 250_000),
    (v) => new Date(v * 1000).toISOString().replace(/^.*T(.*)\.000Z/, '$1.25'),
  ),
  kind(
    'interval',
    fc.nat(5000),
    (b, v) => b.interval(v, 3, 1_500_000),
    (v) => `${Math.floor(v / 12) * 31_557_600 + (v % 12) * 2_592_000 + 259_201}.500000`,
  ),
  kind('uuid', fc.uuid(), (b, v) => b.uuidText(v), String),
  kind('text', text, (b, v) => b.text(v), String),
  kind('varchar(4000)', text, (b, v) => b.textBytes(Buffer.from(v)), String),
  kind(
    'text[]',
    fc.array(text, { maxLength: 4 }),
    (b, v) => b.textArray(v),
    (v) => JSON.stringify(v),
  ),
  kind(
    'varchar(4000)[]',
    fc.array(text, { maxLength: 4 }),
    (b, v) => b.textArray(v, 'varchar'),
    (v) => JSON.stringify(v),
  ),
  kind('jsonb', json, (b, v) => b.jsonb(v), jsonbText),
  kind(
    'bytea',
    fc.uint8Array(),
    (b, v) => b.textBytes(v),
    (v) => `\\x${Buffer.from(v).toString('hex')}`,
  ),
] as readonly Kind<unknown>[]

it.each(kinds)('brings any $type into PostgreSQL and back, byte for byte', async (kind) => {
  const { sql } = await testDatabase()
  await sql.unsafe(`create table kept (n int4, value ${kind.type})`)
  const values = [null, ...fc.sample(kind.values, { numRuns: 500, seed: 9 })]
  const sent = new CopyBuffer(8 * 1024 * 1024)
  for (const [n, value] of values.entries()) {
    sent.row(2).int4(n)
    value === null ? sent.null() : kind.write(sent, value)
  }
  expect(await load(sql, sent.content)).toBe(values.length)
  expect((await unload(sql)).equals(Buffer.concat([copyHeader, sent.content, copyTrailer]))).toBe(true)

  const kept = await sql.begin(async (session) => {
    await session`set local timezone to 'UTC'`
    return session.unsafe<{ value: string | null }[]>(`select ${formOf(kind.type)} as value from kept order by n`)
  })
  const expected = values.map((value) => (value === null ? null : kind.written(value)))
  expect(kept.map(({ value }) => value)).toEqual(expected)
})

/** Arrays as JSON and intervals in parts, which are easier to expect. */
function formOf(type: string): string {
  if (type.endsWith('[]')) return 'array_to_json(value)::text'
  return type === 'interval'
    ? 'extract(epoch from value)::text'
    : `case when value is not null then format('%s', value) end`
}

it('reads fields as PostgreSQL writes them', async () => {
  const { sql } = await testDatabase()
  for (const { type, values, write } of kinds) {
    if (type === 'interval') continue
    await sql.unsafe(`drop table if exists kept; create table kept (n int4, value ${type})`)
    const sent = new CopyBuffer(8 * 1024 * 1024)
    const name = type.replace(/\(.*\)/, '')
    const samples = fc.sample(values, { numRuns: 100, seed: 11 })
    for (const [n, value] of samples.entries()) write(sent.row(2).int4(n), value)
    await load(sql, sent.content)
    const read: string[] = []
    for (const [, field] of rowsOf(sent.content)) read.push(fieldText(name, field ?? Buffer.alloc(0)))
    const kept = await sql.begin(async (session) => {
      await session`set local timezone to 'UTC'`
      return session.unsafe<{ value: string }[]>(`select format('%s', value) as value from kept order by n`)
    })
    expect(read, type).toEqual(kept.map(({ value }) => value))
  }
})

it('brings rows of values in their written form into PostgreSQL and back unchanged', async () => {
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

function load(sql: Sql, content: Buffer): Promise<number> {
  const source = Readable.from([copyHeader, content, copyTrailer])
  return withSession(sql, (session) => copyIn(session, 'copy kept from stdin with (format binary)', source))
}

async function unload(sql: Sql): Promise<Buffer> {
  const chunks: Buffer[] = []
  await withSession(sql, (session) =>
    copyOut(session, 'copy kept to stdout with (format binary)', (bytes) => void chunks.push(Buffer.from(bytes))),
  )
  return Buffer.concat(chunks)
}

function decimal(scaled: number, scale: number): string {
  const digits = String(Math.abs(scaled)).padStart(scale + 1, '0')
  return `${scaled < 0 ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

function timestamp(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000)
  const fraction = String(micros - seconds * 1_000_000)
    .padStart(6, '0')
    .replace(/0+$/, '')
  const whole = new Date(seconds * 1000).toISOString().replace('T', ' ').replace('.000Z', '')
  return fraction ? `${whole}.${fraction}` : whole
}
