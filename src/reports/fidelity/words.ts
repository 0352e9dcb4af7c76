import type { Bar, Comparison, FidelityReport, FidelityVerdict } from '../../validators/fidelity/report.js'

export const verdictWords: Readonly<Record<FidelityVerdict, string>> = {
  matches: 'matches',
  near: 'close',
  off: 'deviates',
}

export const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const

/** The outcome in one sentence. */
export function outcome({ summary, comparisons, run }: FidelityReport): string {
  const { matches, near, off } = summary
  const faults = run.faults.length > 0 ? ` Faults were planted: ${listed(run.faults)}.` : ''
  if (off > 0) return `${off} of ${comparisons.length} distributions deviate from what was declared.${faults}`
  if (near > 0) return `${matches} of ${comparisons.length} distributions match, ${near} come close.${faults}`
  return `All ${comparisons.length} distributions match what was declared.${faults}`
}

function listed(faults: readonly string[]): string {
  if (faults.length <= 4) return faults.join(', ')
  return `${faults.slice(0, 3).join(', ')} and ${faults.length - 3} more`
}

/** What is furthest from what was declared, in words. */
export function furthest({ bars, statistic }: Comparison): string {
  const worst = [...bars].sort((a, b) => gap(b) - gap(a))[0]
  if (!worst) return ''
  if (statistic.name === 'D' && worst.declared === 0) return worst.name
  return `${worst.name}: ${percent(worst.landed)}, declared ${percent(worst.declared)}`
}

function gap({ declared, landed }: Bar): number {
  return Math.abs(declared - landed)
}

export function percent(share: number): string {
  const value = share * 100
  return `${value.toFixed(value !== 0 && Math.abs(value) < 1 ? 2 : 1)} %`
}

/** `χ² 12.3 (23 df)`, `D 0.012`. */
export function statisticText({ statistic }: Comparison): string {
  if (statistic.name === 'D') return `D ${statistic.value.toFixed(4)}`
  return `χ² ${statistic.value.toFixed(1)} (${statistic.degrees} df)`
}

export function effectText({ effect }: Comparison): string {
  return `${effect.name} ${effect.value.toFixed(3)}`
}

export function chanceText({ p }: Comparison): string {
  return p < 0.000_001 ? 'p < 0.000001' : `p ${p.toPrecision(2)}`
}

/** A number of milliseconds or tokens as short as it can be said. */
export function quantity(value: number, unit: string): string {
  if (unit === 'ms' && value >= 1000) return `${Number((value / 1000).toPrecision(3))} s`
  if (value >= 10_000) return `${Number((value / 1000).toPrecision(3))}k ${unit}`
  return `${Math.round(value)} ${unit}`
}
