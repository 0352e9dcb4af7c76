import { type Session, type Sql, withSession } from '../database/connect.js'

/** Runs `work` on several connections of its own. */
export function withSessions<T>(
  sql: Sql,
  count: number,
  work: (sessions: readonly Session[]) => Promise<T>,
  opened: readonly Session[] = [],
): Promise<T> {
  if (opened.length === count) return work(opened)
  return withSession(sql, (session) => withSessions(sql, count, work, [...opened, session]))
}
