import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { decryptor, encryptor } from '../../src/backup/encryption.js'
import { type RestoreOptions, restoreBackup } from '../../src/backup/restore-backup.js'
import type { Selection } from '../../src/backup/selection.js'
import { quietContext, type RunContext } from '../../src/context.js'
import { readCatalog } from '../../src/database/catalog.js'
import { Secret } from '../../src/secret.js'
import { clientTools, fingerprints, freshAddress, inDatabase, nativeObstacle } from '../support/backups.js'
import { type TestDatabase, testDatabase, testTemplate } from '../support/database.js'

const context = quietContext()
const key = await generateX25519Identity()
const engines = ['built-in', 'native'] as const
let directory: string
let obstacle: [boolean, string]
let template: Awaited<ReturnType<typeof testTemplate>>

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'obs-selection-'))
  template = await testTemplate(async (database) => {
    await database.sql.unsafe(`
      create table owner (id serial primary key, name text);
      create table "Pet.s" (id int generated always as identity primary key, owner int not null references owner, boss int);
      alter table "Pet.s" add constraint boss foreign key (boss) references "Pet.s";
      alter table owner add column favourite int references "Pet.s";
      create table visit (day date not null, pet int references "Pet.s", seen int) partition by range (day);
      create table visit_1 partition of visit for values from ('2026-01-01') to ('2026-02-01');
      create table visit_2 partition of visit for values from ('2026-02-01') to ('2026-03-01');
      create function count_up() returns trigger language plpgsql as $$ begin new.seen := 99; return new; end $$;
      insert into owner (name) select 'o' || g from generate_series(1, 5) g;
      insert into "Pet.s" (owner, boss) select 1 + g % 5, 1 from generate_series(1, 20) g;
      update owner set favourite = id;
      insert into visit select date '2026-01-01' + g, 1 + g % 20, g from generate_series(0, 50) g;
      create trigger seen before insert on visit for each row execute function count_up();
      create materialized view pets as select count(*) from "Pet.s";
      select lo_from_bytea(4242, 'large'); comment on large object 4242 is 'belongs to no table'`)
    obstacle = await nativeObstacle(database)
    const { pgDump } = clientTools()
    await createBackup(database, { directory: join(directory, 'built-in'), engine: 'built-in' }, context)
    if (obstacle[0]) return
    const native = { engine: 'native', ...(pgDump ? { pgDump } : {}) } as const
    await createBackup(database, { directory: join(directory, 'native'), ...native }, context)
    const encryption = { name: 'age', encrypt: encryptor([await identityToRecipient(key)]) } as const
    await createBackup(database, { directory: join(directory, 'sealed'), ...native, encryption }, context)
  })
})
afterAll(async () => {
  await template.drop()
  await rm(directory, { recursive: true, force: true })
})

const all = () => inDatabase({ ...freshAddress(), database: template.name }, ({ sql }) => fingerprints(sql))

const empty = 'truncate owner, "Pet.s", visit'

function restoreFrom(
  folder: string,
  to: TestDatabase['address'],
  selection: Selection,
  more?: Partial<RestoreOptions>,
  run = context,
) {
  const { pgRestore } = clientTools()
  const options = {
    directory: join(directory, folder),
    id: 'latest',
    to,
    selection,
    ...(pgRestore ? { pgRestore } : {}),
  }
  return restoreBackup({ ...options, ...more }, run)
}

