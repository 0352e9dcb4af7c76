import { CopyBuffer } from '../../../src/generators/copy-text.js'
import { observability } from '../../../src/generators/observability/pack.js'
import type { FactTable, ReferenceTable, RunSettings, SeedPlan, Stretch } from '../../../src/generators/pack.js'
import { monthsOf } from '../../../src/generators/partitions.js'

export const workspace = observability.demoWorkspace
export const asOf = new Date('2026-11-22T00:00:00Z')

/** A plan of the demo profile, a run over 90 days unless something else is said. */
export function planOf(changes: Partial<RunSettings> = {}): SeedPlan {
  const settings = { seed: 42, profile: 'demo', days: 90, asOf, scale: 1, workspace, ordinal: 0, ...changes }
  return observability.plan({ runId: `run-${settings.seed}`, ...settings })
}

export type Row = Readonly<Record<string, string | null>>

/** The rows of both fact tables as text, by column, without a database. */
export async function generate(plan: SeedPlan, stretches: readonly Stretch[] = monthsOf(plan.window)) {
  await plan.references()
  const [traces, evaluations] = await plan.facts((table, code) => `${table}/${code}`)
  return { traces: rowsOf(traces, plan, stretches), evaluations: rowsOf(evaluations, plan, stretches) }
}

/** The rows of a closing or opening reference table. */
export function referenceRows(tables: readonly ReferenceTable[], name: string): Row[] {
  const table = tables.find((candidate) => candidate.table === name)
  return (table?.rows ?? []).map((row) => record(table?.columns ?? [], row))
}

function rowsOf(fact: FactTable | undefined, { window }: SeedPlan, stretches: readonly Stretch[]): Row[] {
  const buffer = new CopyBuffer()
  const text: string[] = []
  for (const { from, to } of stretches) {
    const stretch = { from: Math.max(from, window.from), to: Math.min(to, window.to) }
    for (const _ of fact?.encode(stretch, buffer) ?? []) {
      text.push(buffer.content.toString())
      buffer.clear()
    }
  }
  const lines = text.join('').split('\n').slice(0, -1)
  return lines.map((line) =>
    record(
      fact?.columns ?? [],
      line.split('\t').map((value) => (value === '\\N' ? null : value)),
    ),
  )
}

function record(columns: readonly string[], values: readonly (string | null)[]): Row {
  if (values.length !== columns.length) throw new Error(`${values.length} values for ${columns.length} columns`)
  return Object.fromEntries(columns.map((column, i) => [column, values[i] ?? null]))
}
