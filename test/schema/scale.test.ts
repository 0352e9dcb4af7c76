import { afterAll, beforeAll, expect, it } from 'vitest'
import { compareSchemas } from '../../src/schema/compare.js'
import { takeSnapshot } from '../../src/schema/snapshot.js'
import { openTestDatabase } from '../support/database.js'

let db: Awaited<ReturnType<typeof openTestDatabase>>
const tables = 2000

beforeAll(async () => {
  db = await openTestDatabase()
  // One transaction may hold only so many locks.
  for (let first = 1; first <= tables; first += 200) {
    await db.sql.unsafe(`
      do $$ begin
        for i in ${first}..${first + 199} loop
          execute format('create table public.t%s (id int primary key, name text not null default %L, other int)', i, i);
          execute format('create index on public.t%s (name)', i);
        end loop;
      end $$`)
  }
}, 120_000)

afterAll(() => db.close())

it('reads and compares two thousand tables', { timeout: 120_000 }, async () => {
  const before = await takeSnapshot(db, ['public'])
  await db.sql.unsafe('alter table public.t1000 alter column other type bigint; drop index public.t1999_name_idx')
  const after = await takeSnapshot(db, ['public'])
  const { items, compared } = compareSchemas(before, after)
  expect(compared).toBe(tables * 7 + 1)
  expect(items.map(({ object }) => object)).toEqual(['public.t1000.other', 'public.t1999_name_idx'])
})
