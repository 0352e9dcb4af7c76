import type { ChildProcess } from 'node:child_process'
import { expect, it, vi } from 'vitest'
import { quietContext } from '../../src/context.js'
import { catalogHash, readCatalog } from '../../src/database/catalog.js'
import { type Database, withDatabase } from '../../src/database/connect.js'
import { Random, streamKey } from '../../src/generators/random.js'
import { migrationStatus } from '../../src/migrator/history/status.js'
import { explainRepair, repairMigration } from '../../src/migrator/recovery/repair.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import type { Pack } from '../../src/packs.js'
import { type CliResult, obs } from '../support/cli.js'
import { openTestDatabase, type TestDatabase } from '../support/database.js'
import { testPack } from '../support/packs.js'

const context = quietContext()
const rounds = 50
const atOnce = 3

const files = {
  'obs.config.json': JSON.stringify({ packs: [{ name: 'pets', migrations: '.', schema: 'public' }] }),
  '0001_pet.up.sql': `create table pet (id int, name text, n int);
    insert into pet select i, md5(i::text), 0 from generate_series(1, 1500) as i;
    create index idx_old on pet (n);`,
  '0002_toy.up.sql': 'create table toy (id int);\nselect pg_sleep(0.05);\ninsert into toy select id from pet;',
  '0003_mixed.up.sql': `-- obs: no-transaction
    create index concurrently idx_a on pet (name);
    update pet set n = n + 1;
    create unique index concurrently idx_b on pet (id);
    alter table pet add column age int default 7;
    drop index concurrently idx_old;
    create index concurrently on pet (name, id);`,
  '0004_last.up.sql': 'alter table toy add primary key (id);\nselect pg_sleep(0.05);\nupdate toy set id = id + 10000;',
  '0005_index.up.sql': 'reindex table concurrently toy;',
}

/** What can be seen of each statement of 0003, in order. */
async function effects({ sql }: Database): Promise<boolean[]> {
  const [row] = await sql<{ seen: boolean[] }[]>`
    select array[
      exists (select from pg_index where indexrelid = to_regclass('idx_a') and indisvalid),
      (select max(n) from pet) = 1,
      exists (select from pg_index where indexrelid = to_regclass('idx_b') and indisvalid),
      exists (select from pg_attribute where attrelid = to_regclass('pet') and attname = 'age'),
      to_regclass('idx_old') is null,
      exists (select from pg_index where indexrelid = to_regclass('pet_name_id_idx') and indisvalid)
    ] as seen`
  return row?.seen ?? []
}

/** Runs `up` in a process of its own and kills it some time after it has begun with the first migration. */
async function runKilledAfter(db: TestDatabase, pack: Pack, delayMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await up(db, pack, (child) => {
    child.stderr?.once('data', () => {
      timer = setTimeout(() => child.kill('SIGKILL'), delayMs)
    })
  })
  clearTimeout(timer)
  await vi.waitFor(
    async () => {
      const rows = await db.sql`
        select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
          and application_name not like ${`${(await ownName(db)).slice(0, 12)}%`} and backend_type = 'client backend'`
      expect(rows).toHaveLength(0)
    },
    { timeout: 20_000, interval: 50 },
  )
}

function up({ url }: TestDatabase, { migrations }: Pack, started?: (child: ChildProcess) => void): Promise<CliResult> {
  const args = ['migrate', 'up', '--backup', 'none', '--preserve', 'counts', '--lock-timeout', '300']
  return obs(args, { cwd: migrations, env: { DATABASE_URL: url }, ...(started ? { started } : {}) })
}

async function ownName({ sql }: TestDatabase): Promise<string> {
  const [row] = await sql<{ name: string }[]>`select current_setting('application_name') as name`
  return row?.name ?? ''
}

