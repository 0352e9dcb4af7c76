import { CopyBuffer } from '../../../src/generators/copy-binary.js'
import { uuidV5 } from '../../../src/generators/observability/ids.js'
import { demoWorkspace, observability } from '../../../src/generators/observability/pack.js'
import type { FactTable, ReferenceTable, RunSettings, SeedPlan, Stretch } from '../../../src/generators/pack.js'
import { monthsOf } from '../../../src/generators/partitions.js'
import { rowsOf as binaryRows, fieldText } from '../copy-fields.js'

export const workspace = demoWorkspace
export const asOf = new Date('2026-11-22T00:00:00Z')

/** A plan of the demo profile, a run over 90 days unless something else is said. */
export function planOf(changes: Partial<RunSettings> = {}): SeedPlan {
  const settings = { seed: 42, profile: 'demo', days: 90, asOf, scale: 1, workspace, ordinal: 0, ...changes }
  return observability.plan({ runId: `run-${settings.seed}`, ...settings })
}

/** The id that a reference row is taken to have. */
export function idOf(table: string, code: string): string {
  return uuidV5(workspace, `${table}/${code}`)
}

export type Row = Readonly<Record<string, string | null>>

/** The rows of the fact tables as text, by column, without a database. */
export async function generate(plan: SeedPlan, stretches: readonly Stretch[] = monthsOf(plan.window)) {
  await plan.references()
  const [traces, evaluations, spans] = await plan.facts(idOf)
  return {
    traces: rowsOf(traces, plan, stretches),
    evaluations: rowsOf(evaluations, plan, stretches),
    spans: rowsOf(spans, plan, stretches),
  }
}

/** The rows of a closing or opening reference table. */
export function referenceRows(tables: readonly ReferenceTable[], name: string): Row[] {
  const table = tables.find((candidate) => candidate.table === name)
  return (table?.rows ?? []).map((row) => record(table?.columns.map(({ name }) => name) ?? [], row))
}

function rowsOf(fact: FactTable | undefined, { window }: SeedPlan, stretches: readonly Stretch[]): Row[] {
  const buffer = new CopyBuffer()
  const columns = fact?.columns ?? []
  const rows: Row[] = []
  for (const { from, to } of stretches) {
    const stretch = { from: Math.max(from, window.from), to: Math.min(to, window.to) }
    for (const _ of fact?.encode(stretch, buffer) ?? []) {
      for (const row of binaryRows(buffer.content)) {
        const values = row.map((field, i) => (field === null ? null : fieldText(columns[i]?.type ?? '', field)))
        rows.push(
          record(
            columns.map(({ name }) => name),
            values,
          ),
        )
      }
      buffer.clear()
    }
  }
  return rows
}

function record(columns: readonly string[], values: readonly (string | null)[]): Row {
  if (values.length !== columns.length) throw new Error(`${values.length} values for ${columns.length} columns`)
  return Object.fromEntries(columns.map((column, i) => [column, values[i] ?? null]))
}
