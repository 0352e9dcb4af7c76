import { expect, it } from 'vitest'
import { withSession, withTransaction } from '../../src/database/connect.js'
import { storageOf } from '../../src/migrator/storage.js'
import { type TestDatabase, testDatabase } from '../support/database.js'

async function prepared(): Promise<TestDatabase> {
  const db = await testDatabase()
  await db.sql.unsafe(`
    create table pet (id int primary key, name text);
    insert into pet values (1, 'Rex'), (2, 'Tom');
    create table visit (at date, note text) partition by range (at);
    create table visit_2026 partition of visit for values from ('2026-01-01') to ('2027-01-01');
    insert into visit values ('2026-05-05', 'x');
    create function touch() returns trigger language plpgsql as $$ begin update pet set name = 'Y' where id = 1; return new; end $$;
    create table bell (id int);
    create trigger ring after insert on bell for each row execute function touch()`)
  return db
}

/** What is known of the two tables before and after a change within one transaction. */
async function aroundChange(db: TestDatabase, change: string) {
  const tables = await db.sql<{ oid: number }[]>`
    select oid::bigint as oid from pg_class where relname in ('pet', 'visit') order by relname`
  const oids = tables.map((row) => row.oid)
  return withSession(db.sql, (session) =>
    withTransaction(session, async () => {
      const before = await storageOf(session, oids)
      await session.unsafe(change)
      const after = await storageOf(session, oids)
      return oids.map((oid) => before.get(oid) !== undefined && before.get(oid) === after.get(oid))
    }),
  )
}

it.each([
  ['an added column', 'alter table pet add column legs int default 4; create index on visit (note)', [true, true]],
  ['a dropped column', 'alter table pet drop column name', [true, true]],
  ['reading', 'select * from pet, visit', [true, true]],
])('sees that rows stay unwritten: %s', async (_what, change, unwritten) => {
  expect(await aroundChange(await prepared(), change)).toEqual(unwritten)
})

it.each([
  ['an update', `update pet set name = 'X' where id = 1`, [false, true]],
  ['a delete', 'delete from pet where id = 1', [false, true]],
  ['an insert into a partition', `insert into visit_2026 values ('2026-06-06', 'y')`, [true, false]],
  ['truncate', 'truncate pet', [false, true]],
  ['a rewrite', 'alter table pet alter id type bigint', [false, true]],
  ['a trigger on another table', 'insert into bell values (1)', [false, true]],
  ['a DO block', `do $$ begin execute 'delete from visit'; end $$`, [true, false]],
  [
    'an update that was rolled back to a savepoint',
    `savepoint s; update pet set name = 'Z'; rollback to s`,
    [false, true],
  ],
  ['counting that was switched off', `set local track_counts = off; update pet set name = 'X'`, [false, false]],
])('sees that rows were written: %s', async (_what, change, unwritten) => {
  expect(await aroundChange(await prepared(), change)).toEqual(unwritten)
})
