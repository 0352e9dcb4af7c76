import { expect, it } from 'vitest'
import { parseDirectives } from '../../src/migrator/files/directives.js'
import { reachesBeyond } from '../../src/migrator/scratch/whole-server.js'
import { parseScript } from '../../src/migrator/statements/statements.js'

async function reach(text: string): Promise<string | undefined> {
  const { directives } = parseDirectives('/x/1_a.up.sql', text)
  const script = { file: '/x/1_a.up.sql', text, checksum: '', variant: null, directives }
  return reachesBeyond(script, (await parseScript(script, 180_000)).parsed)
}

it.each([
  'create role app',
  'create user app',
  'alter role app set search_path = x',
  'drop role app',
  'grant app to other',
  'reassign owned by app to other',
  'create database x',
  'alter database x set work_mem = 1',
  'alter system set work_mem = 1',
  `create tablespace x location '/x'`,
  `create subscription s connection 'host=x' publication p`,
])('names %s, which reaches the whole server', async (statement) => {
  expect(await reach(`select 1;\n${statement};`)).toMatch(/^1_a\.up\.sql:2:1: .* reaches the whole server/)
})

it('looks between begin and commit as well', async () => {
  const text = '-- obs: no-transaction\nvacuum pet;\nbegin;\nselect 1;\ncreate role app;\ncommit;\n'
  expect(await reach(text)).toMatch(/^1_a\.up\.sql:5:1: create role/)
})

it.each([
  'create table pet (id int)',
  'grant select on pet to app',
  'alter table pet owner to app',
  'create schema authorization app',
  'drop table pet',
])('leaves %s alone', async (statement) => {
  expect(await reach(`${statement};`)).toBeUndefined()
})
