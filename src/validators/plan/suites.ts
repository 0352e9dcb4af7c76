import { quoteIdentifier, quoteQualified } from '../../database/quote.js'
import { chiSquareTail, kolmogorovTail } from '../../probability.js'
import { type Check, type Observation, passed, type Suite, skipped, violated } from '../check.js'
import { shareTolerance } from '../statistics.js'
import type { PlanContext, PlanFacts, PlannedColumn, PlannedCurve, PlannedShares, PlannedTable } from './facts.js'

/** What holds of tables that a plan filled: the rows are there, and spread as their generators declare. */
export function planSuites({ tables }: PlanFacts): readonly Suite<PlanFacts>[] {
  return [
    {
      name: 'integrity',
      description: 'the rows of recorded runs are there',
      checks: tables.map(rowsCheck),
    },
    {
      name: 'distribution',
      description: 'generated values are spread as the plan declares',
      checks: tables.flatMap((table) =>
        table.columns
          .filter(({ spread, nulls }) => spread !== undefined || nulls > 0)
          .map((column) => spreadCheck(table, column)),
      ),
    },
  ]
}

function rowsCheck(table: PlannedTable): Check<PlanFacts> {
  return {
    id: `integrity.${table.table}.rows`,
    severity: 'error',
    description: 'Rows that the ledger has and the table lacks were lost, or deleted behind its back.',
    expected: `${table.table} has the ${table.rows} rows that its runs left, or more`,
    async run(context) {
      const rows = await countRows(context, table)
      if (rows >= table.rows) return passed(`${rows} rows`)
      return violated(`${rows} rows, ${table.rows - rows} fewer than were recorded`, table.rows - rows)
    },
  }
}

function spreadCheck(table: PlannedTable, column: PlannedColumn): Check<PlanFacts> {
  return {
    id: `distribution.${table.table}.${column.name}`,
    severity: 'error',
    description: 'A test that leans on a distribution means nothing once the data have another.',
    expected: column.words,
    run: (context) => judgeColumn(context, table, column),
  }
}

/** A deviation that chance explains less than once in a million checks is none of chance's. */
const surprising = 1e-6

async function judgeColumn(context: PlanContext, table: PlannedTable, column: PlannedColumn): Promise<Observation> {
  const rows = await countRows(context, table)
  if (table.rows === 0 || rows === 0) return skipped('no run left a row in it')
  if (rows !== table.rows)
    return skipped(`the table has ${rows} rows and its runs left ${table.rows}: those of others cannot be told apart`)
  const values = await sampleOf(context, table, column, rows)
  const findings = [...nullFindings(values, column), ...spreadFindings(values, column.spread)]
  if (findings.length > 0) return violated(findings.join('; '))
  return passed(`${values.length} of ${rows} rows looked at`)
}

function nullFindings(values: readonly (string | number | null)[], { nulls }: PlannedColumn): string[] {
  const share = values.filter((value) => value === null).length / Math.max(1, values.length)
  const tolerance = nulls === 0 ? 0 : shareTolerance(nulls, values.length)
  if (Math.abs(share - nulls) <= tolerance) return []
  return [`${percent(share)} null, not ${percent(nulls)}`]
}

function spreadFindings(values: readonly (string | number | null)[], spread: PlannedColumn['spread']): string[] {
  const present = values.filter((value) => value !== null)
  if (spread === undefined || present.length === 0) return []
  return spread.kind === 'shares'
    ? shareFindings(present.map(String), spread)
    : curveFindings(present.map(Number), spread)
}

/** Pearson's χ² over the values; one that was never declared is a finding by itself. */
function shareFindings(values: readonly string[], { shares }: PlannedShares): string[] {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  const strangers = [...counts.keys()].filter((value) => !((shares[value] ?? 0) > 0))
  if (strangers.length > 0) return [`${strangers.length} values that the plan does not have`]
  const expected = Object.entries(shares).map(([value, share]) => ({ share, count: counts.get(value) ?? 0 }))
  return chiSquareFindings(expected, values.length)
}

