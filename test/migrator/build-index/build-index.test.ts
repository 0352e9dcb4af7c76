import { describe, expect, it } from 'vitest'
import { quietContext, type RunContext } from '../../../src/context.js'
import { type Database, withSession } from '../../../src/database/connect.js'
import { migrationStatus } from '../../../src/migrator/history/status.js'
import { repairMigration } from '../../../src/migrator/recovery/repair.js'
import { migrateDown } from '../../../src/migrator/run/down.js'
import { migrateUp } from '../../../src/migrator/run/up.js'
import { testDatabase } from '../../support/database.js'
import { addFiles, testPack } from '../../support/packs.js'

const context = quietContext()

/** Two levels: by year, and 2025 by half-year; the columns of 2026 stand in another order. */
async function traces({ sql }: Database): Promise<void> {
  await sql.unsafe(`
    create schema old;
    create table traces (id bigint not null, at date not null, status text, cost int) partition by range (at);
    create table old.traces_2024 partition of traces for values from ('2024-01-01') to ('2025-01-01');
    create table traces_2025 partition of traces for values from ('2025-01-01') to ('2026-01-01') partition by range (at);
    create table "traces 2025 ""h1""" partition of traces_2025 for values from ('2025-01-01') to ('2025-07-01');
    create table traces_2025_h2 partition of traces_2025 for values from ('2025-07-01') to ('2026-01-01');
    create table traces_2026 (cost int, gone int, status text, at date not null, id bigint not null);
    alter table traces_2026 drop column gone;
    alter table traces attach partition traces_2026 for values from ('2026-01-01') to ('2027-01-01');
    insert into traces select i, '2024-01-01'::date + i, 'ok', i from generate_series(1, 1000) i`)
}

