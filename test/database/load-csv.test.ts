import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { withSession } from '../../src/database/connect.js'
import { copyIn } from '../../src/database/copy-in.js'
import { loadCsv } from '../../src/database/load-csv.js'
import { openTestDatabase } from '../support/database.js'

let database: Awaited<ReturnType<typeof openTestDatabase>>
let folder: string

beforeAll(async () => {
  database = await openTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'obs-csv-'))
})

afterAll(async () => {
  await database.close()
  await rm(folder, { recursive: true })
})

beforeEach(async () => {
  await database.sql.unsafe(`
    drop schema if exists "odd ""schema""" cascade;
    create schema "odd ""schema""";
    create table "odd ""schema"""."Pet" (id serial primary key, "full name" text, note text, age int check (age < 100))`)
})

const target = { schema: 'odd "schema"', table: 'Pet' }

const pets = () => database.sql`select * from ${database.sql('odd "schema"')}.${database.sql('Pet')} order by id`

async function csv(text: string): Promise<string> {
  const file = join(folder, 'pets.csv')
  await writeFile(file, text)
  return file
}

it('loads texts as they are, tells NULL from the empty string and leaves the id to its sequence', async () => {
  const file = await csv('"full name",note,age\n"Zoë ""the cat""\nII",,3\n\\N,"",\n')
  expect(await loadCsv(database.sql, target, file, quietContext())).toBe(2)
  expect(await pets()).toEqual([
    { id: 1, 'full name': 'Zoë "the cat"\nII', note: null, age: 3 },
    { id: 2, 'full name': '\\N', note: '', age: null },
  ])
})

it('loads more than a socket holds at once', async () => {
  const lines = Array.from({ length: 50_000 }, (_, n) => `pet ${n},${'x'.repeat(100)},${n % 90}`)
  const file = await csv(`full name,note,age\n${lines.join('\n')}\n`)
  expect(await loadCsv(database.sql, target, file, quietContext())).toBe(50_000)
  const [sum] = await database.sql`select count(*), sum(age)::int from ${database.sql('odd "schema"')}."Pet"`
  expect(sum).toEqual({ count: 50_000, sum: lines.reduce((total, _, n) => total + (n % 90), 0) })
})

it.each([
  ['a value in the last line is of the wrong type', 'full name,age\nRex,3\nTom,old\n', '22P02'],
  ['a constraint fails', 'full name,age\nRex,3\nTom,300\n', '23514'],
  ['the header names a column the table lacks', 'full name,colour\nRex,brown\n', '42703'],
  ['a line has too few fields', 'full name,note,age\nRex\n', '22P04'],
])('keeps no row when %s, and the connection goes on', async (_, text, code) => {
  const file = await csv(text)
  await withSession(database.sql, async (session) => {
    await expect(loadCsv(session, target, file, quietContext())).rejects.toMatchObject({ code })
    expect(await session`select 1 as one`).toEqual([{ one: 1 }])
  })
  expect(await pets()).toEqual([])
})

it('refuses a file whose header is not the wanted columns', async () => {
  const file = await csv('note,full name\nbarks,Rex\n')
  const wanted = { ...target, columns: ['full name', 'note'] }
  await expect(loadCsv(database.sql, wanted, file, quietContext())).rejects.toMatchObject({ code: '22P04' })
  expect(await pets()).toEqual([])
})

it('says which file is missing', async () => {
  const missing = join(folder, 'missing.csv')
  await expect(loadCsv(database.sql, target, missing, quietContext())).rejects.toMatchObject({
    code: 'csv_unreadable',
    file: missing,
  })
})

it('says that a file is empty', async () => {
  const empty = await csv('')
  await expect(loadCsv(database.sql, target, empty, quietContext())).rejects.toMatchObject({
    code: 'csv_unreadable',
    message: `cannot load ${empty}: it has no header`,
  })
})

it('keeps no row when the source fails half-way, and throws what the source threw', async () => {
  async function* half() {
    yield 'Rex,barks,3\n'
    throw new Error('the disk is gone')
  }
  const copy = `copy "odd ""schema"""."Pet" ("full name", note, age) from stdin (format csv)`
  await withSession(database.sql, async (session) => {
    await expect(copyIn(session, copy, Readable.from(half()))).rejects.toThrow('the disk is gone')
    expect(await session`select 1 as one`).toEqual([{ one: 1 }])
  })
  expect(await pets()).toEqual([])
})

it('throws when the session is ended on the server', async () => {
  const copy = `copy "odd ""schema"""."Pet" ("full name", note, age) from stdin (format csv)`
  const { sql } = database
  await withSession(sql, async (session) => {
    const [{ pid } = { pid: 0 }] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`
    async function* endless() {
      for (let n = 0; ; n++) {
        if (n === 20) await sql`select pg_terminate_backend(${pid})`
        yield `${'x'.repeat(60_000)},,1\n`
      }
    }
    await expect(copyIn(session, copy, Readable.from(endless()))).rejects.toThrow()
  })
  expect(await pets()).toEqual([])
})

it('stops before the COPY when the run is interrupted', async () => {
  const file = await csv('full name\nRex\n')
  const context = quietContext(AbortSignal.abort())
  await expect(loadCsv(database.sql, target, file, context)).rejects.toMatchObject({ code: 'interrupted' })
  expect(await pets()).toEqual([])
})
