import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { csvHeader, csvWriter } from '../../../src/generators/sinks/csv.js'
import { ndjsonWriter } from '../../../src/generators/sinks/ndjson.js'
import { RowReader } from '../../../src/generators/sinks/row-reader.js'
import { TextBuffer } from '../../../src/generators/sinks/text-buffer.js'
import { readTypes, type SinkColumn } from '../../../src/generators/sinks/value-type.js'
import { openTestDatabase } from '../../support/database.js'

let database: Awaited<ReturnType<typeof openTestDatabase>>
beforeAll(async () => {
  database = await openTestDatabase()
  await database.sql.unsafe(`alter database ${new URL(database.url).pathname.slice(1)} set timezone to 'UTC'`)
})
afterAll(() => database?.close())

/** Values of each type that are easily written wrong; each is read by the server first. */
const hard: Readonly<Record<string, readonly string[]>> = {
  boolean: ['t', 'f'],
  smallint: ['0', '-1', '32767', '-32768'],
  integer: ['0', '-1', '2147483647', '-2147483648', '1000000', '999999999'],
  bigint: ['0', '9223372036854775807', '-9223372036854775808', '9007199254740993', '-4294967297', '4294967296'],
  real: [
    '0',
    '-0',
    '1.5',
    '1e6',
    '999999',
    '0.0001',
    '0.00001',
    '3.4028235e38',
    '1e-45',
    'NaN',
    'Infinity',
    '123456.7',
  ],
  'double precision': [
    '0',
    '-0',
    '0.1',
    '1e15',
    '999999999999999',
    '1e14',
    '0.0001',
    '1.5e-7',
    '-2.5e300',
    '5e-324',
    'NaN',
    '-Infinity',
  ],
  numeric: [
    ...['0', '0.00', '-1', '1e20', '0.000000000001', '123456789012345678901234567890.123456789', 'NaN'],
    ...['Infinity', '-Infinity', '10000', '100000000.0001', '-0.5', '9999.9999', '1.10'],
  ],
  'numeric(10,6)': ['0', '1234.567891', '0.000001', '-9999.999999', '100'],
  text: [
    '',
    ' ',
    'a,b',
    'say "yes"',
    'two\nlines',
    'cr\rlf',
    '\\.',
    '\\N',
    'NULL',
    'tab\there',
    'ünï – 語 🙂',
    "it's",
    ' padded ',
  ],
  'character varying(8)': ['', 'abc', '"'],
  bytea: ['', '\\x00ff10', '\\x2c22'],
  uuid: ['8f14e45f-ceea-4e7a-9b1c-0242ac120001', '00000000-0000-0000-0000-000000000000'],
  json: ['{"a":  1}', '[]', 'null', '{"a":\n "b,c"}'],
  jsonb: ['{"b": 1, "a": "x\\"y, z"}', '"text"', '12345678901234567890.5', '{"nul": null}'],
  date: [
    '2000-01-01',
    '1969-12-31',
    '0001-01-01',
    '0044-03-15 BC',
    '2024-02-29',
    '5874897-12-31',
    'infinity',
    '-infinity',
  ],
  time: ['00:00', '23:59:59.999999', '12:30:00.5'],
  timestamp: ['2026-11-10 12:00:00.5', '1999-12-31 23:59:59.999999', 'infinity'],
  'timestamp with time zone': [
    ...[
      '2026-11-10 12:00:00.123456+00',
      '2000-01-01 00:00+00',
      '1999-12-31 23:59:59.999999+00',
      '0044-03-15 12:00+00 BC',
    ],
    ...['294276-12-31 23:59:59.999999+00', '4713-01-01 00:00+00 BC', 'infinity', '-infinity', '2026-02-28 23:00-05'],
  ],
  'text[]': [
    '{}',
    '{a,b}',
    '{"",NULL,"NULL","a b","c,d","e\\"f","g\\\\h","{i}"}',
    '{{a,b},{c,d}}',
    '[0:1]={x,y}',
    '{"two\nlines"}',
  ],
  'integer[]': ['{1,NULL,-3}', '{{{1,2},{3,4}},{{5,6},{7,8}}}'],
  'timestamp with time zone[]': ['{2026-11-10 12:00:00+00}'],
  'uuid[]': ['{8f14e45f-ceea-4e7a-9b1c-0242ac120001}'],
}

