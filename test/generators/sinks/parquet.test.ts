import { parquetReadObjects } from 'hyparquet'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { withSession } from '../../../src/database/connect.js'
import { copyOut } from '../../../src/database/copy-out.js'
import { ParquetRows } from '../../../src/generators/sinks/parquet.js'
import { RowReader } from '../../../src/generators/sinks/row-reader.js'
import { readTypes, type SinkColumn } from '../../../src/generators/sinks/value-type.js'
import { openTestDatabase } from '../../support/database.js'

let database: Awaited<ReturnType<typeof openTestDatabase>>
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database?.close())

const columns: readonly SinkColumn[] = [
  { name: 'id', type: 'bigint' },
  { name: 'flag', type: 'boolean' },
  { name: 'small', type: 'smallint' },
  { name: 'ratio', type: 'double precision' },
  { name: 'cost', type: 'numeric(10,6)' },
  { name: 'exact', type: 'numeric(30,10)' },
  { name: 'any_number', type: 'numeric' },
  { name: 'label', type: 'text' },
  { name: 'key', type: 'uuid' },
  { name: 'facts', type: 'jsonb' },
  { name: 'day', type: 'date' },
  { name: 'at', type: 'timestamp with time zone' },
  { name: 'tags', type: 'character varying(64)[]' },
  { name: 'raw', type: 'bytea' },
]

it('reads back, with another library, as the rows that the server holds', async () => {
  const { sql } = database
  await sql.unsafe(`create table things (${columns.map(({ name, type }) => `${name} ${type}`).join(', ')})`)
  await sql.unsafe(`
    insert into things
    select i, i % 2 = 0, i % 100 - 50, i / 7.0, i * 0.000001, -i * 12345678901.0123456789, i * 1.5, 'Zeile ' || i || ' – ünï',
           md5(i::text)::uuid, jsonb_build_object('n', i, 'text', 'a "b"'), date '2026-01-01' + i,
           timestamptz '2026-11-10 00:00:00.000001+00' + i * interval '1 second', array['a', null, 'b ' || i], decode('00ff', 'hex')
    from generate_series(1, 20500) i;
    insert into things (id) values (20501);
    insert into things (id, label, tags) values (20502, '', '{}')`)
  const bytes = await parquetOf('select * from things order by id')
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
  const rows = await parquetReadObjects({ file })
  expect(rows).toHaveLength(20_502)
  expect(rows[0]).toMatchObject({
    ...{ id: 1n, flag: false, small: -49, cost: 0.000001, any_number: '1.5', label: 'Zeile 1 – ünï' },
    ...{ facts: '{"n": 1, "text": "a \\"b\\""}', at: new Date('2026-11-10T00:00:01.000Z'), tags: ['a', null, 'b 1'] },
    ...{ day: new Date('2026-01-02'), key: 'c4ca4238-a0b9-2382-0dcc-509a6f75849b' },
  })
  expect(rows[20_500]).toMatchObject({ id: 20_501n, flag: null, cost: null, label: null, key: null })
  expect(rows[20_500]?.['tags'] ?? null).toBeNull()
  expect(rows[20_501]).toMatchObject({ label: '', tags: [] })
  const [sums] = await sql`
    select sum(small) as small, sum(cost)::float8 as cost, sum(exact)::float8 as exact, sum(extract(epoch from at) * 1000)::float8 as at,
           sum(length(label)) as label from things`
  const total = (read: (row: Record<string, never>) => number) =>
    rows.reduce((sum, row) => sum + read(row as Record<string, never>), 0)
  expect(total(({ small }) => Number(small ?? 0))).toBe(Number(sums?.['small']))
  expect(total(({ cost }) => Number(cost ?? 0))).toBeCloseTo(Number(sums?.['cost']), 6)
  expect(total(({ exact }) => Number(exact ?? 0)) / Number(sums?.['exact'])).toBeCloseTo(1, 10)
  expect(total(({ label }) => [...String(label ?? '')].length)).toBe(Number(sums?.['label']))
}, 60_000)

async function parquetOf(query: string): Promise<Buffer> {
  const reader = new RowReader(columns.length)
  const file = new ParquetRows(columns, readTypes('things', columns))
  const chunks: Buffer[] = []
  await withSession(database.sql, (session) =>
    copyOut(session, `copy (${query}) to stdout (format binary)`, (bytes) => void chunks.push(Buffer.from(bytes))),
  )
  const stream = Buffer.concat(chunks)
  reader.open(stream.subarray(19, stream.length - 2))
  expect(file.write(reader)).toBe(20_502)
  file.finish()
  return file.take()
}
