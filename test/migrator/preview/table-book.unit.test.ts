import { expect, it } from 'vitest'
import { TableBook } from '../../../src/migrator/preview/table-book.js'
import { parseScript } from '../../../src/migrator/statements/statements.js'

const directives = { noTransaction: false, changes: [], drops: [], requires: [] }

async function follow(sql: string): Promise<TableBook> {
  const book = new TableBook(
    [
      { schema: 'app', name: 'pet', rows: 100, isPartition: false },
      { schema: 'public', name: 'toy', rows: null, isPartition: false },
    ],
    ['app', 'public'],
  )
  const script = { file: '/x.sql', text: sql, checksum: '', variant: null, directives }
  const { parsed } = await parseScript(script, 180000)
  for (const statement of parsed.statements) book.follow(statement)
  return book
}

async function after(sql: string, table: string, schema?: string): Promise<string> {
  const state = (await follow(sql)).find({ schema, table })
  return `${state.schema}.${state.table} ${state.rows} ${state.origin}`
}

it.each([
  ['select 1', 'pet', 'app.pet 100 existing'],
  ['select 1', 'toy', 'public.toy null existing'],
  ['select 1', 'no', 'app.no null unknown'],
  ['create table no (id int)', 'no', 'app.no 0 new'],
  ['create table toy ()', 'toy', 'app.toy 0 new'],
  ['create table if not exists toy ()', 'toy', 'public.toy null existing'],
  ['create temp table no ()', 'no', 'app.no null unknown'],
  ['create table no as select 1 as id', 'no', 'app.no null new'],
  ['create table no as select 1 as id with no data', 'no', 'app.no 0 new'],
  ['select 1 as id into no', 'no', 'app.no null new'],
  ['create table no (id int); insert into no values (1), (2)', 'no', 'app.no 2 new'],
  ['create table no (id int); insert into no values (1); insert into no select 2', 'no', 'app.no null new'],
  ['insert into pet values (1)', 'pet', 'app.pet 100 existing'],
  ['truncate pet', 'pet', 'app.pet 0 existing'],
  ['drop table pet', 'pet', 'app.pet null unknown'],
  ['drop index pet', 'pet', 'app.pet 100 existing'],
  ['drop table pet; create table pet ()', 'pet', 'app.pet 0 new'],
  ['alter table pet rename to no', 'no', 'app.no 100 existing'],
  ['alter table pet rename to no', 'pet', 'app.pet null unknown'],
  ['alter table pet rename column a to no', 'pet', 'app.pet 100 existing'],
  ['alter table pet set schema public', 'pet', 'public.pet 100 existing'],
])('after %s, %s is %s', async (sql, table, expected) => {
  expect(await after(sql, table)).toBe(expected)
})
