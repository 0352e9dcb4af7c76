import { quoteQualified } from '../../database/quote.js'
import { splitName, type Tool, textTypes, timeTypes } from './foreign-history.js'

/**
 * Knex keeps the file's name with its ending: `20240101000000_users.js`.
 *
 * https://github.com/knex/knex/blob/master/lib/migrations/migrate/table-creator.js
 */
export const knex: Tool = {
  name: 'knex',
  tables: ['knex_migrations'],
  besides: ['knex_migrations_lock'],
  columns: { id: ['int4', 'int8'], name: textTypes, batch: ['int4', 'int8'], migration_time: timeTypes },
  read: async (sql, { schema, name }) => {
    const rows = await sql.unsafe<{ name: string; at: Date | null }[]>(
      `select name, migration_time::timestamptz as at from ${quoteQualified(schema, name)} order by id`,
    )
    const applied = rows.map((row) => ({
      ...splitName(row.name.replace(/\.([cm]?[jt]s|sql)$/, '')),
      label: row.name,
      appliedAt: row.at,
      durationMs: null,
    }))
    return { applied, leftOut: [] }
  },
}
