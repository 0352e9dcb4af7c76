import { randomBytes } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { quietContext } from '../../src/context.js'
import { type Database, withDatabase } from '../../src/database/connect.js'
import { quoteIdentifier } from '../../src/database/quote.js'
import { listTables } from '../../src/database/tables.js'
import { migrateDown } from '../../src/migrator/run/down.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import { Secret } from '../../src/secret.js'
import { backupDirectory } from '../support/backups.js'
import { onServer, type TestDatabase, testDatabase } from '../support/database.js'
import { addFiles, testPack } from '../support/packs.js'

const context = quietContext()

/** A role that may not create a schema, and owns one. */
async function tenant(
  db: TestDatabase,
  schema: string,
): Promise<<T>(work: (mine: Database) => Promise<T>) => Promise<T>> {
  const name = `obs_test_${randomBytes(4).toString('hex')}`
  const password = randomBytes(8).toString('hex')
  await db.sql.unsafe(`
    create role ${name} login nosuperuser nocreatedb password '${password}';
    revoke create, temporary on database ${db.address.database} from public;
    revoke create on schema public from public;
    create schema ${quoteIdentifier(schema)} authorization ${name}`)
  onTestFinished(async () => {
    await withDatabase(db.address, context, ({ sql }) => sql.unsafe(`drop owned by ${name} cascade`))
    await onServer((sql) => sql.unsafe(`drop role ${name}`))
  })
  const address = { ...db.address, user: name, password: new Secret(password) }
  return (work) => withDatabase(address, context, work)
}

const files = {
  '0001_pet.up.sql': 'create table pet (id int primary key, name text);',
  '0001_pet.down.sql': 'drop table pet;',
}

it('lets a role migrate that may create nothing but tables in its own schema', async () => {
  const db = await testDatabase()
  const as = await tenant(db, 'app')
  const pack = { ...(await testPack(files, 'app')), historySchema: 'app' }
  expect((await as((mine) => migrateUp(mine, pack, {}, context))).applied).toMatchObject([{ version: 1 }])
  await db.sql`insert into app.pet values (1, 'Rex')`
  await addFiles(pack, { '0002_age.up.sql': 'alter table pet add column age int; select count(*) from pet;' })
  const { preservation } = await as((mine) => migrateUp(mine, pack, { preserve: 'hashes' }, context))
  expect(preservation.tables.map((one) => one.table)).toEqual(['pet'])
  await addFiles(pack, {
    '0002_age.down.sql': 'alter table pet drop column age;',
    '0003_index.up.sql': '-- obs: no-transaction\ncreate index concurrently on pet (name);\nanalyze pet;',
    '0003_index.down.sql': 'drop index pet_name_idx;',
  })
  await as((mine) => migrateUp(mine, pack, {}, context))
  expect(await db.sql`select nspname from pg_namespace where nspname = 'obs'`).toHaveLength(0)
  expect((await listTables(db.sql, 'app')).map((table) => table.name)).toEqual(['pet'])
  await as((mine) => migrateDown(mine, pack, { target: { to: 0 } }, context))
  expect(await db.sql`select relname from pg_class where relnamespace = 'app'::regnamespace and relkind = 'r'`).toEqual(
    [{ relname: 'migration_history' }],
  )
})

it('does not count the progress of backfills as a table of the pack in a receipt', async () => {
  const db = await testDatabase()
  const pack = { ...(await testPack(files, 'app')), historySchema: 'app' }
  await migrateUp(db, pack, {}, context)
  await db.sql`insert into app.pet values (1, 'Rex')`
  await addFiles(pack, {
    '0002_loud.up.sql': `-- obs: no-transaction\n-- obs: changes pet.name\n-- obs: backfill pet by id
update pet set name = upper(name) where id > $1 and id <= $2;`,
    '0003_age.ts': 'export const up = ({ sql }) => sql`alter table pet add column age int`',
  })
  await migrateUp(db, pack, { to: 2 }, context)
  expect(await db.sql`select from app.backfill_progress`).not.toHaveLength(0)
  const { preservation } = await migrateUp(db, pack, { preserve: 'hashes' }, context)
  expect(preservation.tables.map((one) => one.table)).toEqual(['pet'])
})

it('says which flag helps when the role may not create the schema of the history', async () => {
  const db = await testDatabase()
  const as = await tenant(db, 'app')
  const pack = await testPack(files, 'app')
  const refused = as((mine) => migrateUp(mine, pack, {}, context))
  await expect(refused).rejects.toMatchObject({
    code: 'permission_denied',
    message: expect.stringContaining('may not create the schema "obs" for the migration history'),
    hint: expect.stringContaining('--history-schema'),
  })
  await db.sql`create schema obs`
  const again = as((mine) => migrateUp(mine, pack, {}, context))
  await expect(again).rejects.toMatchObject({
    message: expect.stringContaining('may not create tables in the schema "obs"'),
  })
  expect(await listTables(db.sql, 'app')).toEqual([])
})

it('is found by a backup wherever it is', async () => {
  const db = await testDatabase()
  const pack = { ...(await testPack(files, 'app')), historySchema: 'Odd "schema"' }
  await migrateUp(db, pack, {}, context)
  const { manifest } = await createBackup(db, { directory: await backupDirectory() }, context)
  expect(manifest.migrations).toEqual({ pets: '1' })
})

it.each(['"; drop table held; --', "it's", 'ünï çödé 名', 'a.b', '$1', 'select'])(
  'is kept in a schema called %s, beside a pack that lives in it, and harms nobody',
  async (schema) => {
    const db = await testDatabase()
    await db.sql`create table held as select 1 as id`
    const pack = { ...(await testPack(files, schema)), historySchema: schema }
    await addFiles(pack, {
      '0002_index.up.sql': `-- obs: no-transaction\ncreate index concurrently "i; drop table held" on pet (name);`,
      '0002_index.down.sql': 'drop index concurrently "i; drop table held";',
    })
    expect((await migrateUp(db, pack, {}, context)).applied).toHaveLength(2)
    expect((await listTables(db.sql, schema)).map((table) => table.name)).toEqual(['pet'])
    await migrateDown(db, pack, { target: { to: 0 } }, context)
    expect((await migrateUp(db, pack, {}, context)).applied).toHaveLength(2)
    expect(await db.sql`select id from held`).toEqual([{ id: 1 }])
    expect(await db.sql`select nspname from pg_namespace where nspname = ${schema}`).toHaveLength(1)
  },
)