describe.each(engines)('a backup of the %s engine', (engine) => {
  beforeEach(({ skip }) => skip(engine === 'native' && obstacle[0], obstacle[1]))

  const restore = (to: TestDatabase['address'], selection: Selection, run: RunContext = context) =>
    restoreFrom(engine, to, selection, {}, run)

  describe('restoring definitions alone', () => {
    it('makes the same schema without a row', async () => {
      const to = freshAddress()
      expect(await restore(to, { only: 'schema' })).toMatchObject({ tables: 0, rows: 0 })
      await inDatabase(to, async ({ sql }) => {
        const original = await inDatabase({ ...to, database: template.name }, (one) => readCatalog(one.sql, ['public']))
        expect(await readCatalog(sql, ['public'])).toEqual(original)
        expect(await sql`select from owner`).toHaveLength(0)
        expect(await sql`select last_value::int, is_called from owner_id_seq`).toEqual([
          { last_value: 1, is_called: false },
        ])
        expect(await sql`select from pg_largeobject_metadata`).toHaveLength(0)
      })
    })
  })

  describe('restoring some tables', () => {
    it('brings their rows back among the definitions of everything, and names the keys that cannot hold', async () => {
      const to = freshAddress()
      const warnings: string[] = []
      const progress = { ...context.progress, warn: (text: string) => void warnings.push(text) }
      const tables = [{ schema: 'public', name: 'Pet.s' }]
      expect(await restore(to, { tables }, { ...context, progress })).toMatchObject({ tables: 1, rows: 20 })
      expect(warnings).toEqual([expect.stringContaining('REFERENCES public.owner(id)')])
      expect(warnings[0]).not.toContain('boss')
      await inDatabase(to, async ({ sql }) => {
        expect((await fingerprints(sql))['public.Pet.s']).toEqual((await all())['public.Pet.s'])
        expect(await sql`select from owner`).toHaveLength(0)
        expect(await sql`select count from pets`).toEqual([{ count: 20 }])
        expect(await sql`select last_value::int from owner_id_seq`).toEqual([{ last_value: 5 }])
        expect(await sql`select from pg_largeobject_metadata`).toHaveLength(0)
      })
    })

    it('takes a partitioned table for its partitions', async () => {
      const to = freshAddress()
      expect(await restore(to, { tables: [{ schema: 'public', name: 'visit' }] })).toMatchObject({
        tables: 2,
        rows: 51,
      })
    })

    it('refuses a table that the backup does not hold', async () => {
      const to = freshAddress()
      await expect(restore(to, { tables: [{ schema: 'public', name: 'ownr' }] })).rejects.toMatchObject({
        code: 'unknown_table',
        message: expect.stringContaining('did you mean public.owner?'),
      })
    })
  })

  describe('restoring rows alone', () => {
    it('fills existing tables whatever their keys and triggers, and leaves those as they were', async () => {
      const target = await testDatabase(template.name)
      await target.sql.unsafe(empty)
      await target.sql.unsafe('alter table visit_2 disable trigger seen; select setval($$owner_id_seq$$, 1)')
      const before = await readCatalog(target.sql, ['public'])
      expect(await restore(target.address, { only: 'data' })).toMatchObject({ tables: 4, rows: 76 })
      expect(await fingerprints(target.sql)).toEqual(await all())
      expect(await readCatalog(target.sql, ['public'])).toEqual(before)
      expect(await target.sql`insert into owner (name) values ('x') returning id`).toEqual([{ id: 6 }])
      expect(
        await target.sql`select tgrelid::regclass::text as t, tgenabled as e from pg_trigger where tgname = 'seen' order by 1`,
      ).toEqual([
        { t: 'visit', e: 'O' },
        { t: 'visit_1', e: 'O' },
        { t: 'visit_2', e: 'D' },
      ])
    })

    it('is undone as a whole when a row does not fit', async () => {
      const target = await testDatabase(template.name)
      await target.sql.unsafe(`${empty}; alter table owner add check (id < 5)`)
      await expect(restore(target.address, { only: 'data' })).rejects.toMatchObject({ code: expect.any(String) })
      for (const table of ['owner', 'Pet.s', 'visit']) {
        expect(await target.sql.unsafe(`select from "${table}"`)).toHaveLength(0)
      }
      expect(await target.sql`select from pg_constraint where contype = 'f' and conparentid = 0`).toHaveLength(4)
    })

    it('is undone when the rows that others refer to are not there', async () => {
      const target = await testDatabase(template.name)
      await target.sql.unsafe(empty)
      const run = restore(target.address, { only: 'data', tables: [{ schema: 'public', name: 'Pet.s' }] })
      await expect(run).rejects.toMatchObject({ code: 'restore_failed', details: { sqlstate: '23503' } })
      expect(await target.sql`select from "Pet.s"`).toHaveLength(0)
    })

    it('refuses tables that hold rows, are missing or lack a column, all at once', async () => {
      const target = await testDatabase(template.name)
      await target.sql.unsafe(
        'drop table visit; alter table "Pet.s" drop column boss; insert into owner (name) values (1)',
      )
      await expect(restore(target.address, { only: 'data' })).rejects.toMatchObject({
        code: 'target_unfit',
        exitCode: 2,
        details: {
          problems: expect.arrayContaining([
            'public.owner holds rows',
            'public.visit_1 does not exist',
            'public.Pet.s has no column boss',
          ]),
        },
      })
      expect(await target.sql`select from owner`).toHaveLength(6)
    })

    it('needs a database that exists', async () => {
      await expect(restore(freshAddress(), { only: 'data' })).rejects.toMatchObject({ code: 'unknown_database' })
    })
  })
})

describe('an encrypted archive of pg_dump', () => {
  beforeEach(({ skip }) => skip(...obstacle))
  const decrypt = decryptor([new Secret(key)])

  it('gives back rows alone without lying anywhere in clear', async () => {
    const target = await testDatabase(template.name)
    await target.sql.unsafe(empty)
    expect(await restoreFrom('sealed', target.address, { only: 'data' }, { decrypt })).toMatchObject({ rows: 76 })
    expect(await fingerprints(target.sql)).toEqual(await all())
  })

  it('gives back the rows of one table', async () => {
    const tables = [{ schema: 'public', name: 'visit' }]
    expect(await restoreFrom('sealed', freshAddress(), { tables }, { decrypt })).toMatchObject({ tables: 2, rows: 51 })
  })
})
