import { afterAll, beforeAll, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import type { Sql } from '../../src/database/connect.js'
import { observability } from '../../src/generators/observability/pack.js'
import { removeRun } from '../../src/generators/remove-run.js'
import { homeKpis } from '../../src/queries/observability/home-kpis.js'
import { ask } from '../queries/support.js'
import { complaints, validated } from '../validators/observability/support.js'
import { asOf, contents, count, seedSmall, templates, workspace } from './seeding.js'

let databases: Awaited<ReturnType<typeof templates>>
beforeAll(async () => {
  databases = await templates()
})
afterAll(() => databases?.drop())

const options = { profile: 'multi-tenant', days: 21, scale: 0.15 }

it('fills twenty workspaces with people and agents of their own, by Zipf’s law, and every check passes on them', {
  timeout: 120_000,
}, async () => {
  const database = await databases.migrated()
  const { sql } = database
  const run = await seedSmall(database, options)
  expect(run.workspaces).toHaveLength(20)
  expect(run.workspaces[0]).toBe(workspace)
  const tenants = await sql<{ workspace_id: string; traces: number; name: string }[]>`
    select workspace_id, count(*) as traces, max(workspace_name) as name
    from traces join workspaces using (workspace_id) group by 1 order by 2 desc`
  expect(tenants.slice(0, 5).map(({ workspace_id }) => workspace_id)).toEqual(run.workspaces.slice(0, 5))
  expect(new Set(tenants.map(({ name }) => name)).size).toBe(20)
  const total = tenants.reduce((sum, { traces }) => sum + traces, 0)
  expect(total).toBe(run.tables['traces']?.rows)
  // The weights n^-1.2 of twenty ranks add up to 2.859.
  expect((tenants[0]?.traces ?? 0) / total).toBeCloseTo(1 / 2.859, 1)
  const topThree = tenants.slice(0, 3).reduce((sum, { traces }) => sum + traces, 0)
  expect(topThree / total).toBeGreaterThan(0.55)

  const [own] = await sql`
    select (select count(distinct workspace_id) from departments) as departments,
           (select count(distinct id) = count(*) from users) as user_ids,
           (select count(distinct display_name)::float8 / count(*) from users) as names,
           (select count(*) from users) as users, (select count(*) from agents) as agents,
           (select count(*) from traces t join departments d on d.id = t.department_id
            where d.workspace_id <> t.workspace_id) as strangers`
  expect(own).toMatchObject({ departments: 20, user_ids: true, strangers: 0 })
  expect(own?.['names']).toBeGreaterThan(0.95)
  expect(complaints(await validated(database))).toEqual({})

  const last = run.workspaces.at(-1) ?? ''
  const { data, meta } = await ask(database, homeKpis, { workspace: last, range: '7d', asOf: asOf.toISOString() })
  const [counted] = await sql<{ traces: number }[]>`
    select count(*) as traces from traces
    where workspace_id = ${last} and timestamp >= ${asOf}::timestamptz - interval '7 days'`
  expect(meta.workspace_id).toBe(last)
  expect(JSON.stringify(data)).toContain(`:${counted?.traces}`)
})

it('gives the same rows with one worker and with three, and takes them away as one run', {
  timeout: 120_000,
}, async () => {
  const few = { ...options, days: 7, scale: 0.02 }
  const [one, other] = [await databases.migrated(), await databases.migrated()]
  const run = await seedSmall(one, few)
  const again = await seedSmall(other, { ...few, workers: 3 })
  expect(again.proof.tables).toEqual(run.proof.tables)
  expect(await contents(other.sql)).toEqual(await contents(one.sql))
  const appended = await seedSmall(one, { ...few, seed: 7, mode: 'append' })
  expect(await count(one.sql, `users where metadata->>'obs_run' = '${appended.run_id}'`)).toBe(0)

  await removeRun(one, { generators: observability, schema: 'public', run: appended.run_id }, quietContext())
  const { traces, evaluations, users } = await contents(one.sql)
  expect({ traces, evaluations, users }).toEqual(await some(other.sql))
  await removeRun(one, { generators: observability, schema: 'public', run: run.run_id }, quietContext())
  for (const table of ['traces', 'users', 'agents', 'departments', 'workspaces', 'traces_hourly'])
    expect(await count(one.sql, table), table).toBe(0)
})

async function some(sql: Sql) {
  const { traces, evaluations, users } = await contents(sql)
  return { traces, evaluations, users }
}

it('is not added to or replaced in one of its workspaces alone', async () => {
  const database = await databases.migrated()
  const few = { ...options, days: 3, scale: 0.02 }
  const run = await seedSmall(database, few)
  const before = await contents(database.sql)
  const alone = { days: 3, scale: 0.02, workspace: run.workspaces[3] }
  await expect(seedSmall(database, alone)).rejects.toMatchObject({ code: 'already_seeded' })
  for (const mode of ['append', 'replace'] as const)
    await expect(seedSmall(database, { ...alone, mode })).rejects.toMatchObject({
      code: 'other_workspaces',
      run: run.run_id,
    })
  expect(await contents(database.sql)).toEqual(before)
  const replaced = await seedSmall(database, { ...few, seed: 8, mode: 'replace' })
  expect(replaced.replaced['traces']).toBe(run.tables['traces']?.rows)
  expect(await count(database.sql, `traces where metadata->>'obs_run' <> '${replaced.run_id}'`)).toBe(0)
})
