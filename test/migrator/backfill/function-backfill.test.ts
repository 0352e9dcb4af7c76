import { describe, expect, it } from 'vitest'
import { quietContext } from '../../../src/context.js'
import type { Database } from '../../../src/database/connect.js'
import { migrationStatus } from '../../../src/migrator/history/status.js'
import { migrateUp } from '../../../src/migrator/run/up.js'
import { testDatabase } from '../../support/database.js'
import { addFiles, testPack } from '../../support/packs.js'

const context = quietContext()

/** A function that backfills `pet`, a table with microseconds in its key; `$where` stands for a piece of SQL. */
function file(update: string, before = ''): string {
  return `// obs: no-transaction
// obs: changes pet.n
export async function up({ sql, db, backfill }) {
  ${before}
  await backfill({ table: 'pet', key: ['at', 'tag'], batch: 7, pause: '1ms', update: ${update.replace(/\$(\w+)/g, '$${$1}')} })
}
`
}

async function pets({ sql }: Database): Promise<void> {
  await sql`create table pet (at timestamptz, tag text, n integer not null default 0, primary key (at, tag))`
  await sql`
    insert into pet select '2024-01-01 00:00:00.000001+00'::timestamptz + (i / 4) * interval '1 microsecond', 't' || i
    from generate_series(1, 100) i`
}

async function tally({ sql }: Database): Promise<Record<string, number>> {
  const rows = await sql<{ n: number; pets: number }[]>`select n, count(*)::int as pets from pet group by n order by n`
  return Object.fromEntries(rows.map((row) => [row.n, row.pets]))
}

describe('a function that backfills', () => {
  it.each([
    ['where', 'async ({ sql }, { where }) => sql`update pet set n = n + 1 where $where`'],
    [
      'bounds',
      'async ({ sql }, { after, upTo }) => sql`update pet set n = n + 1 where (at, tag) > $after and (at, tag) <= $upTo`',
    ],
    [
      'Kysely',
      "async ({ db }, { condition }) => db.updateTable('pet').set((eb) => ({ n: eb('n', '+', 1) })).where(raw(condition)).execute()",
    ],
  ])('does every row once, by its %s', async (how, update) => {
    const db = await testDatabase()
    await pets(db)
    const kysely = `import { sql as kysely } from '${import.meta.resolve('kysely')}'\nconst raw = (text) => kysely.raw(text)\n`
    const text = file(update)
    const pack = await testPack({
      '0001_add.ts': how === 'Kysely' ? text.replace('export', `${kysely}export`) : text,
    })
    const { applied } = await migrateUp(db, pack, {}, context)
    expect(await tally(db)).toEqual({ 1: 100 })
    expect(applied[0]?.receipt.tables).toMatchObject([{ table: 'pet', rows_before: 100, columns_compared: 2 }])
    expect(await db.sql`select step, batches from obs.backfill_progress`).toEqual([
      { step: 'backfill pet', batches: 15 },
    ])
  })

  it('goes on with the batch that failed', async () => {
    const db = await testDatabase()
    await pets(db)
    const update = 'async ({ sql }, { where }) => sql`update pet set n = n + 1 where $where`'
    const boom =
      "async ({ sql }, { where }) => sql`update pet set n = n + 1 / (case when tag = 't50' then 0 else 1 end) where $where`"
    const pack = await testPack({ '0001_add.ts': file(boom) })
    const error = await migrateUp(db, pack, {}, context).catch((thrown: unknown) => thrown)
    expect((error as Error).message).toContain('the backfill of public.pet did 49 of about')
    expect(await tally(db)).toEqual({ 0: 51, 1: 49 })
    const { migrations } = await migrationStatus(db, pack)
    expect(migrations[0]?.stoppedAt).toEqual({ direction: 'up', statement: 1, certain: true })
    await addFiles(pack, { '0001_add.ts': file(update) })
    await migrateUp(db, pack, {}, context)
    expect(await tally(db)).toEqual({ 1: 100 })
  })

  it('is not called again by itself when it did something else as well', async () => {
    const db = await testDatabase()
    await pets(db)
    const kill =
      "async ({ sql }, { where }) => sql`select pg_terminate_backend(pg_backend_pid()) from pet where tag = 't50' and $where`"
    for (const [before, certain] of [
      ["await sql`insert into pet values (now(), 'other')`", false],
      ["await db.insertInto('pet').values({ at: new Date(), tag: 'kysely' }).execute()", false],
      ['void sql.json', true],
    ] as const) {
      const pack = { ...(await testPack({ '0001_add.ts': file(kill, before) })), name: `pets ${before}` }
      await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_failed' })
      const { migrations } = await migrationStatus(db, pack)
      expect(migrations[0]?.stoppedAt, before).toEqual({ direction: 'up', statement: 1, certain })
    }
  })

  it('is not called again by itself when it did something else after its backfill', async () => {
    const db = await testDatabase()
    await pets(db)
    const text = file('async () => undefined').replace(
      /\n}\n$/,
      '\n  await sql`select pg_terminate_backend(pg_backend_pid())`\n}\n',
    )
    const pack = await testPack({ '0001_add.ts': text })
    await expect(migrateUp(db, pack, {}, context)).rejects.toMatchObject({ code: 'migration_failed' })
    const { migrations } = await migrationStatus(db, pack)
    expect(migrations[0]?.stoppedAt).toEqual({ direction: 'up', statement: 1, certain: false })
  })

  it('is refused when its options or what it does cannot be right', async () => {
    const db = await testDatabase()
    await pets(db)
    for (const [options, expected] of [
      ['{ table: "pet", key: "at" }', 'update is a function'],
      ['{ table: "pet", key: "at", update() {}, batsch: 5 }', 'batsch'],
      ['{ table: "pet", key: "n", update() {} }', 'no btree index of pet begins with n'],
      ['{ table: "pet", key: "at", batch: 0.5, update() {} }', 'batch takes'],
      ['{ table: "pet; drop table pet", key: "at", update() {} }', 'table takes the name of a table'],
      ['{ table: "pet", key: "at", update: ({ sql }) => sql`commit` }', 'ended the transaction'],
      ['{ table: "pet", key: "at", update: ({ sql }) => sql`delete from pet` }', 'data would be lost'],
      [
        '{ table: "pet", key: "at", update: ({ sql }) => sql`update obs.backfill_progress set visited = 1` }',
        'somebody else wrote how far',
      ],
    ] as const) {
      const pack = await testPack({
        '0001_add.ts': `// obs: no-transaction\nexport const up = ({ backfill }) => backfill(${options})\n`,
      })
      await expect(migrateUp(db, { ...pack, name: options }, {}, context)).rejects.toThrow(expected)
    }
    expect(await tally(db)).toEqual({ 0: 100 })
  })

  it('needs a migration outside a transaction, and a name for each', async () => {
    const db = await testDatabase()
    await pets(db)
    const one = "await backfill({ table: 'pet', key: 'at', update() {} })"
    const inside = await testPack({ '0001_add.ts': `export async function up({ backfill }) { ${one} }` })
    await expect(migrateUp(db, inside, {}, context)).rejects.toThrow('this migration is one transaction')
    const twice = await testPack({
      '0001_add.ts': `// obs: no-transaction\nexport async function up({ backfill }) { ${one}; ${one} }`,
    })
    await expect(migrateUp(db, twice, {}, context)).rejects.toThrow('two backfills of this migration are called "pet"')
  })
})