/** Every index of the tree under the one called `name`, with what it is attached to. */
async function tree({ sql }: Database, name: string): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    select concat_ws(' ', i.indrelid::regclass, case when i.indisvalid then 'valid' else 'INVALID' end) as line
    from pg_partition_tree(${name}::regclass) t join pg_index i on i.indexrelid = t.relid order by 1`
  return rows.map((row) => row.line)
}

const whole = [
  '"traces 2025 ""h1""" valid',
  'old.traces_2024 valid',
  'traces valid',
  'traces_2025 valid',
  'traces_2025_h2 valid',
  'traces_2026 valid',
]

describe('create index concurrently on a partitioned table', () => {
  it('builds on every partition, attaches, and the whole is valid', async () => {
    const db = await testDatabase()
    await traces(db)
    const pack = await testPack({
      '0001_index.up.sql': `/* é */ create index concurrently idx_status /* why */ on traces
  using btree (status desc nulls last, (traces.cost + 1)) include (id) with (fillfactor = 70) where status <> 'it''s';`,
      '0001_index.down.sql': 'drop index concurrently idx_status;',
    })
    await migrateUp(db, pack, {}, context)
    expect(await tree(db, 'idx_status')).toEqual(whole)
    const [leaf] = await db.sql`select pg_get_indexdef('old.idx_status_traces_2024'::regclass) as says`
    expect(leaf?.['says']).toBe(
      `CREATE INDEX idx_status_traces_2024 ON old.traces_2024 USING btree (status DESC NULLS LAST, ((cost + 1))) INCLUDE (id) WITH (fillfactor='70') WHERE (status <> 'it''s'::text)`,
    )
    expect(await db.sql`select state, in_transaction from obs.migration_history order by id`).toMatchObject([
      { state: 'running' },
      { state: 'running' },
      { state: 'applied' },
    ])
    const warnings: string[] = []
    await migrateDown(db, pack, {}, noting(warnings, 'warn'))
    expect(warnings.join()).toContain('not concurrently')
    expect(await db.sql`select from pg_indexes where indexname like 'idx_status%'`).toHaveLength(0)
  })

  it('is unique where it can be, and says so before anything is built where it cannot', async () => {
    const db = await testDatabase()
    await traces(db)
    const pack = await testPack({
      '0001_index.up.sql': '\n  create unique index concurrently idx_id on only_traces (id);'.replace(
        'only_traces',
        'traces',
      ),
    })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ failure: { sqlState: '0A000', location: { line: 2 } } })
    expect(await db.sql`select from pg_indexes where indexname like 'idx_id%'`).toHaveLength(0)
    await addFiles(pack, {
      '0001_index.up.sql': 'create unique index concurrently if not exists idx_id on traces (id, at);',
    })
    await migrateUp(db, pack, {}, context)
    expect(await tree(db, 'idx_id')).toEqual(whole)
    await expect(db.sql`insert into traces values (1, '2024-01-02')`).rejects.toMatchObject({ code: '23505' })
  })

  it('leaves no invalid index on a partition whose rows are not unique, and goes on there once they are', async () => {
    const db = await testDatabase()
    await traces(db)
    await db.sql`insert into traces values (1, '2026-02-02'), (1, '2026-02-02')`
    const pack = await testPack({ '0001_index.up.sql': 'create unique index concurrently idx_id on traces (id, at);' })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ failure: { sqlState: '23505' } })
    expect(await tree(db, 'idx_id')).toContain('traces INVALID')
    expect(
      await db.sql`select i.indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indexrelid and c.relkind = 'i' where not indisvalid`,
    ).toEqual([])
    const before = await db.sql`select 'old.idx_id_traces_2024'::regclass::oid::int as oid`
    await db.sql`delete from traces where ctid in (select ctid from traces_2026 where id = 1 limit 1) and id = 1 and at = '2026-02-02'`
    await migrateUp(db, pack, {}, context)
    expect(await tree(db, 'idx_id')).toEqual(whole)
    expect(await db.sql`select 'old.idx_id_traces_2024'::regclass::oid::int as oid`).toEqual(before)
  })

  it('takes an index that is there already, and gives way to other things of the same name', async () => {
    const db = await testDatabase()
    await traces(db)
    await db.sql`create index mine on old.traces_2024 (status)`
    await db.sql`create index mine_too on only traces_2025 (status)`
    await db.sql`create table idx_traces_2026 ()`
    const pack = await testPack({ '0001_index.up.sql': 'create index concurrently idx on traces (status);' })
    await migrateUp(db, pack, {}, context)
    expect(await tree(db, 'idx')).toEqual(whole)
    expect(
      await db.sql`
      select count(*)::int as mine from pg_inherits
      where inhparent = 'idx'::regclass and inhrelid in ('old.mine'::regclass, 'mine_too'::regclass)`,
    ).toEqual([{ mine: 2 }])
  })

  it('refuses an index of that name that says something else, foreign partitions, and an index without a name', async () => {
    const db = await testDatabase()
    await traces(db)
    await db.sql`create index idx on only traces (cost)`
    const pack = await testPack({ '0001_index.up.sql': 'create index concurrently idx on traces (status);' })
    await expect(migrateUp(db, pack, {}, context)).rejects.toThrow(
      'exists already and says something else: USING btree (cost)',
    )
    await addFiles(pack, { '0001_index.up.sql': '/* é */ create unique index concurrently i on traces ((nope + 1));' })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({
      failure: { sqlState: '42703', location: { column: 56 } },
    })
    await addFiles(pack, { '0001_index.up.sql': 'create index concurrently on traces (status);' })
    await expect(migrateUp(db, pack, {}, context)).rejects.toThrow('needs a name')
    await db.sql.unsafe(`
      create foreign data wrapper nowhere; create server nowhere foreign data wrapper nowhere;
      create foreign table afar partition of traces for values from ('2030-01-01') to ('2031-01-01') server nowhere`)
    await addFiles(pack, { '0001_index.up.sql': 'create index concurrently other on traces (status);' })
    await expect(migrateUp(db, pack, {}, context)).rejects.toThrow('afar cannot have an index')
    expect(await db.sql`select to_regclass('other') as other`).toEqual([{ other: null }])
  })

  it('makes the whole valid when a partition came and another went meanwhile, and shows what it waits for', async () => {
    const db = await testDatabase()
    await traces(db)
    const pack = await testPack({ '0001_index.up.sql': 'create index concurrently idx on traces (status);' })
    const steps: string[] = []
    await withSession(db.sql, async (other) => {
      await other`begin`
      await other`lock table traces_2026 in row exclusive mode`
      const running = migrateUp(db, pack, {}, noting(steps, 'step'))
      await expect
        .poll(() => steps.join('\n'), { timeout: 15_000 })
        .toContain('on traces_2026 (2 of 4 partitions): waiting for writers')
      await db.sql`drop table old.traces_2024`
      await db.sql`create table traces_2027 partition of traces for values from ('2027-01-01') to ('2028-01-01')`
      await other`commit`
      await running
    })
    expect(await tree(db, 'idx')).toEqual([...whole.filter((line) => !line.includes('2024')), 'traces_2027 valid'])
  })
})

it('is taken back as a whole by obs migrate repair, half built as it is', async () => {
  const db = await testDatabase()
  await traces(db)
  await db.sql`insert into traces values (1, '2026-02-02'), (1, '2026-02-02')`
  const text = 'create unique index concurrently idx_id on traces (id, at);'
  const pack = await testPack({ '0001_index.up.sql': text })
  await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ failure: { sqlState: '23505' } })
  await repairMigration(db, pack, 1, { undo: true }, {}, context)
  expect(await db.sql`select from pg_indexes where indexname like 'idx_id%'`).toHaveLength(0)
  expect((await migrationStatus(db, pack)).migrations).toMatchObject([{ state: 'pending' }])
})

it('is valid in the end when the last partition without an index was detached', async () => {
  const db = await testDatabase()
  await db.sql.unsafe(`
    create table pet (id int) partition by list (id);
    create table one partition of pet for values in (1);
    create table two partition of pet for values in (2);
    create index idx on only pet (id);
    create index idx_one on one (id);
    alter index idx attach partition idx_one;
    alter table pet detach partition two`)
  expect(await tree(db, 'idx')).toEqual(['one valid', 'pet INVALID'])
  const pack = await testPack({ '0001_index.up.sql': 'create index concurrently idx on pet (id);' })
  await migrateUp(db, pack, {}, context)
  expect(await tree(db, 'idx')).toEqual(['one valid', 'pet valid'])
})

function noting(lines: string[], what: 'step' | 'warn'): RunContext {
  return { ...context, progress: { ...context.progress, [what]: (text: string) => void lines.push(text) } }
}

it('shows the phases of an ordinary index that is built concurrently', async () => {
  const db = await testDatabase()
  await db.sql`create table pet as select 1 as id`
  const pack = await testPack({ '0001_index.up.sql': 'create index concurrently idx on pet (id);' })
  const steps: string[] = []
  await withSession(db.sql, async (other) => {
    await other`begin`
    await other`insert into pet values (2)`
    const running = migrateUp(db, pack, {}, noting(steps, 'step'))
    await expect
      .poll(() => steps.join('\n'), { timeout: 15_000 })
      .toContain('applying 0001_index: waiting for writers before build')
    await other`commit`
    await running
  })
  expect(await db.sql`select indisvalid from pg_index where indexrelid = 'idx'::regclass`).toEqual([
    { indisvalid: true },
  ])
})
