import type { Session } from '../database/connect.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'
import type { FactTable, Stretch } from './pack.js'
import { timeLiteral } from './staging.js'

/** Notes every hour of a stretch as changed, where the table keeps such a log. */
export async function logHours(session: Session, schema: string, fact: FactTable, stretch: Stretch): Promise<void> {
  const { changeLog } = fact
  if (!changeLog || !(await exists(session, schema, changeLog.table))) return
  await session.unsafe(`
    insert into ${quoteQualified(schema, changeLog.table)} (${quoteIdentifier(changeLog.column)})
    select generate_series(date_trunc('hour', ${timeLiteral(stretch.from)}::timestamptz, 'UTC'),
                           ${timeLiteral(stretch.to)}::timestamptz - interval '1 microsecond', interval '1 hour')`)
}

/** Whether the schema has a table or view of that name. */
export async function exists(session: Session, schema: string, name: string): Promise<boolean> {
  const [row] = await session<{ found: boolean }[]>`
    select to_regclass(${quoteQualified(schema, name)}) is not null as found`
  return row?.found === true
}
