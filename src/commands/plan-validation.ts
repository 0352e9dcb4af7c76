import { type Session, withSession } from '../database/connect.js'
import { type DeclaredRun, declaredRuns } from '../generators/library/declared.js'
import { binsOf, type Expected, type ExpectedCurve } from '../generators/library/expected.js'
import type { ColumnDescription } from '../generators/library/plan.js'
import type { SeedSpec } from '../generators/library/spec.js'
import type { Suite } from '../validators/check.js'
import type { PlanFacts, PlannedColumn, PlannedTable } from '../validators/plan/facts.js'
import { planSuites } from '../validators/plan/suites.js'
import { type Invocation, withTarget } from './invocation.js'

/** The suites of a pack of somebody's own, and what its recorded runs declare. */
export interface PlanValidation {
  readonly suites: readonly Suite<PlanFacts>[]
  readonly facts: PlanFacts
}

/** Reads off the ledger and the plan what the tables of a pack are expected to hold. */
export async function loadPlanValidation(invocation: Invocation<unknown>, spec: SeedSpec): Promise<PlanValidation> {
  const { pack } = invocation.settings
  const read = (session: Session) => declaredRuns(session, pack.schema, pack.name, spec)
  const runs = await withTarget(invocation, (database) => withSession(database.sql, read), {
    purpose: 'validate',
    connections: 1,
    readOnly: true,
  })
  const facts = { tables: Object.keys(spec.tables).map((table) => plannedTable(table, runs)) }
  return { suites: planSuites(facts), facts }
}

/** What several runs together declare of a table: their distributions mixed, each by the rows it left. */
function plannedTable(table: string, runs: readonly DeclaredRun[]): PlannedTable {
  const parts = runs.flatMap((run) => {
    const described = run.tables.find((one) => one.table === table)
    return described ? [{ rows: run.rows[table] ?? 0, columns: described.columns }] : []
  })
  const rows = parts.reduce((sum, part) => sum + part.rows, 0)
  const [newest] = parts.slice(-1)
  return {
    table,
    rows,
    columns: (newest?.columns ?? []).map(({ name }) =>
      plannedColumn(
        name,
        parts.flatMap((part) => {
          const column = part.columns.find((one) => one.name === name)
          return column ? [{ weight: part.rows / Math.max(1, rows), column }] : []
        }),
      ),
    ),
  }
}

interface Part {
  readonly weight: number
  readonly column: ColumnDescription
}

function plannedColumn(name: string, parts: readonly Part[]): PlannedColumn {
  const [newest] = parts.slice(-1)
  const weights = parts.reduce((sum, { weight }) => sum + weight, 0)
  const spread = mixed(parts.map(({ weight, column }) => ({ weight, expected: column.expected })))
  const nulls = parts.reduce((sum, { weight, column }) => sum + weight * column.nulls, 0)
  const words = newest ? inWords(newest.column) : ''
  // A run that was made by another plan may not have had the column.
  return { name, words, nulls, spread: weights > 0.999_999 ? spread : undefined }
}

function inWords({ generator, expected, nulls }: ColumnDescription): string {
  const spread =
    expected === undefined
      ? generator
      : expected.kind === 'curve'
        ? `${generator}: ${expected.words}`
        : `${generator} of ${Object.keys(expected.shares).length} values with their shares`
  return nulls > 0 ? `${spread}, ${Number((nulls * 100).toPrecision(3))} % null` : spread
}

/** Pieces that a curve of rounded values is compared by. */
const pieces = 40

function mixed(
  parts: readonly { readonly weight: number; readonly expected: Expected | undefined }[],
): PlannedColumn['spread'] {
  const [first] = parts.map(({ expected }) => expected)
  if (first?.kind === 'shares') {
    const shares: Record<string, number> = {}
    for (const { weight, expected } of parts) {
      if (expected?.kind !== 'shares') return undefined
      for (const [value, share] of Object.entries(expected.shares))
        shares[value] = (shares[value] ?? 0) + weight * share
    }
    return { kind: 'shares', shares }
  }
  const curves = parts.flatMap(({ weight, expected }) => (expected?.kind === 'curve' ? [{ weight, expected }] : []))
  if (first === undefined || curves.length < parts.length) return undefined
  const [low, high] = [
    Math.min(...curves.map(({ expected }) => expected.range[0])),
    Math.max(...curves.map(({ expected }) => expected.range[1])),
  ]
  const curve: ExpectedCurve = {
    ...first,
    range: [low, high],
    cdf: (x) => curves.reduce((sum, { weight, expected }) => sum + weight * expected.cdf(x), 0),
  }
  return { ...curve, bins: binsOf(curve, pieces), isRounded: curve.step * 1e6 > high - low || curve.unit === 'number' }
}