describe.each(Object.entries(hard))('values of %s', (type, values) => {
  it('have in CSV the bytes that the server writes, and are the same values when it reads them', async () => {
    const { bytes, columns } = await exported(type, values)
    const written = csvOf(columns, bytes)
    const native = await copyOut(`copy (select * from x order by nr) to stdout (format csv, header)`)
    expect(written).toBe(native.toString())
    const distinct = await readBack(written, type)
    expect(distinct).toBe(0)
  })

  it('are in JSON what the server makes of them', async () => {
    const { bytes, columns } = await exported(type, values)
    const lines = ndjsonOf(columns, bytes).trimEnd().split('\n')
    const rows = await database.sql.unsafe<{ line: string }[]>(`select row_to_json(x)::text as line from x order by nr`)
    expect(lines.map((line) => normal(JSON.parse(line)))).toEqual(rows.map(({ line }) => normal(JSON.parse(line))))
  })
})

it('keeps every digit of a number in JSON', async () => {
  const { bytes, columns } = await exported('numeric', ['123456789012345678901234567890.123456789'])
  expect(ndjsonOf(columns, bytes)).toContain(':123456789012345678901234567890.123456789}')
})

it('refuses a type that it does not know, with the name of the column', () => {
  expect(() => readTypes('places', [{ name: 'at', type: 'point' }])).toThrow('--sink cannot write at point of places')
})

it('refuses bytes that are no rows of the table', () => {
  const rows = new RowReader(2)
  rows.open(Buffer.from([0, 1, 0, 0, 0, 0]))
  expect(() => rows.read()).toThrow('a row has 1 fields where 2 are expected')
})

/** Fills the table x with the values and NULL, and gives its rows as the server sends them in binary. */
async function exported(type: string, values: readonly string[]): Promise<{ bytes: Buffer; columns: SinkColumn[] }> {
  const { sql } = database
  await sql.unsafe(`drop table if exists x; create table x (nr int, value ${type})`)
  for (const [nr, value] of values.entries()) {
    await sql.unsafe(`insert into x values (${nr}, $1::text::${type})`, [value])
  }
  await sql.unsafe(`insert into x values (${values.length}, null)`)
  const stream = await copyOut('copy (select * from x order by nr) to stdout (format binary)')
  return {
    bytes: withoutFrame(stream),
    columns: [
      { name: 'nr', type: 'integer' },
      { name: 'value', type },
    ],
  }
}

async function copyOut(statement: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of await database.sql.unsafe(statement).readable()) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Without the header of 19 bytes and the trailer of two. */
function withoutFrame(stream: Buffer): Buffer {
  return stream.subarray(19, stream.length - 2)
}

function csvOf(columns: readonly SinkColumn[], bytes: Buffer): string {
  const target = new TextBuffer(16)
  csvHeader(columns, target)
  const rows = new RowReader(columns.length)
  rows.open(bytes)
  csvWriter(readTypes('x', columns))(rows, target)
  return target.content.toString()
}

function ndjsonOf(columns: readonly SinkColumn[], bytes: Buffer): string {
  const target = new TextBuffer(16)
  const rows = new RowReader(columns.length)
  rows.open(bytes)
  ndjsonWriter(columns, readTypes('x', columns))(rows, target)
  return target.content.toString()
}

/** Loads the CSV into a table beside x and counts the rows that differ to the byte of their binary form. */
async function readBack(csv: string, type: string): Promise<number> {
  const { sql } = database
  await sql.unsafe(`drop table if exists z; create table z (nr int, value ${type})`)
  const target = await sql.unsafe('copy z from stdin (format csv, header)').writable()
  await new Promise<void>((resolve, reject) => {
    target.on('error', reject)
    target.on('finish', resolve)
    target.end(csv)
  })
  const [row] = await sql.unsafe<{ rows: number }[]>(
    `select count(*) as rows from x full join z using (nr) where x.value::text is distinct from z.value::text`,
  )
  return row?.rows ?? -1
}

/** The server writes times in JSON with an offset and floats with an exponent of its own. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal)
  if (typeof value === 'string') return value.replace(/\+00:00/, 'Z')
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normal(inner)]))
}
