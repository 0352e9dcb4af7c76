import { quietContext, type RunContext } from '../../src/context.js'
import type { Database, Sql } from '../../src/database/connect.js'
import { demoWorkspace, observability } from '../../src/generators/observability/pack.js'
import { resumeSeed, type SeedOptions, type SeedResult, seed } from '../../src/generators/seed.js'
import { testDatabase, testTemplate } from '../support/database.js'
import { installObservability } from '../support/observability.js'

export const workspace = demoWorkspace
export const asOf = new Date('2026-11-10T00:00:00Z')

/** A fortnight over two months in a few thousand rows, unless something else is said. */
export function seedSmall(
  database: Database,
  options: Partial<SeedOptions> = {},
  context: RunContext = quietContext(),
): Promise<SeedResult> {
  return seed(database, { generators: observability, days: 14, scale: 0.04, asOf, workers: 1, ...options }, context)
}

/** Goes on with a run that was broken off; only the options given are insisted on. */
export function resumeSmall(
  database: Database,
  options: Partial<SeedOptions> = {},
  context: RunContext = quietContext(),
): Promise<SeedResult> {
  const given = new Set(Object.keys(options)) as ReadonlySet<keyof SeedOptions>
  const all = { generators: observability, days: 14, asOf, workers: 1, ...options }
  return resumeSeed(database, all, given, context)
}

/** Databases to copy: at the newest schema, and the same with a small run in it. */
export async function templates() {
  const migrated = await testTemplate(({ sql }) => installObservability(sql))
  const seeded = await testTemplate(async (database) => {
    await installObservability(database.sql)
    await seedSmall(database, small)
  })
  const drop = async () => {
    await migrated.drop()
    await seeded.drop()
  }
  return { migrated: () => testDatabase(migrated.name), seeded: () => testDatabase(seeded.name), drop }
}

/** The run in the seeded template: about a thousand traces. */
export const small = { days: 14, scale: 0.01 }

/** Every table a run writes, with what it holds down to the byte, row by row in the order of the key given. */
export async function contents(sql: Sql): Promise<Record<string, string>> {
  const tables: Readonly<Record<string, string>> = {
    traces: 'id',
    evaluations: 'created_at, id',
    agents: 'id',
    users: 'id',
    departments: 'id',
    environments: 'id',
    workspaces: 'id',
    traces_hourly: 't::text',
    traces_daily: 't::text',
  }
  const hashes: Record<string, string> = {}
  for (const [table, order] of Object.entries(tables)) {
    const [row] = await sql.unsafe<{ rows: number; hash: string }[]>(`
      select count(*) as rows, md5(coalesce(string_agg(md5(t::text), '' order by ${order}), '')) as hash
      from ${table} t`)
    hashes[table] = `${row?.rows} rows, ${row?.hash}`
  }
  return hashes
}

export async function count(sql: Sql, from: string): Promise<number> {
  const [row] = await sql.unsafe<{ rows: number }[]>(`select count(*) as rows from ${from}`)
  return row?.rows ?? -1
}

/** Rows of `a` that `b` lacks and the other way round; 0 when both queries give the same rows. */
export async function differences(sql: Sql, a: string, b: string): Promise<number> {
  return count(sql, `(((${a}) except all (${b})) union all ((${b}) except all (${a}))) d`)
}

/** What the rollup of an hour or a day has to hold, summed up from the traces. */
export function rawRollup(unit: 'hour' | 'day'): string {
  return `
    select date_trunc('${unit}', timestamp, 'UTC'), workspace_id, department_id, environment_id, agent_id, version,
           intent_category, user_segment, model, model_provider, count(*), sum(latency_ms)::numeric, sum(cost_usd)
    from traces group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10`
}

export function rollup(table: string): string {
  return `
    select bucket, workspace_id, department_id, environment_id, agent_id, version, intent_category, user_segment,
           model, model_provider, trace_count, latency_sum_ms::numeric, cost_usd
    from ${table}`
}
