import type { Session, Sql } from './connect.js'
import { quoteLiteral } from './quote.js'

/**
 * Runs one query under the given server settings and puts the old values back.
 *
 * Everything goes to the server as one string, which it runs as one transaction, or
 * as part of the transaction that is already open. So this works on a pool as well as
 * in the middle of somebody's transaction, and leaves nothing behind in either.
 */
export async function queryWithSettings<Row>(
  sql: Sql | Session,
  settings: Readonly<Record<string, string>>,
  query: string,
): Promise<readonly Row[]> {
  const names = Object.keys(settings)
  const keep = names.map((name) => setConfig(shadow(name), `current_setting(${quoteLiteral(name)})`))
  const change = names.map((name) => setConfig(name, quoteLiteral(settings[name] ?? '')))
  const restore = names.map((name) => setConfig(name, `current_setting(${quoteLiteral(shadow(name))})`))
  const statements = [select(keep), select(change), query, select(restore)]
  const results = (await sql.unsafe(statements.join(';\n'))) as unknown as readonly (readonly Row[])[]
  return results[2] ?? []
}

function shadow(setting: string): string {
  return `obs.kept_${setting.toLowerCase()}`
}

function setConfig(name: string, value: string): string {
  return `set_config(${quoteLiteral(name)}, ${value}, true)`
}

function select(expressions: readonly string[]): string {
  return `select ${expressions.join(', ')}`
}
