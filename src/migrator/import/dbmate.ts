import { quoteQualified } from '../../database/quote.js'
import { asVersion, type Tool, textTypes } from './foreign-history.js'

/**
 * dbmate keeps a row for each applied version and nothing else.
 *
 * https://github.com/amacneil/dbmate/blob/main/pkg/driver/postgres/postgres.go
 */
export const dbmate: Tool = {
  name: 'dbmate',
  tables: ['schema_migrations'],
  columns: { version: textTypes },
  read: async (sql, { schema, name }) => {
    const rows = await sql.unsafe<{ version: string }[]>(
      `select version::text from ${quoteQualified(schema, name)} order by version`,
    )
    const applied = rows.map(({ version }) => ({
      label: version,
      version: asVersion(version),
      title: undefined,
      appliedAt: null,
      durationMs: null,
    }))
    return { applied, leftOut: [] }
  },
}
