import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Database, withSession, withTransaction } from '../../src/database/connect.js'
import { type FingerprintRequest, fingerprintTable } from '../../src/database/fingerprint.js'
import { openTestDatabase } from '../support/database.js'

let held: Awaited<ReturnType<typeof openTestDatabase>>
let sql: Database['sql']

beforeAll(async () => {
  held = await openTestDatabase()
  sql = held.sql
  await sql.unsafe(`
    create table pet (
      id int primary key, name text, weight real, born timestamptz, nap interval, photo bytea, tags text[]);
    insert into pet values
      (1, 'Rex', 0.1, '2026-01-01 12:00+00', '1 day 02:00', '\\x00ff', '{a,b}'),
      (2, '', 1e20, '2026-07-01 12:00+02', '3 mons', null, null),
      (3, null, 'NaN', 'infinity', null, '\\x', '{}'),
      (4, 'Rex', 0.1, '2026-01-01 12:00+00', '1 day 02:00', '\\x00ff', '{a,b}');
    create table heap (word text, other text);
    insert into heap values ('x', '1'), ('y', '2'), ('x', '1')`)
})

afterAll(() => held.close())

const pet: FingerprintRequest = { schema: 'public', table: 'pet' }
const heap: FingerprintRequest = { schema: 'public', table: 'heap' }

/** The fingerprint after a change that is undone again. */
async function changedBy(change: string, request: FingerprintRequest) {
  return withSession(sql, async (session) => {
    await session`begin`
    try {
      await session.unsafe(change)
      return await fingerprintTable(session, request)
    } finally {
      await session`rollback`
    }
  })
}

describe('what is noticed when values are hashed as values', () => {
  const types = {
    id: 'integer',
    owner: 'uuid',
    price: 'numeric',
    at: 'timestamp with time zone',
    noted: 'timestamp without time zone',
    facts: 'jsonb',
    legs: 'smallint',
    seen: 'bigint',
    name: 'text',
  }
  const request: FingerprintRequest = { schema: 'public', table: 'cat', types }

  beforeAll(async () => {
    await sql.unsafe(`
      create table cat (id int primary key, owner uuid, price numeric(10,2), at timestamptz, noted timestamp, facts jsonb,
                        legs smallint, seen bigint, name text);
      insert into cat values
        (1, 'a0000000-0000-4000-8000-000000000001', 1.5, '2026-01-01 12:00+00', '2026-01-01', '{"a": 1}', 4, 9, 'Tom'),
        (2, null, null, null, null, null, null, null, null),
        (3, 'a0000000-0000-4000-8000-000000000003', 0, 'infinity', '-infinity', '{}', 0, -1, '')`)
  })

  it.each([
    ['owner', `update cat set owner = 'a0000000-0000-4000-8000-000000000002' where id = 1`],
    ['price', 'update cat set price = 1.51 where id = 1'],
    ['price', 'update cat set price = 0 where id = 2'],
    ['at', `update cat set at = at + interval '1 microsecond' where id = 1`],
    ['at', `update cat set at = '-infinity' where id = 3`],
    ['noted', `update cat set noted = noted + interval '1 microsecond' where id = 1`],
    ['facts', `update cat set facts = '{"a": 2}' where id = 1`],
    ['facts', `update cat set facts = '{}' where id = 2`],
    ['legs', 'update cat set legs = case id when 1 then 0 when 3 then 4 end'],
    ['seen', 'update cat set seen = 1 where id = 3'],
    ['name', `update cat set name = 'tom' where id = 1`],
    ['name', `update cat set name = '' where id = 2`],
  ])('in %s: %s', async (column, change) => {
    const before = await fingerprintTable(sql, request)
    const changed = await changedBy(change, request)
    const names = Object.keys(before.columns).filter((name) => changed.columns[name] !== before.columns[name])
    expect(names).toEqual([column])
  })

  it('does not depend on the time zone of the session', async () => {
    const here = await fingerprintTable(sql, request)
    expect(await changedBy(`set local timezone to 'Asia/Kolkata'`, request)).toEqual(here)
  })
})

