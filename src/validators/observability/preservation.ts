import { z } from 'zod'
import { fingerprintTable } from '../../database/fingerprint.js'
import { findHistories } from '../../database/history-table.js'
import { nothingIn, type Observation, passed, skipped, violated } from '../check.js'
import type { ObservabilityCheck, ObservabilityContext, ObservabilitySuite } from './facts.js'
import { seedRuns } from './seed-runs.js'

/** The tables of the MVP, whose rows were there before obs came. */
const carriedOver = ['traces', 'events', 'performance_metrics'] as const

/** Whether rows and values that existed before a migration exist still. */
export const preservationSuite: ObservabilitySuite = {
  name: 'preservation',
  description: 'rows and values that existed before a migration exist still',
  checks: [
    {
      id: 'preservation.receipts',
      severity: 'error',
      description: 'A migration changed values that it did not say it would.',
      expected: 'every receipt in the migration history says that what was there stayed identical',
      run: checkReceipts,
    },
    ...carriedOver.map(
      (table): ObservabilityCheck => ({
        id: `preservation.${table}`,
        severity: 'error',
        description: `A row of ${table} that was there before the first migration was lost or altered since.`,
        expected: `the ${table} that were there before the first migration are there, with the same values`,
        run: (context) => checkTable(context, table),
      }),
    ),
  ],
}

const tableSchema = z.object({
  table: z.string(),
  rows_before: z.coerce.number(),
  rows_after: z.coerce.number().nullable(),
  identical: z.boolean(),
  high_water: z.coerce.bigint().nullable(),
  identity: z.array(z.string()),
  columns: z.record(z.string(), z.string()),
  types: z.record(z.string(), z.string()).default({}),
  declared: z.array(z.string()),
  dropped: z.array(z.string()),
})

const receiptSchema = z.object({ tables: z.array(tableSchema) })

/** What the history says one migration did to one table. */
interface Receipt extends z.infer<typeof tableSchema> {
  /** `4 enhanced_traces up`. */
  readonly migration: string
  readonly taken_at: Date
}

interface HistoryRow {
  readonly migration: string
  readonly taken_at: Date
  readonly receipt: unknown
}

/** The receipts of everything that was applied or reverted, oldest first. */
async function receipts({ session }: ObservabilityContext): Promise<readonly Receipt[]> {
  const rows: HistoryRow[] = []
  for (const history of await findHistories(session)) {
    rows.push(
      ...(await session.unsafe<HistoryRow[]>(`
        select concat(version, ' ', name, ' ', direction) as migration, started_at as taken_at, receipt
        from ${history}
        where pack = 'observability' and state = 'applied' and receipt ? 'tables'
        order by id`)),
    )
  }
  return rows.flatMap(({ migration, taken_at, receipt }) =>
    receiptSchema.parse(receipt).tables.map((table) => ({ ...table, migration, taken_at })),
  )
}

async function checkReceipts(context: ObservabilityContext): Promise<Observation> {
  const held = (await context.once(receipts)).filter(({ rows_before }) => rows_before > 0)
  if (held.length === 0) return skipped('the migrations found no rows to preserve')
  const broken = held.filter(({ identical, declared, rows_after }) => {
    const onPurpose = declared.length > 0 || rows_after === null
    return !identical && !onPurpose
  })
  const names = broken.map(({ migration, table }) => `${migration}: ${table}`)
  return nothingIn(names, `${held.length} receipts`, (count) => `${count} of ${held.length} receipts`)
}

async function checkTable(context: ObservabilityContext, table: string): Promise<Observation> {
  const all = (await context.once(receipts)).filter((receipt) => receipt.table === table)
  const first = all.find(({ rows_before, high_water }) => rows_before > 0 && high_water !== null)
  if (!first || first.high_water === null) return skipped(`the migrations found no ${table} to preserve`)
  const columns = await unchangedTypes(context, first, comparable(first, all))
  const where = `id <= ${first.high_water} ${await onlyLegacy(context, first)}`
  const { session, schema } = context
  const print = await fingerprintTable(session, {
    schema,
    table,
    columns,
    identity: first.identity,
    types: first.types,
    where,
  })
  if (print.rows !== first.rows_before) {
    const lost = first.rows_before - print.rows
    return violated(
      `${print.rows} of the ${first.rows_before} rows before migration ${first.migration}`,
      Math.abs(lost),
    )
  }
  const altered = columns.filter((column) => print.columns[column] !== first.columns[column])
  if (altered.length > 0) return violated(`other values in ${altered.join(', ')}`, undefined, altered)
  return passed(`${print.rows} rows, ${columns.length} columns as before migration ${first.migration}`)
}

/** The columns that no later migration was allowed to change or drop. */
function comparable(first: Receipt, all: readonly Receipt[]): readonly string[] {
  const given = new Set(all.flatMap(({ declared, dropped }) => [...declared, ...dropped]))
  if (given.has(first.table)) return []
  return Object.keys(first.columns).filter((column) => !given.has(`${first.table}.${column}`))
}

/** A value's hash belongs to its type: what was hashed as a value is found again only in a column of the same type. */
async function unchangedTypes(
  { session, schema }: ObservabilityContext,
  { table, types }: Receipt,
  columns: readonly string[],
): Promise<readonly string[]> {
  if (Object.keys(types).length === 0) return columns
  const now = await session<{ name: string; type: string }[]>`
    select attname as name, format_type(atttypid, null) as type from pg_attribute
    where attrelid = (select oid from pg_class where relname = ${table} and relnamespace::regnamespace::text = ${schema})
      and attnum > 0 and not attisdropped`
  const typeNow = new Map(now.map(({ name, type }) => [name, type]))
  return columns.filter((column) => typeNow.get(column) === types[column])
}

/** Generated rows come and go with --replace; they count only where the receipt was taken after a run. */
async function onlyLegacy(context: ObservabilityContext, { taken_at }: Receipt): Promise<string> {
  const runs = await context.once(seedRuns)
  const seededBefore = runs.some((run) => run.started_at < taken_at)
  return seededBefore ? '' : `and not coalesce(metadata ? 'obs_run', false)`
}