/** Kolmogorov and Smirnov's distance; of rounded values, which repeat, χ² over bins. */
function curveFindings(values: readonly number[], curve: PlannedCurve): string[] {
  const [low, high] = curve.range
  const slack = 1e-9 * Math.max(1, ...[low, high].filter(Number.isFinite).map(Math.abs))
  const outside = values.filter((value) => value < low - slack || value > high + slack).length
  if (outside > 0) return [`${outside} of ${values.length} values outside ${low} to ${high}`]
  const sorted = Float64Array.from(values).sort()
  if (curve.isRounded) return chiSquareFindings(countInBins(sorted, curve), values.length)
  const distance = sorted.reduce((greatest, value, rank) => {
    const share = curve.cdf(value)
    return Math.max(greatest, (rank + 1) / sorted.length - share, share - rank / sorted.length)
  }, 0)
  const p = kolmogorovTail(Math.sqrt(sorted.length) * distance)
  return p < surprising ? [`distance ${distance.toFixed(3)} from the declared curve (p ${p.toExponential(1)})`] : []
}

function countInBins(sorted: Float64Array, { bins }: PlannedCurve): { share: number; count: number }[] {
  let place = 0
  return bins.map(({ upTo, share }) => {
    const start = place
    const edge = upTo + Math.abs(upTo) * 1e-12
    while (place < sorted.length && (sorted[place] ?? 0) <= edge) place++
    return { share, count: place - start }
  })
}

/** Cells of fewer expected values are put together: χ² holds from about five on (W. G. Cochran, Biometrics 10, 1954). */
const fewestExpected = 5

function chiSquareFindings(
  cells: readonly { readonly share: number; readonly count: number }[],
  total: number,
): string[] {
  const large = cells.filter(({ share }) => share * total >= fewestExpected)
  const small = cells.filter(({ share }) => share * total < fewestExpected)
  const rest = { share: sum(small.map(({ share }) => share)), count: sum(small.map(({ count }) => count)) }
  const compared = rest.share * total >= fewestExpected ? [...large, rest] : large
  const square = sum(compared.map(({ share, count }) => (count - share * total) ** 2 / (share * total)))
  const p = chiSquareTail(square, compared.length - 1)
  if (p >= surprising) return []
  return [`χ² ${square.toFixed(1)} with ${compared.length - 1} degrees of freedom (p ${p.toExponential(1)})`]
}

/** Rows that are looked at, about: enough to notice a hundredth, and never more however large the table is. */
const sampleSize = 20_000

/** Values of a column: of a large table those of rows that the server picks, the same ones every time. */
async function sampleOf(
  { session, schema }: PlanContext,
  { table }: PlannedTable,
  { name, spread }: PlannedColumn,
  rows: number,
): Promise<readonly (string | number | null)[]> {
  const column = quoteIdentifier(name)
  const value =
    spread?.kind !== 'curve'
      ? `${column}::text`
      : spread.unit === 'time'
        ? `(extract(epoch from ${column}::timestamp) * 1000000)::float8`
        : `${column}::float8`
  const share = (100 * sampleSize) / rows
  const sampled = share < 100 ? ` tablesample bernoulli (${share}) repeatable (42)` : ''
  const found = await session.unsafe<{ value: string | number | null }[]>(
    `select ${value} as value from ${quoteQualified(schema, table)}${sampled}`,
  )
  return found.map((row) => row.value)
}

const counts = new WeakMap<PlanContext, Map<string, Promise<number>>>()

/** Several checks ask for the same table. */
function countRows(context: PlanContext, { table }: PlannedTable): Promise<number> {
  const known = counts.get(context) ?? new Map<string, Promise<number>>()
  counts.set(context, known)
  const count = known.get(table) ?? readCount(context, table)
  known.set(table, count)
  return count
}

async function readCount({ session, schema }: PlanContext, table: string): Promise<number> {
  const [row] = await session.unsafe<{ rows: number }[]>(
    `select count(*) as rows from ${quoteQualified(schema, table)}`,
  )
  return Number(row?.rows ?? 0)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`
}
