import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describedShares, describeRun } from '../../../src/generators/observability/description.js'
import { expectedOf } from '../../../src/generators/observability/expected.js'
import { traceSourceOf } from '../../../src/generators/observability/pack.js'
import { profileCalled, profileNames } from '../../../src/generators/observability/profiles.js'
import { tenantsOf } from '../../../src/generators/observability/tenants.js'
import type { RunSettings } from '../../../src/generators/pack.js'
import { openTestDatabase } from '../../support/database.js'
import { installObservability } from '../../support/observability.js'
import { checkCalled, seedHistory, validated } from '../../validators/observability/support.js'
import { asOf, planOf, workspace } from './history.js'

const run: RunSettings = {
  ...{ runId: 'described', seed: 42, profile: 'demo', days: 14, asOf, scale: 0.05, workspace, ordinal: 0, spans: true },
}

let database: Awaited<ReturnType<typeof openTestDatabase>>
beforeAll(async () => {
  database = await openTestDatabase()
  await installObservability(database.sql)
})
afterAll(() => database?.close())

interface Catalogued {
  readonly name: string
  readonly notNull: boolean
  readonly fits: boolean
}

/** The columns of a table, and whether the type that `types` gives each of them is the one it has. */
function columnsIn(table: string, types: Readonly<Record<string, string>>): Promise<Catalogued[]> {
  return database.sql<Catalogued[]>`
    select attname as name, attnotnull as "notNull",
           atttypid = to_regtype(regexp_replace(type, '[(].*[)]', ''))
             and (type !~ '[(]' or format_type(atttypid, atttypmod) = type) as fits
    from pg_attribute
    cross join lateral (select ${database.sql.json(types)}::jsonb ->> attname as type) described
    where attrelid = ${table}::regclass and attnum > 0 and not attisdropped`
}

describe('the description of the observability pack', () => {
  it('covers every column of every table that a run fills, with the type that the migrations gave it', async () => {
    const tables = describeRun(run)
    expect(tables.map(({ table }) => table).sort()).toEqual([...Object.keys((await planTables()) ?? {})].sort())
    for (const { table, columns } of tables) {
      const types = Object.fromEntries(columns.map(({ name, type }) => [name, type]))
      const catalogued = await columnsIn(table, types)
      expect(Object.keys(types).sort(), table).toEqual(catalogued.map(({ name }) => name).sort())
      expect(
        catalogued.filter(({ fits }) => !fits),
        table,
      ).toEqual([])
      const nullable = columns.filter(({ nulls }) => nulls > 0).map(({ name }) => name)
      expect(
        catalogued.filter(({ name, notNull }) => notNull && nullable.includes(name)),
        table,
      ).toEqual([])
    }
  })

  it('names every column as it is written, in the order of the rows', async () => {
    const tables = describeRun(run)
    for (const [table, columns] of Object.entries(await planTables())) {
      const described = tables.find((one) => one.table === table)?.columns.filter(({ name }) => name !== 'id')
      expect(
        described?.map(({ name, type }) => ({ name, type })),
        table,
      ).toEqual(columns.filter(({ name }) => name !== 'id'))
    }
  })

  it.each(profileNames)('gives shares that add up to 1 in the profile %s', (profile) => {
    const shares = describeRun({ ...run, profile }).flatMap(({ table, columns }) =>
      columns.flatMap(({ name, expected }) =>
        expected?.kind === 'shares' ? [[`${table}.${name}`, sum(expected.shares)] as const] : [],
      ),
    )
    expect(shares.length).toBeGreaterThan(5)
    for (const [column, total] of shares) expect(total, column).toBeCloseTo(1, 3)
  })

  it('of one of several workspaces is about that one, and of the run about all of them', () => {
    const whole = { ...run, profile: 'multi-tenant' }
    const described = (settings: RunSettings) => describeRun(settings).find(({ table }) => table === 'traces')
    const tenants = tenantsOf(whole)
    const rows = tenants.map((tenant) => described(tenant)?.rows ?? 0)
    expect(rows).toEqual(tenants.map((tenant) => traceSourceOf(tenant).volume.total))
    expect(described(whole)?.rows).toBe(rows.reduce((sum, count) => sum + count, 0))
    expect(rows[0]).toBeGreaterThan(10 * (rows[19] ?? 0))
  })

  it('is what validation expects: another share in it fails the check', async () => {
    await seedHistory(database, 14, 0.05)
    const described = describedShares(describeRun(run), 'traces', 'environment_id')
    expect(expectedOf(run)?.environments).toEqual(described)
    expect(checkCalled(await validated(database, 'distribution'), 'distribution.environment_shares').status).toBe(
      'passed',
    )
    const { production } = profileCalled('demo').environments
    const share = production.share
    try {
      Object.assign(production, { share: 0.2 })
      const failed = checkCalled(await validated(database, 'distribution'), 'distribution.environment_shares')
      expect(failed.observed).toContain('not 40.00 %')
    } finally {
      Object.assign(production, { share })
    }
  })
})

/** What the plan of the run writes, by table. */
async function planTables() {
  const plan = planOf({ ...run })
  const references = await plan.references()
  const facts = await plan.facts(() => workspace)
  const closing = await plan.closing()
  return Object.fromEntries([...references, ...facts, ...closing].map(({ table, columns }) => [table, columns]))
}

function sum(shares: Readonly<Record<string, number>>): number {
  return Object.values(shares).reduce((total, share) => total + share, 0)
}
