import type { Continuous } from './continuous.js'
import type { ExpectedCurve } from './expected.js'

/** What is expected of values along a curve that are rounded to the nearest multiple of `step`. */
export function rounded(curve: Continuous, step: number): ExpectedCurve {
  return {
    kind: 'curve',
    unit: 'number',
    range: [Math.round(curve.range[0] / step) * step, Math.round(curve.range[1] / step) * step],
    step,
    words: curve.words,
    cdf: (x) => curve.cdf((Math.floor(x / step + 1e-6) + 0.5) * step),
  }
}
