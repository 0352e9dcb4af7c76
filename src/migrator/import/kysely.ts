import { quoteQualified } from '../../database/quote.js'
import { splitName, type Tool, textTypes } from './foreign-history.js'

/**
 * Kysely keeps the migration's name, and the time as a text; it applies in the order of names.
 *
 * https://github.com/kysely-org/kysely/blob/master/src/migration/migrator.ts
 */
export const kysely: Tool = {
  name: 'kysely',
  tables: ['kysely_migration'],
  besides: ['kysely_migration_lock'],
  columns: { name: textTypes, timestamp: textTypes },
  read: async (sql, { schema, name }) => {
    const rows = await sql.unsafe<{ name: string; at: string }[]>(
      `select name, "timestamp" as at from ${quoteQualified(schema, name)} order by name collate "C"`,
    )
    const applied = rows.map((row) => ({ ...splitName(row.name), appliedAt: timeOf(row.at), durationMs: null }))
    return { applied, leftOut: [] }
  },
}

function timeOf(text: string): Date | null {
  const time = new Date(text)
  return Number.isNaN(time.getTime()) ? null : time
}
