import { Readable } from 'node:stream'
import { type Sql, withSession, withTransaction } from '../../../src/database/connect.js'
import { copyIn } from '../../../src/database/copy-in.js'
import { quoteIdentifier, quoteQualified } from '../../../src/database/quote.js'
import { CopyBuffer, copyHeader, copyTrailer } from '../../../src/generators/copy-binary.js'
import { type PlanRun, type Prepared, preparePlan, tablePlans } from '../../../src/generators/library/prepare.js'
import { seedSchema } from '../../../src/generators/library/spec.js'

export const day = 86_400_000
export const window = { from: Date.UTC(2026, 8, 1), to: Date.UTC(2026, 9, 1) }

/** Reads a plan as a configuration file holds it, and prepares it for the schema `public`. */
export function prepared(sql: Sql, plan: unknown, run: Partial<PlanRun> = {}): Promise<Prepared> {
  const spec = seedSchema.parse(plan)
  return withSession(sql, (session) =>
    preparePlan(session, 'public', spec, { seed: 1, days: 30, scale: 1, window, ...run }),
  )
}

/** Loads every table with one COPY into the table itself, parents first, in one transaction. */
export async function loaded(
  sql: Sql,
  plan: unknown,
  run: Partial<PlanRun> = {},
): Promise<Readonly<Record<string, number>>> {
  const ready = await prepared(sql, plan, run)
  const counts: Record<string, number> = {}
  await withSession(sql, (session) =>
    withTransaction(session, async () => {
      await session`set constraints all deferred`
      for (const { plan: table, compiled } of tablePlans(ready)) {
        const columns = table.columns.map((column) => quoteIdentifier(column.name)).join(', ')
        const statement = `copy ${quoteQualified('public', table.table)} (${columns}) from stdin (format binary)`
        const buffer = new CopyBuffer()
        for (const row of table.draw({ from: 0, to: compiled.rows })) {
          buffer.row(table.columns.length)
          for (const column of table.columns) column.write(row, buffer)
        }
        const bytes = Buffer.concat([copyHeader, buffer.content, copyTrailer])
        counts[table.table] = await copyIn(session, statement, Readable.from([bytes]))
      }
    }),
  )
  return counts
}
