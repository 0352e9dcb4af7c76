import { quoteQualified } from '../../database/quote.js'
import { asVersion, type Tool, timeTypes } from './foreign-history.js'

interface Row {
  readonly version: string
  readonly applied: boolean
  readonly at: Date | null
}

/**
 * goose adds a row whenever it applies a version, and older ones also when they revert
 * it: the last row of a version counts. Version 0 only says that the table was made.
 *
 * https://github.com/pressly/goose/blob/main/internal/dialects/postgres.go
 */
export const goose: Tool = {
  name: 'goose',
  tables: ['goose_db_version'],
  columns: { id: ['int4', 'int8'], version_id: ['int8', 'int4'], is_applied: ['bool'], tstamp: timeTypes },
  read: async (sql, { schema, name }) => {
    const rows = await sql.unsafe<Row[]>(
      `select distinct on (version_id) version_id::text as version, is_applied as applied, tstamp::timestamptz as at
       from ${quoteQualified(schema, name)} where version_id <> 0 order by version_id, id desc`,
    )
    const applied = rows
      .filter((row) => row.applied)
      .map(({ version, at }) => ({
        label: version,
        version: asVersion(version),
        title: undefined,
        appliedAt: at,
        durationMs: null,
      }))
    return { applied, leftOut: [] }
  },
}
