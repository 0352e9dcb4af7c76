import { sumFacts } from './facts.js'
import { firstTrace } from './first-trace.js'
import type { Question } from './question.js'

/**
 * When each version of the scope was first seen, at any time before the window ends.
 *
 * The daily rollup reaches back to the first trace, and what comes after the window
 * is never looked at, so that the answer stays the same when later traces arrive.
 */
export async function firstSeen(question: Question): Promise<ReadonlyMap<string, Date>> {
  const first = await firstTrace(question)
  if (first === undefined || first >= question.window.to) return new Map()
  const day = 24 * 3_600_000
  const from = new Date(Math.floor(first.getTime() / day) * day)
  const { rows } = await sumFacts(question, ['version', 'at'], { ever: { from, to: question.window.to } })
  // Rows come ordered by version and time; the last one set is the earliest.
  return new Map(rows.toReversed().map((row) => [row.version, row.at]))
}
