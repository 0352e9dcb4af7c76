import type { Progress } from '../../context.js'
import type { Session } from '../../database/connect.js'
import type { Statement } from '../statements/statements.js'
import { contentOf, droppedNames, writtenSql } from '../statements/written-name.js'

/**
 * The statement, or `drop index` in place of `drop index concurrently` where that names the
 * index of a partitioned table, which the server drops in no other way. It needs the table
 * for itself, for a moment; whoever runs it must not queue for that.
 * https://www.postgresql.org/docs/current/sql-dropindex.html
 */
export async function dropPlainly(session: Session, statement: Statement, progress: Progress): Promise<Statement> {
  const [kind, content] = contentOf(statement)
  const [index] = kind === 'DropStmt' && content['concurrent'] === true ? droppedNames(content) : []
  if (!index) return statement
  const name = writtenSql(index)
  const [partitioned] = await session`select from pg_class where oid = to_regclass(${name}) and relkind = 'I'`
  if (!partitioned) return statement
  progress.warn(`${name} belongs to a partitioned table, so it is dropped in one moment, not concurrently`)
  return { ...statement, sql: `drop index ${name}`, tree: undefined }
}
