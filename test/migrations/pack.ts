import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { quietContext } from '../../src/context.js'
import { type Session, type Sql, withSession, withTransaction } from '../../src/database/connect.js'
import { loadCsv } from '../../src/database/load-csv.js'
import { quoteIdentifier } from '../../src/database/quote.js'
import { packageRoot } from '../../src/package.js'

/** Runs one or more statements in one go and returns the rows of each. */
export type Execute = (text: string) => Promise<readonly (readonly object[])[]>
export type PlatformName = 'postgres' | 'timescaledb'

export const first = '8f14e45f-ceea-4e7a-9b1c-0242ac120001'
export const second = '8f14e45f-ceea-4e7a-9b1c-0242ac120002'

const folder = join(packageRoot, 'src/migrations/observability')
const files = readdirSync(folder)

/** `0001_mvp_baseline`, … in order. */
export const migrations = [...new Set(files.map((file) => file.split('.')[0] ?? file))].sort()

/** The text of a migration's up, down or verify for a platform; undefined when there is none. */
export function textOf(migration: string, kind: 'up' | 'down' | 'verify', platform: PlatformName): string | undefined {
  const names = [`${migration}.${platform}.${kind}.sql`, `${migration}.${kind}.sql`]
  const name = names.find((candidate) => files.includes(candidate))
  return name === undefined ? undefined : readFileSync(join(folder, name), 'utf8')
}

/** The migrations after version `from` up to version `to`. */
export function between(from: number, to: number): readonly string[] {
  return migrations.slice(from, to)
}

/** Applies one migration and its proof inside the transaction that is open. */
export async function applyMigration(execute: Execute, migration: string, platform: PlatformName): Promise<void> {
  await execute(textOf(migration, 'up', platform) ?? '')
  const verify = textOf(migration, 'verify', platform)
  if (verify === undefined) return
  const failures = (await execute(verify)).flat()
  if (failures.length > 0) throw new Error(`${migration} is not verified: ${JSON.stringify(failures.slice(0, 5))}`)
}

/** Takes the database from version `from` to version `to`, up or down, one transaction a migration. */
export async function migrate(sql: Sql, from: number, to: number, schema = 'public'): Promise<void> {
  const up = to > from
  const chosen = up ? between(from, to) : [...between(to, from)].reverse()
  await withSession(sql, async (session) => {
    for (const migration of chosen) {
      await withTransaction(session, async () => {
        await session.unsafe(`set local search_path to ${quoteIdentifier(schema)}`)
        const execute = executeOn(session)
        if (up) await applyMigration(execute, migration, 'postgres')
        else await execute(textOf(migration, 'down', 'postgres') ?? '')
      })
    }
  })
}

/** Loads the 2,000 traces of the MVP and what stands beside them. */
export async function loadMvp(
  sql: Sql,
  schema = 'public',
  tables: readonly string[] = ['traces', 'events', 'performance_metrics'],
): Promise<void> {
  for (const table of tables) {
    await loadCsv(sql, { schema, table }, fixture(table), quietContext())
  }
}

export function fixture(table: string): string {
  return join(packageRoot, `fixtures/mvp/${table}.csv`)
}

/** Statements on a session of postgres.js. */
export function executeOn(session: Session): Execute {
  return async (text) => {
    const result = await session.unsafe(text)
    return 'command' in result ? [result] : (result as unknown as readonly object[][])
  }
}
