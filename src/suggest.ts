/**
 * The candidate that a misspelt word most likely meant, or undefined when none is close.
 *
 * Close means an edit distance of at most a third of the word's length (at least 1).
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3))
  let best: string | undefined
  let bestDistance = limit + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance >= bestDistance) continue
    best = candidate
    bestDistance = distance
  }
  return best
}

/** Damerau–Levenshtein distance (optimal string alignment): a swap of neighbours counts as one edit. */
function editDistance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i])
  for (let j = 1; j <= b.length; j++) at(rows, 0)[j] = j
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const substitution = value(rows, i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      at(rows, i)[j] = Math.min(
        value(rows, i - 1, j) + 1,
        value(rows, i, j - 1) + 1,
        substitution,
        swapped ? value(rows, i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
      )
    }
  }
  return value(rows, a.length, b.length)
}

function at(rows: number[][], i: number): number[] {
  return rows[i] ?? []
}

function value(rows: number[][], i: number, j: number): number {
  return rows[i]?.[j] ?? 0
}
