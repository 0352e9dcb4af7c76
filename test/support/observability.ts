import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sql } from '../../src/database/connect.js'
import { quoteIdentifier } from '../../src/database/quote.js'
import { packageRoot } from '../../src/package.js'

export const demoWorkspace = '8f14e45f-ceea-4e7a-9b1c-0242ac120001'
export const otherWorkspace = '8f14e45f-ceea-4e7a-9b1c-0242ac120002'

/** A trace worth telling apart; whatever is left out is ordinary. */
export interface TraceRow {
  readonly timestamp: string
  readonly workspace?: string
  readonly department?: string
  readonly environment?: string
  readonly agent?: string
  readonly version?: string
  readonly intent?: string
  readonly latency?: number
  readonly status?: 'success' | 'error' | 'timeout'
  readonly error?: string | null
  readonly provider?: string | null
  readonly cost?: number | null
}

export interface EvaluationRow {
  readonly trace: string
  readonly createdAt: string
  readonly score: number
  readonly passing?: boolean
}

/**
 * Brings an empty database to the newest schema of the observability pack.
 *
 * The search path is that of `obs migrate up`, and functions keep it: by the default one they
 * would look into the schema `obs` first, which is the name of the test server's user.
 */
export async function installObservability(sql: Sql, schema = 'public'): Promise<void> {
  const folder = join(packageRoot, 'src/migrations/observability')
  const files = readdirSync(folder).filter((name) => /^\d+_\w+\.up\.sql$/.test(name))
  for (const name of files.sort()) {
    const migration = readFileSync(join(folder, name), 'utf8')
    await sql.unsafe(`set local search_path to ${quoteIdentifier(schema)};\n${migration}`)
  }
}

/** Adds a workspace with its departments and environments. */
export async function addWorkspace(
  sql: Sql,
  id: string,
  code: string,
  departments: Readonly<Record<string, number | null>> = { engineering: 50_000, sales: 30_000 },
): Promise<void> {
  await sql`insert into workspaces (id, workspace_id, workspace_code, workspace_name) values (${id}, ${id}, ${code}, ${code})`
  for (const [name, budget] of Object.entries(departments)) {
    await sql`
      insert into departments (id, workspace_id, department_code, department_name, monthly_budget_usd)
      values (${departmentId(sql, id, name)}, ${id}, ${name}, ${name}, ${budget})`
  }
  for (const name of ['production', 'staging', 'development']) {
    await sql`
      insert into environments (id, workspace_id, environment_code, environment_name, is_production)
      values (${environmentId(sql, id, name)}, ${id}, ${name}, ${name}, ${name === 'production'})`
  }
}

/** Inserts traces and returns their ids, in order. */
export async function addTraces(sql: Sql, rows: readonly TraceRow[], prefix = 't'): Promise<string[]> {
  const ids = rows.map((_, index) => `${prefix}${index + 1}`)
  for (const [index, row] of rows.entries()) {
    const workspace = row.workspace ?? demoWorkspace
    await sql`
      insert into traces (trace_id, workspace_id, agent_id, timestamp, latency_ms, error, status, model_provider, cost_usd,
                          department_id, environment_id, version, intent_category)
      values (${ids[index] ?? ''}, ${workspace}, ${row.agent ?? 'engineering-code-assistant-1'}, ${row.timestamp},
              ${row.latency ?? 1000}, ${row.error ?? null}, ${row.status ?? 'success'},
              ${row.provider === undefined ? 'openai' : row.provider}, ${row.cost === undefined ? 0.01 : row.cost},
              ${departmentId(sql, workspace, row.department ?? 'engineering')},
              ${environmentId(sql, workspace, row.environment ?? 'production')},
              ${row.version ?? 'v2.1'}, ${row.intent ?? 'code_generation'})`
  }
  return ids
}

export async function addEvaluations(sql: Sql, rows: readonly EvaluationRow[]): Promise<void> {
  for (const row of rows) {
    await sql`
      insert into evaluations (id, workspace_id, trace_id, trace_timestamp, agent_id, evaluator, metric, score, is_passing,
                               created_at, updated_at)
      select gen_random_uuid(), workspace_id, trace_id, timestamp, agent_id, 'judge', 'quality', ${row.score},
             ${row.passing ?? row.score >= 80}, ${row.createdAt}, ${row.createdAt}
      from traces where trace_id = ${row.trace}`
  }
}

function departmentId(sql: Sql, workspace: string, code: string) {
  return sql`uuid_v5(uuid_v5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'https://obs.dev/observability'),
                     'department:' || ${workspace}::text || ':' || ${code}::text)`
}

function environmentId(sql: Sql, workspace: string, code: string) {
  return sql`uuid_v5(uuid_v5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'https://obs.dev/observability'),
                     'environment:' || ${workspace}::text || ':' || ${code}::text)`
}
