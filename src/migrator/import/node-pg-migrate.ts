import { quoteQualified } from '../../database/quote.js'
import { splitName, type Tool, textTypes, timeTypes } from './foreign-history.js'

/**
 * node-pg-migrate keeps the file's name without its ending: `1663854311211_add-users`.
 *
 * https://salsita.github.io/node-pg-migrate/
 */
export const nodePgMigrate: Tool = {
  name: 'node-pg-migrate',
  tables: ['pgmigrations'],
  columns: { id: ['int4', 'int8'], name: textTypes, run_on: timeTypes },
  read: async (sql, { schema, name }) => {
    const rows = await sql.unsafe<{ name: string; at: Date }[]>(
      `select name, run_on::timestamptz as at from ${quoteQualified(schema, name)} order by id`,
    )
    const applied = rows.map((row) => ({ ...splitName(row.name), appliedAt: row.at, durationMs: null }))
    return { applied, leftOut: [] }
  },
}
