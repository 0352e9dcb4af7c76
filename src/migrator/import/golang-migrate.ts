import { quoteQualified } from '../../database/quote.js'
import { UnsettledForeignHistoryError } from './errors.js'
import { asVersion, type ForeignHistory, type Tool } from './foreign-history.js'

interface Row {
  readonly version: string
  readonly dirty: boolean
}

/**
 * golang-migrate keeps one row, the version it stands at: everything up to it is applied.
 *
 * https://github.com/golang-migrate/migrate/blob/master/database/postgres/postgres.go
 */
export const golangMigrate: Tool = {
  name: 'golang-migrate',
  tables: ['schema_migrations'],
  columns: { version: ['int8', 'int4'], dirty: ['bool'] },
  read: async (sql, { schema, name }) => {
    const rows = await sql.unsafe<Row[]>(
      `select version::text, dirty from ${quoteQualified(schema, name)} order by version`,
    )
    return historyOf(rows)
  },
}

function historyOf(rows: readonly Row[]): ForeignHistory {
  const dirty = rows.find((row) => row.dirty)
  if (dirty) throw dirtyVersion(dirty.version)
  const newest = rows.at(-1)
  if (!newest) return { applied: [], leftOut: [] }
  const { version: label } = newest
  const upTo = { label, version: asVersion(label), title: undefined, appliedAt: null, durationMs: null }
  return { applied: [upTo], upTo, leftOut: [] }
}

/** Its version -1 stands for the empty database. */
function dirtyVersion(version: string): UnsettledForeignHistoryError {
  const empty = version === '-1'
  return new UnsettledForeignHistoryError(
    'golang-migrate',
    [version],
    `golang-migrate has marked version ${version} as dirty: that migration began and did not finish`,
    empty
      ? 'Look what is left of the first migration, take it back by hand, empty the table of golang-migrate, and import again; nothing was changed.'
      : `Look which of its statements took effect and finish them or take them back by hand; then set version and dirty in the table of golang-migrate to what is true (its own migrate force ${version} if ${version} is whole, or the version before), and import again; nothing was changed.`,
  )
}
