import type { Session } from '../../database/connect.js'
import type { Statement } from '../statements/statements.js'
import { contentOf, list, listedName, node } from '../statements/written-name.js'

/**
 * Runs again those of the statements that only change the session: a migration that goes
 * on in the middle of its file needs the settings that the file made before.
 */
export async function setAgain(session: Session, statements: readonly Statement[]): Promise<void> {
  for (const { sql } of statements.filter(setsSession)) await session.unsafe(sql)
}

/** `set …`, and `select set_config(…)` as pg_dump writes it. */
function setsSession(statement: Statement): boolean {
  const [kind, content] = contentOf(statement)
  if (kind === 'VariableSetStmt') return content['is_local'] !== true
  if (kind !== 'SelectStmt' || content['fromClause'] !== undefined) return false
  const targets = list(content['targetList'])
  return targets.length > 0 && targets.every((target) => callsSetConfig(node(target['ResTarget'])['val']))
}

function callsSetConfig(value: unknown): boolean {
  return listedName(node(node(value)['FuncCall'])['funcname']).name === 'set_config'
}
