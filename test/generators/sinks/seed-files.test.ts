import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { parquetReadObjects } from 'hyparquet'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { quietContext } from '../../../src/context.js'
import type { Sql } from '../../../src/database/connect.js'
import { observability } from '../../../src/generators/observability/pack.js'
import { type FilesOptions, seedFiles } from '../../../src/generators/sinks/seed-files.js'
import { sinkFormat } from '../../../src/generators/sinks/sink.js'
import { asOf, contents, seedSmall, small, templates } from '../seeding.js'

let copies: Awaited<ReturnType<typeof templates>>
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'obs-sink-'))
  copies = await templates()
}, 120_000)
afterAll(async () => {
  await copies?.drop()
  await rm(folder, { recursive: true, force: true })
})

function generate(sink: string, options: Partial<FilesOptions> = {}, signal?: AbortSignal) {
  return seedFiles(
    { generators: observability, ...small, asOf, sink: sinkFormat(sink), ...options },
    quietContext(signal),
  )
}

it('writes CSV that gives a database the rows that seeding gives it', async () => {
  const output = join(folder, 'csv')
  const result = await generate('csv', { output, gzip: true })
  const loaded = await copies.migrated()
  for (const [table, { file, sha256, bytes }] of Object.entries(result.tables)) {
    const path = join(output, file ?? '')
    const content = await readFile(path)
    expect({ bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }).toEqual({
      bytes,
      sha256,
    })
    await loadCsvFile(loaded.sql, table, path)
  }
  await loaded.sql`select traces_refresh_rollups()`
  const seeded = await copies.migrated()
  await seedSmall(seeded, small)
  const [fromFiles, fromSeed] = [await contentsWithoutIds(loaded.sql), await contentsWithoutIds(seeded.sql)]
  expect(fromFiles).toEqual(fromSeed)
  expect(JSON.parse(await readFile(join(output, 'manifest.json'), 'utf8'))).toMatchObject({
    ...{ run_id: result.run_id, profile: 'demo', seed: 42, tables: result.tables },
  })
}, 120_000)

it('writes the same rows in every form', async () => {
  const [json, parquet] = [join(folder, 'json'), join(folder, 'parquet')]
  const [lines, columns, none] = [
    await generate('ndjson', { output: json }),
    await generate('parquet', { output: parquet }),
    await generate('null'),
  ]
  const counts = (tables: typeof none.tables) => Object.entries(tables).map(([table, { rows }]) => [table, rows])
  expect(counts(lines.tables)).toEqual(counts(none.tables))
  expect(counts(columns.tables)).toEqual(counts(none.tables))
  const file = await readFile(join(parquet, 'traces.parquet'))
  const rows = await parquetReadObjects({
    file: file.buffer.slice(file.byteOffset, file.byteOffset + file.length) as ArrayBuffer,
  })
  const objects = (await readFile(join(json, 'traces.ndjson'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(rows.map(({ trace_id }) => trace_id)).toEqual(objects.map(({ trace_id }) => trace_id))
  expect(rows.map((row) => Number(Number(row['cost_usd']).toFixed(6)))).toEqual(objects.map(({ cost_usd }) => cost_usd))
  expect(rows.map((row) => JSON.parse(String(row['metadata'])))).toEqual(objects.map(({ metadata }) => metadata))
  expect(rows.map((row) => row['tags'])).toEqual(objects.map(({ tags }) => tags))
})

it('leaves no file when it is interrupted, and nothing of a process that was killed', async () => {
  const output = join(folder, 'interrupted')
  const stop = new AbortController()
  const context = { ...quietContext(stop.signal), progress: { step() {}, advance: () => stop.abort(), warn() {} } }
  const options = { generators: observability, ...small, asOf, sink: sinkFormat('csv'), output }
  await expect(seedFiles(options, context)).rejects.toMatchObject({ code: 'interrupted' })
  expect(await readdir(output)).toEqual([])
  await generate('csv', { output })
  expect((await readdir(output)).filter((name) => name.startsWith('.'))).toEqual([])
})

it('refuses a folder that holds such files, and writes over them only when it is told to', async () => {
  const output = join(folder, 'twice')
  const first = await generate('csv', { output })
  await expect(generate('csv', { output, seed: 7 })).rejects.toMatchObject({ code: 'output_exists', exitCode: 2 })
  const hash = async () =>
    createHash('sha256')
      .update(await readFile(join(output, 'traces.csv')))
      .digest('hex')
  expect(await hash()).toBe(first.tables['traces']?.sha256)
  const second = await generate('csv', { output, seed: 7, mode: 'replace' })
  expect(await hash()).toBe(second.tables['traces']?.sha256)
  expect(second.tables['traces']?.sha256).not.toBe(first.tables['traces']?.sha256)
})

it.each([
  [{ mode: 'append' as const, output: 'x' }, 'csv'],
  [{}, 'csv'],
  [{ output: 'x' }, 'null'],
  [{ output: 'x', gzip: true }, 'parquet'],
])('refuses %j with the sink %s', async (options, sink) => {
  await expect(generate(sink, options)).rejects.toMatchObject({ code: 'sink_options', exitCode: 2 })
})

async function loadCsvFile(sql: Sql, table: string, path: string): Promise<void> {
  const head = (await gunzipped(path)).split('\n', 1)[0] ?? ''
  const target = await sql.unsafe(`copy ${table} (${head}) from stdin (format csv, header)`).writable()
  await pipeline(createReadStream(path), createGunzip(), target)
}

async function gunzipped(path: string): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of createReadStream(path).pipe(createGunzip())) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** traces.id is numbered by the database, in the order of loading. */
async function contentsWithoutIds(sql: Sql): Promise<Record<string, string>> {
  await sql`update traces set id = 0`
  await sql`delete from traces_rollup_changes`
  const hashes = await contents(sql)
  const [row] = await sql.unsafe<{ hash: string }[]>(
    `select count(*) || ' rows, ' || md5(string_agg(md5(t::text), '' order by trace_id)) as hash from traces t`,
  )
  return { ...hashes, traces: row?.hash ?? '' }
}
