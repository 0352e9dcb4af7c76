import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { withSession } from '../../src/database/connect.js'
import { fingerprintTable } from '../../src/database/fingerprint.js'
import { loadCsv } from '../../src/database/load-csv.js'
import { packageRoot } from '../../src/package.js'
import { testDatabase } from '../support/database.js'
import { installObservability } from '../support/observability.js'
import { contents, count, differences, rawRollup, rollup, seedSmall, small, templates } from './seeding.js'

let databases: Awaited<ReturnType<typeof templates>>
beforeAll(async () => {
  databases = await templates()
})
afterAll(() => databases.drop())

it('seeds the months of a migrated MVP database, again and again, without changing one of its values', async () => {
  const database = await testDatabase()
  const { sql } = database
  const folder = join(packageRoot, 'src/migrations/observability')
  const [baseline = '', ...rest] = readdirSync(folder)
    .filter((name) => /^\d+_\w+\.up\.sql$/.test(name))
    .sort()
  const migrate = (name: string) =>
    sql.unsafe(`set local search_path to public;\n${readFileSync(join(folder, name), 'utf8')}`)
  await migrate(baseline)
  await loadCsv(
    sql,
    { schema: 'public', table: 'traces' },
    join(packageRoot, 'fixtures/mvp/traces.csv'),
    quietContext(),
  )
  for (const name of rest) await migrate(name)
  const legacy = () =>
    fingerprintTable(sql, { schema: 'public', table: 'traces', where: `not metadata ? 'obs_run' or metadata is null` })
  const before = await legacy()
  expect(before.rows).toBe(2000)

  const july = { ...small, asOf: new Date('2026-07-20T00:00:00Z'), days: 40 }
  for (const mode of ['first', 'append', 'replace'] as const) {
    await seedSmall(database, { ...july, mode })
    expect(await legacy(), mode).toEqual(before)
  }
  expect(await count(sql, 'traces')).toBeGreaterThan(2500)
  expect(await count(sql, "users where metadata = '{}'")).toBeGreaterThan(0)
}, 120_000)

it('loads an ordinary table as it loads a partitioned one', async () => {
  const [partitioned, ordinary] = [await databases.seeded(), await databases.migrated()]
  await ordinary.sql.unsafe(`
    alter sequence traces_id_seq owned by none;
    create table plain (like traces including defaults including constraints including indexes);
    drop table traces;
    alter table plain rename to traces`)
  await seedSmall(ordinary, small)
  const [one, other] = [await contents(partitioned.sql), await contents(ordinary.sql)]
  expect(other).toMatchObject({ traces: one['traces'], evaluations: one['evaluations'], users: one['users'] })
})

it('works in a schema of another name', async () => {
  const database = await testDatabase()
  await database.sql`create schema "Agents & Co"`
  await withSession(database.sql, async (session) => {
    await session`set search_path to "Agents & Co"`
    await installObservability(session, 'Agents & Co')
    const result = await seedSmall(database, { ...small, schema: 'Agents & Co' })
    expect(await count(session, 'traces')).toBe(result.tables['traces']?.rows)
    expect(await differences(session, rollup('traces_hourly'), rawRollup('hour'))).toBe(0)
    expect(await count(session, 'traces_default')).toBe(0)
  })
})