describe('what is noticed', () => {
  it.each([
    ['a changed value', `update pet set name = 'Bello' where id = 1`, ['name']],
    ['an empty text that becomes NULL', `update pet set name = null where id = 2`, ['name']],
    ['a NULL that becomes an empty text', `update pet set name = '' where id = 3`, ['name']],
    [
      'values that change places between two rows',
      `update pet set name = case id when 1 then '' when 2 then 'Rex' else name end`,
      ['name'],
    ],
    ['the smallest change of a float', `update pet set weight = 0.10000001 where id = 1`, ['weight']],
    ['an instant', `update pet set born = born + interval '1 microsecond' where id = 2`, ['born']],
  ])('%s', async (_what, change, expected) => {
    const before = await fingerprintTable(sql, pet)
    const changed = await changedBy(change, pet)
    expect(changed.rows).toBe(before.rows)
    const names = Object.keys(before.columns).filter((name) => changed.columns[name] !== before.columns[name])
    expect(names).toEqual(expected)
  })

  it('one of two equal rows going away', async () => {
    const before = await fingerprintTable(sql, heap)
    const less = await changedBy(`delete from heap where ctid = (select min(ctid) from heap where word = 'x')`, heap)
    expect(less.rows).toBe(before.rows - 1)
    expect(less.columns['word']).not.toBe(before.columns['word'])
  })

  it('values that change places in a table without a primary key', async () => {
    const before = await fingerprintTable(sql, heap)
    const swapped = await changedBy(`truncate heap; insert into heap values ('x', '2'), ('y', '1'), ('x', '1')`, heap)
    expect(swapped.columns).toEqual(before.columns)
    expect(swapped.wholeRows).not.toBe(before.wholeRows)
  })
})

describe('what makes no difference', () => {
  it('the order of the rows', async () => {
    const before = await fingerprintTable(sql, pet)
    expect(
      await changedBy(
        `create table copy as table pet; delete from pet; insert into pet select * from copy order by id desc`,
        pet,
      ),
    ).toEqual(before)
  })

  it('the settings of the session, which are as they were afterwards', async () => {
    const before = await fingerprintTable(sql, pet)
    await withSession(sql, (session) =>
      withTransaction(session, async () => {
        await session.unsafe(`
          set local timezone to 'Pacific/Chatham'; set local datestyle to 'SQL, DMY'; set local intervalstyle to 'iso_8601';
          set local extra_float_digits to 0; set local bytea_output to 'escape'`)
        expect(await fingerprintTable(session, pet)).toEqual(before)
        const [row] = await session`
          select current_setting('timezone') as zone, current_setting('datestyle') as dates,
                 current_setting('intervalstyle') as intervals, current_setting('extra_float_digits') as digits`
        expect(row).toEqual({ zone: 'Pacific/Chatham', dates: 'SQL, DMY', intervals: 'iso_8601', digits: '0' })
      }),
    )
  })

  it('a wider type that keeps the text of every value', async () => {
    const before = await fingerprintTable(sql, pet)
    expect(await changedBy('alter table pet alter column id type bigint', pet)).toEqual(before)
  })

  it('whether a table is partitioned', async () => {
    const before = await fingerprintTable(sql, pet)
    const change = `
      alter table pet rename to plain;
      create table pet (like plain including defaults, primary key (id)) partition by range (id);
      create table pet_low partition of pet for values from (0) to (3);
      create table pet_rest partition of pet default;
      insert into pet select * from plain`
    expect(await changedBy(change, pet)).toEqual(before)
  })
})

it('looks only at the rows and columns it is asked about', async () => {
  const some = await fingerprintTable(sql, { ...pet, columns: ['name'], where: 'id < 4', highWater: 'id' })
  expect(some).toMatchObject({ rows: 3, highWater: '3' })
  expect(Object.keys(some.columns)).toEqual(['name'])
  const grown = await changedBy(`insert into pet (id, name) values (9, 'Ada')`, {
    ...pet,
    columns: ['name'],
    where: 'id <= 3',
    highWater: 'id',
  })
  expect(grown).toEqual(some)
})

it('reads tables and columns with hostile names', async () => {
  await sql.unsafe(`
    create schema "s'; --"; create table "s'; --"."t""\\" ("c'"";" int primary key, "select" text);
    insert into "s'; --"."t""\\" values (1, 'a')`)
  const print = await fingerprintTable(sql, { schema: "s'; --", table: 't"\\' })
  expect(print).toMatchObject({ rows: 1, identity: [`c'";`] })
  expect(Object.keys(print.columns)).toEqual([`c'";`, 'select'])
})

it('gives an empty table zero rows and sums', async () => {
  await sql.unsafe('create table bare (id int primary key, x text)')
  expect(await fingerprintTable(sql, { schema: 'public', table: 'bare', highWater: 'id' })).toEqual({
    rows: 0,
    columns: { id: '0', x: '0' },
    wholeRows: null,
    identity: ['id'],
    highWater: null,
  })
})

it('reads a wide table without a primary key', async () => {
  const columns = Array.from({ length: 60 }, (_, i) => `c${i} int default ${i}`)
  await sql.unsafe(`create table wide (${columns.join(', ')}); insert into wide default values`)
  const print = await fingerprintTable(sql, { schema: 'public', table: 'wide' })
  expect(Object.keys(print.columns)).toHaveLength(60)
  expect(print.wholeRows).not.toBe('0')
})
