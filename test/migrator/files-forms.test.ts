import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import type { Database } from '../../src/database/connect.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { migrateDown } from '../../src/migrator/run/down.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import type { Pack } from '../../src/packs.js'
import { testDatabase } from '../support/database.js'
import { testPack } from '../support/packs.js'

const context = quietContext()

async function tables({ sql }: Database): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select tablename as name from pg_tables where schemaname = 'public' order by length(tablename), tablename`
  return rows.map((row) => row.name)
}

async function states(database: Database, pack: Pack): Promise<string[]> {
  const { migrations } = await migrationStatus(database, pack)
  return migrations.map(({ version, state }) => `${version} ${state}`)
}

function failure(run: Promise<unknown>): Promise<unknown> {
  return run.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('a folder of golang-migrate with 300 pairs', () => {
  const oddBodies: Readonly<Record<number, string>> = {
    4: '',
    5: '-- nothing yet',
    6: `\uFEFFcreate table t_6 (id int);\r\ncomment on table t_6 is '{{ }} \${x} -- no comment';\r\n`,
    7: 'BEGIN;\ncreate table t_7 (id int);\nCOMMIT;\n-- the end',
    8: "do $do$ begin execute $$create table t_8 (x text default ';')$$; end $do$",
    9: 'create table t_9 (id int);\ncreate function f_9() returns int language sql begin atomic select 1; select 2; end;',
  }
  const version = (i: number) => (i <= 250 ? i + Math.floor(i / 50) * 10 : 20260101000000 + i)

  async function golangFolder(): Promise<Pack> {
    const files: Record<string, string> = { 'README.md': '# migrations', 'migrations.go': 'package migrations' }
    for (let i = 1; i <= 300; i++) {
      const needsLast = i > 10 ? `;\nalter table t_${i - 1} rename column seen to seen_by_${i}` : ''
      files[`${version(i)}_add-t.v1.${i}.up.sql`] =
        oddBodies[i] ?? `create table t_${i} (id int, seen int)${i > 11 ? needsLast : ''}`
      if (i % 100 !== 0) files[`${version(i)}_remove_t_${i}.down.sql`] = downOf(i)
    }
    const pack = await testPack(files)
    await mkdir(join(pack.migrations, 'archive'))
    await writeFile(join(pack.migrations, 'archive', '1_add.up.sql'), 'this is not SQL')
    return pack
  }

  function downOf(i: number): string {
    if (i === 4 || i === 5) return ''
    if (i === 9) return 'drop function f_9(); drop table t_9;'
    return i > 11
      ? `drop table t_${i};\nalter table t_${i - 1} rename column seen_by_${i} to seen;`
      : `drop table t_${i};`
  }

  it('runs as it stands, in the order of numbers, there and back', { timeout: 180_000 }, async () => {
    const db = await testDatabase()
    const pack = await golangFolder()
    const { applied } = await migrateUp(db, pack, { preserve: 'off' }, context)
    expect(applied.map((one) => one.version)).toEqual(Array.from({ length: 300 }, (_, i) => version(i + 1)))
    const expected = Array.from({ length: 300 }, (_, i) => `t_${i + 1}`).filter(
      (name) => !['t_4', 't_5'].includes(name),
    )
    expect(await tables(db)).toEqual(expected)
    expect(await db.sql`select obj_description('t_6'::regclass) as text`).toEqual([
      { text: `{{ }} \${x} -- no comment` },
    ])
    expect((await migrateUp(db, pack, {}, context)).applied).toEqual([])
    await expect(migrateDown(db, pack, { target: { to: 0 } }, context)).rejects.toMatchObject({ code: 'missing_down' })
    for (const i of [100, 200, 300]) await writeFile(join(pack.migrations, `${version(i)}_remove.down.sql`), downOf(i))
    await migrateDown(db, pack, { target: { to: 0 }, preserve: 'off' }, context)
    expect(await tables(db)).toEqual([])
  })
})

describe('single files', () => {
  it('of dbmate run in both directions', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '20260101000000_pet.sql': '-- migrate:up\ncreate table pet (id int);\n\n-- migrate:down\ndrop table pet;\n',
      '20260102000000_idx.sql':
        '-- migrate:up transaction:false\ncreate index concurrently idx on pet (id);\n-- migrate:down transaction:false\ndrop index concurrently idx;',
    })
    await migrateUp(db, pack, {}, context)
    const rows = await db.sql`select in_transaction from obs.migration_history where state = 'applied' order by id`
    expect(rows.map((row) => row['in_transaction'])).toEqual([true, false])
    expect(await states(db, pack)).toEqual(['20260101000000 applied', '20260102000000 applied'])
    await migrateDown(db, pack, { target: { to: 0 } }, context)
    expect(await tables(db)).toEqual([])
  })

  it('of goose run in both directions, and name the line of the file where the down fails', async () => {
    const db = await testDatabase()
    const text = (wrong: string) => `-- +goose Up
-- +goose StatementBegin
create function f() returns int language plpgsql as $$
begin
  return 1; -- +goose is no annotation here
