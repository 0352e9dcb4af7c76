import { quoteQualified } from '../../database/quote.js'
import { UnsettledForeignHistoryError } from './errors.js'
import {
  asVersion,
  type ForeignHistory,
  type ForeignMigration,
  type Tool,
  textTypes,
  timeTypes,
} from './foreign-history.js'

interface Row {
  /** Null for repeatable migrations and for the row that says that Flyway made the schema. */
  readonly version: string | null
  readonly description: string
  /** SQL, JDBC, BASELINE, UNDO_SQL, DELETE, SCHEMA, … */
  readonly type: string
  readonly script: string
  readonly at: Date | null
  readonly duration: number | null
  readonly success: boolean
}

/**
 * Flyway adds a row for everything it does; undoing a version adds one too.
 *
 * https://documentation.red-gate.com/fd/flyway-schema-history-table-273973417.html
 */
export const flyway: Tool = {
  name: 'flyway',
  tables: ['flyway_schema_history', 'schema_version'],
  columns: {
    installed_rank: ['int4'],
    version: textTypes,
    description: textTypes,
    type: textTypes,
    script: textTypes,
    installed_on: timeTypes,
    execution_time: ['int4', 'int8'],
    success: ['bool'],
  },
  read: async (sql, { schema, name }) => {
    const rows = await sql.unsafe<Row[]>(
      `select version, coalesce(description, '') as description, type, script, installed_on::timestamptz as at,
              execution_time::int as duration, success
       from ${quoteQualified(schema, name)} order by installed_rank`,
    )
    return historyOf(rows)
  },
}

function historyOf(rows: readonly Row[]): ForeignHistory {
  refuseFailed(rows)
  const present = new Map<string, Row>()
  const repeatable = new Set<string>()
  let baseline: Row | undefined
  for (const row of rows) {
    if (row.type.endsWith('BASELINE')) baseline = row
    else if (row.version === null && row.type !== 'SCHEMA') repeatable.add(row.script)
    else if (row.version !== null && /^(UNDO|DELETE)/.test(row.type)) present.delete(row.version)
    else if (row.version !== null) present.set(row.version, row)
  }
  const applied = [...present.values()].sort((a, b) => compareVersions(a.version ?? '', b.version ?? ''))
  const read = withoutMixedVersions([...(baseline ? [baseline] : []), ...applied].map(migrationOf))
  const leftOut = [...repeatable].map((script) => `${script} (a repeatable migration)`)
  if (!baseline) return { applied: read, leftOut }
  const [upTo, ...rest] = read
  return { applied: rest, leftOut, ...(upTo ? { upTo: { ...upTo, title: undefined } } : {}) }
}

function refuseFailed(rows: readonly Row[]): void {
  const failed = rows.filter((row) => !row.success).map((row) => row.script)
  if (failed.length === 0) return
  throw new UnsettledForeignHistoryError(
    'flyway',
    failed,
    `flyway says that ${failed.join(', ')} failed and was not repaired`,
    'Look what is left of it, finish it or take it back by hand, let flyway repair remove the row, and import again; nothing was changed.',
  )
}

function migrationOf({ version, description, script, at, duration }: Row): ForeignMigration {
  return {
    label: script,
    version: asVersion(version ?? ''),
    title: description,
    appliedAt: at,
    durationMs: duration,
  }
}

/**
 * With versions such as 1.2 among them the files must have been numbered anew, so that
 * no number can be relied on: then every file is found by its title, and what a baseline
 * stands for is not known.
 */
function withoutMixedVersions(migrations: readonly ForeignMigration[]): readonly ForeignMigration[] {
  if (migrations.every((one) => one.version !== undefined)) return migrations
  return migrations.map((one) => ({ ...one, version: undefined }))
}

/** Part by part as numbers, of any length: 1.2 comes before 1.10. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0n) - (right[i] ?? 0n)
    if (difference !== 0n) return difference < 0n ? -1 : 1
  }
  return 0
}

function partsOf(version: string): readonly bigint[] {
  return version.split(/[._]/).map((part) => (/^\d+$/.test(part) ? BigInt(part) : 0n))
}
