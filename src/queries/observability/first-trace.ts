import { sql } from 'kysely'
import { windowBefore } from '../filters.js'
import type { Question } from './question.js'

/** When the workspace's first trace was made, or undefined when it has none. */
export async function firstTrace({ db, scope }: Question): Promise<Date | undefined> {
  const first = await db
    .selectFrom('traces')
    .select('timestamp')
    .where('workspace_id', '=', scope.workspaceId)
    // An infinite timestamp sorts first and is no day.
    .where('timestamp', '>', sql<Date>`'-infinity'`)
    .orderBy('timestamp')
    .limit(1)
    .executeTakeFirst()
  return first?.timestamp
}

/** A twentieth of a period may lie before the first trace, which rarely comes at its first second. */
const tolerance = 0.05

/** Says so when changes are measured against a period of which only a part has traces. */
export async function warnOfPartialPast(question: Question): Promise<void> {
  const first = await firstTrace(question)
  const before = windowBefore(question.window)
  if (first === undefined || first >= before.to) return
  const missing = (first.getTime() - before.from.getTime()) / (before.to.getTime() - before.from.getTime())
  if (missing <= tolerance) return
  question.warn(
    `the period before begins ${before.from.toISOString()} and traces only ${first.toISOString()}; ` +
      'changes compare with a part of it',
  )
}