end $$;
-- +goose StatementEnd
create table pet (id int default f());
-- +goose Down
drop table pet;
${wrong}
drop function f();`
    const pack = await testPack({ '1_pet.sql': text('drop table pett;') })
    await migrateUp(db, pack, {}, context)
    const error = await failure(migrateDown(db, pack, {}, context))
    expect(error).toMatchObject({ failure: { sqlState: '42P01', location: { line: 11, column: 1 } } })
    expect(await tables(db)).toEqual(['pet'])
    await writeFile(join(pack.migrations, '1_pet.sql'), text(''))
    expect(await states(db, pack)).toEqual(['1 applied'])
    await migrateDown(db, pack, {}, context)
    expect(await tables(db)).toEqual([])
  })

  it('with an empty down cannot be reverted, rather than seem to be', async () => {
    const db = await testDatabase()
    const pack = await testPack({ '1_pet.sql': '-- migrate:up\ncreate table pet ();\n\n-- migrate:down\n\n' })
    await migrateUp(db, pack, {}, context)
    await expect(migrateDown(db, pack, {}, context)).rejects.toMatchObject({ code: 'missing_down', exitCode: 2 })
    expect(await states(db, pack)).toEqual(['1 applied'])
  })
})

describe('a migration in TypeScript', () => {
  const create = `await db.schema.createTable('pet').addColumn('id', 'integer').execute()
    await db.insertInto('pet').values([{ id: 1 }, { id: 2 }]).execute()`

  it('has Kysely and the raw session in one transaction, together with the history row', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '1_pet.ts': `import type { Kysely } from 'kysely'
type Environment = { sql: any, db: Kysely<{ pet: { id: number } }> }
export async function up({ sql, db }: Environment) {
    ${create}
    await sql\`insert into pet values (3)\`
    const pids = await db.selectNoFrom(({ fn }) => fn<number>('pg_backend_pid', []).as('pid')).execute()
    const [raw] = await sql\`select pg_backend_pid() as pid\`
    if (pids[0]?.pid !== raw.pid) throw new Error('two sessions')
}
export async function down({ db }: Environment) { await db.schema.dropTable('pet').execute() }
export async function verify({ db }: Environment) { return db.selectFrom('pet').selectAll().where('id', '>', 3).execute() }`,
    })
    await migrateUp(db, pack, {}, context)
    const rows = await db.sql`select distinct xmin::text from pet union select xmin::text from obs.migration_history`
    expect(rows).toHaveLength(1)
    expect(await db.sql`select id from pet order by id`).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
    await migrateDown(db, pack, {}, context)
    expect(await tables(db)).toEqual([])
  })

  it('that fails takes back what it wrote through Kysely', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '1_pet.ts': `export async function up({ db }) {\n ${create}\n throw new Error('no more')\n}`,
    })
    const error = await failure(migrateUp(db, pack, {}, context))
    expect((error as Error).message).toContain('no more')
    expect(await tables(db)).toEqual([])
    expect(await states(db, pack)).toEqual(['1 pending'])
  })

  it('nests transactions of Kysely as savepoints, which do not end that of obs', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '1_pet.ts': `export async function up({ db }) {
    ${create}
    await db.transaction().execute(async (trx) => {
      await trx.insertInto('pet').values({ id: 3 }).execute()
    })
    await db.transaction().execute(async (trx) => {
      await trx.insertInto('pet').values({ id: 4 }).execute()
      await db.insertInto('nowhere').values({ id: 4 }).execute()
    }).catch(() => undefined)
    const refused = await db.transaction().setIsolationLevel('serializable').execute(async () => 1).catch((error) => error.message)
    if (!/whose mode is fixed/.test(refused)) throw new Error(refused)
}`,
      '2_boom.ts': `export async function up({ db }) {
    await db.transaction().execute((trx) => trx.insertInto('pet').values({ id: 5 }).execute())
    throw new Error('no more')
}`,
    })
    const error = await failure(migrateUp(db, pack, {}, context))
    expect(error).toMatchObject({ done: ['1_pet'] })
    expect(await db.sql`select id from pet order by id`).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
  })

  it('without a transaction may open its own', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '1_pet.ts': `// obs: no-transaction
export async function up({ sql, db }) {
    ${create}
    await db.transaction().execute(async (trx) => {
      await trx.insertInto('pet').values({ id: 3 }).execute()
      throw new Error('no more')
    }).catch(() => undefined)
    await sql\`create index concurrently idx on pet (id)\`
}`,
    })
    await migrateUp(db, pack, {}, context)
    expect(await db.sql`select id from pet order by id`).toEqual([{ id: 1 }, { id: 2 }])
    expect(await db.sql`select indisvalid from pg_index where indexrelid = 'idx'::regclass`).toEqual([
      { indisvalid: true },
    ])
  })
})

describe('settings of a file without a transaction', () => {
  it('hold for the statements after them, also when a later run goes on there, and end with the file', async () => {
    const db = await testDatabase()
    await db.sql`create schema other`
    const text = (sql: string) => `-- obs: no-transaction\nset search_path to other;\n${sql}\ncreate table pet ();`
    const pack = await testPack({ '1_a.up.sql': text('select 1/0;'), '2_b.up.sql': 'create table toy ();' })
    await failure(migrateUp(db, pack, {}, context))
    await writeFile(join(pack.migrations, '1_a.up.sql'), text('select 1;'))
    await migrateUp(db, pack, {}, context)
    expect(await tables(db)).toEqual(['toy'])
    expect(await db.sql`select tablename from pg_tables where schemaname = 'other'`).toEqual([{ tablename: 'pet' }])
  })

  it('do not ask for a directive, when nothing else but what refuses a transaction is there', async () => {
    const db = await testDatabase()
    const pack = await testPack({
      '1_pet.up.sql': 'create table pet (a int, b int);',
      '2_idx.up.sql': `set statement_timeout = '1min';\ncreate index concurrently idx_a on pet (a);\ncreate index concurrently idx_b on pet (b);`,
    })
    await migrateUp(db, pack, {}, context)
    expect(await db.sql`select from pg_index where indrelid = 'pet'::regclass and indisvalid`).toHaveLength(2)
  })
})
