import { expect, it } from 'vitest'
import { withSession, withTransaction } from '../../src/database/connect.js'
import { changedSince, storageOf } from '../../src/migrator/preservation/storage.js'
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

/** The tables that count as changed by something within one transaction. */
async function changedBy(db: TestDatabase, change: string): Promise<readonly string[]> {
  return withSession(db.sql, (session) =>
    withTransaction(session, async () => {
      const before = await storageOf(session, 'public')
      await session.unsafe(change)
      return changedSince(before, await storageOf(session, 'public')).map(({ name }) => name)
    }),
  )
}

it.each([
  ['an added column', 'alter table pet add column legs int default 4; create index on visit (note)'],
  ['reading', 'select * from pet, visit'],
])('sees that rows stay unwritten: %s', async (_what, change) => {
  expect(await changedBy(await prepared(), change)).toEqual([])
})

it.each([
  ['an update', `update pet set name = 'X' where id = 1`, ['pet']],
  ['a delete', 'delete from pet where id = 1', ['pet']],
  ['an insert into a partition', `insert into visit_2026 values ('2026-06-06', 'y')`, ['visit']],
  ['a dropped column', 'alter table pet drop column name', ['pet']],
  ['a dropped table', 'drop table visit', ['visit']],
  ['truncate', 'truncate pet', ['pet']],
  ['a rewrite', 'alter table pet alter id type bigint', ['pet']],
  ['a trigger on another table', 'insert into bell values (1)', ['bell', 'pet']],
  ['a DO block', `do $$ begin execute 'delete from visit'; end $$`, ['visit']],
  ['an update that was rolled back to a savepoint', `savepoint s; update pet set name = 'Z'; rollback to s`, ['pet']],
  [
    'counting that was switched off',
    `set local track_counts = off; update pet set name = 'X'`,
    ['bell', 'pet', 'visit'],
  ],
])('sees what was changed: %s', async (_what, change, written) => {
  expect((await changedBy(await prepared(), change)).toSorted()).toEqual(written)
})