/** What the history claims has to be what the catalog shows; returns the state that was found. */
async function expectTruth(db: TestDatabase, pack: Pack): Promise<string> {
  const { migrations } = await migrationStatus(db, pack)
  const states = new Map(migrations.map((one) => [one.version, one.state]))
  const [tables] = await db.sql<{ pet: boolean; toy: boolean; last: boolean }[]>`
    select to_regclass('pet') is not null as pet, to_regclass('toy') is not null as toy,
           exists (select from pg_constraint where conname = 'toy_pkey') as last`
  expect([states.get(1), states.get(2), states.get(4)]).toEqual(
    [tables?.pet, tables?.toy, tables?.last].map((there) => (there ? 'applied' : 'pending')),
  )
  const mixed = migrations[2]
  const seen = tables?.pet ? await effects(db) : []
  const stopped = mixed?.stoppedAt
  if (mixed?.state === 'pending') expect(seen.some(Boolean), seen.join()).toBe(false)
  if (mixed?.state === 'applied') expect(seen.every(Boolean), seen.join()).toBe(true)
  if (stopped) {
    const at = stopped.statement
    expect(seen.slice(0, at - 1).every(Boolean), `${at}: ${seen.join()}`).toBe(true)
    expect(seen.slice(stopped.certain ? at - 1 : at).some(Boolean), `${at}: ${seen.join()}`).toBe(false)
  }
  return `${mixed?.state}${stopped ? ` ${stopped.certain ? 'before' : 'in'} ${stopped.statement}` : ''}`
}

async function finalState({ sql }: Database): Promise<string> {
  const [row] = await sql<{ data: string }[]>`
    select concat((select sum(n) from pet), ' ', (select sum(age) from pet), ' ', (select count(*) from pet), ' ',
                  (select sum(id) from toy), ' ', (select count(*) from toy)) as data`
  return `${catalogHash(await readCatalog(sql, ['public']))} ${row?.data}`
}

it(`ends at the same schema and data after each of ${rounds} kills at random moments`, {
  timeout: 600_000,
}, async () => {
  const pack = await testPack(files)
  const reference = await openTestDatabase()
  const began = performance.now()
  await migrateUp(reference, pack, { preserve: 'counts' }, context)
  const longest = (performance.now() - began) * 1.1
  const wanted = await finalState(reference)
  await reference.close()

  const random = new Random().seat(streamKey('killed often'), 0)
  const delays = Array.from({ length: rounds }, () => random.uniform() * longest)
  const found: string[] = []
  const round = async (delay: number, i: number) => {
    const db = await openTestDatabase()
    try {
      await runKilledAfter(db, pack, delay)
      found.push(await expectTruth(db, pack))
      if (i % 2 === 0) await repairWhatIs(db, pack)
      await withDatabase(db.address, context, (mine) => migrateUp(mine, pack, { preserve: 'counts' }, context))
      expect(await finalState(db), `round ${i}, killed after ${delay} ms`).toBe(wanted)
      const rows = await db.sql`
        select version from obs.migration_history where state = 'applied' group by version having count(*) <> 1`
      expect(rows).toEqual([])
    } finally {
      await db.close()
    }
  }
  const queue = delays.map((delay, i) => () => round(delay, i))
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await next()
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  expect(new Set(found).size, found.join('; ')).toBeGreaterThan(3)
})

async function repairWhatIs(db: TestDatabase, pack: Pack): Promise<void> {
  for (const finding of await explainRepair(db, pack, undefined, {}, context)) {
    expect(finding.next).toBeDefined()
    await repairMigration(db, pack, finding.found.record.version, { resume: true }, {}, context)
  }
}

it('applies each migration exactly once when twenty processes begin at the same time', {
  timeout: 300_000,
}, async () => {
  const pack = await testPack(files)
  const db = await openTestDatabase()
  try {
    const runs = await Promise.all(Array.from({ length: 20 }, () => up(db, pack)))
    expect(runs.map(({ code, stderr }) => (code === 0 ? 0 : stderr))).toEqual(Array.from({ length: 20 }, () => 0))
    const rows = await db.sql`
      select version, count(*) filter (where state = 'applied') as times from obs.migration_history group by 1 order by 1`
    expect(rows.map((row) => [row['version'], row['times']])).toEqual([1, 2, 3, 4, 5].map((n) => [n, 1]))
    expect(await effects(db)).toEqual([true, true, true, true, true, true])
  } finally {
    await db.close()
  }
})
