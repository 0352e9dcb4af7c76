import { chiSquareTail, kolmogorovTail } from '../../probability.js'
import type { Bar, Comparison, FidelityVerdict } from './report.js'

/**
 * Below `near` a deviation is called none, from `off` on it changes what the data say.
 *
 * For shares the measure is Cohen's w, of which 0.1 is a small effect (J. Cohen,
 * Statistical Power Analysis for the Behavioral Sciences, 1988, 7.2); for curves the
 * greatest distance between the two.
 */
const limits = { w: { near: 0.05, off: 0.1 }, D: { near: 0.02, off: 0.05 } } as const

/** One false alarm in a million comparisons of a run that is what it was declared to be. */
const surprising = 1e-6

export interface SharesQuestion {
  readonly id: string
  readonly title: string
  readonly declared: Readonly<Record<string, number>>
  readonly counts: ReadonlyMap<string, number>
  /** How many rows say as much as one independent row; see `shareTolerance`. */
  readonly designEffect: number
  readonly note?: string
}

/**
 * Compares counts with declared shares: Pearson's χ², divided by the design effect (the
 * first-order correction of J. N. K. Rao and A. J. Scott, JASA 76, 1981), because rows
 * of one conversation, agent or day resemble each other.
 */
export function compareShares({ declared, counts, designEffect, note, ...head }: SharesQuestion): Comparison {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const names = [...new Set([...Object.keys(declared), ...counts.keys()])]
  const bars = names.map((name): Bar => {
    return { name, declared: declared[name] ?? 0, landed: total === 0 ? 0 : (counts.get(name) ?? 0) / total }
  })
  // What was never declared counts against the smallest share that a single row would have.
  const squares = bars.map((bar) => (bar.landed - bar.declared) ** 2 / Math.max(bar.declared, 1 / Math.max(1, total)))
  const w = Math.sqrt(squares.reduce((sum, square) => sum + square, 0))
  const chiSquare = (total * w * w) / designEffect
  const degrees = Math.max(1, bars.length - 1)
  const p = chiSquareTail(chiSquare, degrees)
  return {
    ...head,
    bars,
    statistic: { name: 'χ²', value: chiSquare, degrees },
    p,
    effect: { name: 'w', value: w, ...limits.w },
    verdict: verdictOf(w, limits.w, p),
    ...(note === undefined ? {} : { note }),
  }
}

export interface CurveQuestion {
  readonly id: string
  readonly title: string
  /** Distances between the curves, one a group or place. */
  readonly distances: readonly {
    readonly name: string
    readonly declared: number
    readonly landed: number
    readonly distance: number
  }[]
  /** Independent rows that stand behind the greatest of them. */
  readonly rows: number
  readonly note?: string
}

/** Compares curves by their greatest distance, as Kolmogorov and Smirnov do. */
export function compareCurves({ distances, rows, note, ...head }: CurveQuestion): Comparison {
  const distance = distances.reduce((greatest, one) => Math.max(greatest, one.distance), 0)
  const p = kolmogorovTail(Math.sqrt(rows) * distance)
  return {
    ...head,
    bars: distances.map(({ name, declared, landed }) => ({ name, declared, landed })),
    statistic: { name: 'D', value: distance },
    p,
    effect: { name: 'D', value: distance, ...limits.D },
    verdict: verdictOf(distance, limits.D, p),
    ...(note === undefined ? {} : { note }),
  }
}

/** A deviation has to be both larger than chance explains and large enough to matter. */
function verdictOf(effect: number, { near, off }: { near: number; off: number }, p: number): FidelityVerdict {
  if (p > surprising || effect < near) return 'matches'
  return effect < off ? 'near' : 'off'
}
