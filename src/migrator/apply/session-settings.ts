import type { Session } from '../../database/connect.js'
import { quoteLiteral } from '../../database/quote.js'
import { isSetting } from '../statements/statements.js'
import { type PreparedStep, touched } from './step-run.js'

/**
 * True when a step may have changed settings of its session: it says so with `set`, or it
 * does what can hide anything, a call of a function for one.
 */
export function mayChangeSettings(step: PreparedStep): boolean {
  const what = touched(step)
  return (
    what === 'all' || what.uncertain.length > 0 || step.parsed?.statements.some(({ tree }) => isSetting(tree)) === true
  )
}

/**
 * True when a step may leave something behind in its session: settings, temporary tables, whatever
 * a function does. A new table calls no function; building an index or a column may.
 */
export function mayLeaveTraces(step: PreparedStep): boolean {
  if (mayChangeSettings(step) || step.verify) return true
  return (step.parsed?.statements ?? []).some(({ tree }) => {
    const text = JSON.stringify(tree ?? {})
    const isNew = tree?.['CreateStmt'] !== undefined
    return tree === undefined || text.includes('"relpersistence":"t"') || (!isNew && text.includes('"FuncCall"'))
  })
}

/**
 * Takes back what a migration set for itself, its role and its `search_path` above all,
 * before obs goes on in the same session and transaction; then sets `own`.
 *
 * A dump of pg_dump begins by emptying the search path, and `set` inside of a transaction
 * lasts to its end.
 */
export async function restoreSettings(session: Session, own: string): Promise<void> {
  const statements = [...asItBegan(await checkInterval(session)), own]
  await session.unsafe(statements.join('; '))
}

/**
 * Leaves nothing of a migration in the session for the next one, except the migration lock.
 *
 * The statements go to the server as one; should it refuse one of them, each is sent by itself.
 */
export async function forgetSession(session: Session, interval: string): Promise<void> {
  const statements = [...asItBegan(interval), 'discard temp', 'unlisten *', 'close all']
  await session.unsafe(statements.join('; ')).catch(async () => {
    for (const statement of statements) await session.unsafe(statement).catch(() => undefined)
  })
}

/** The role and the settings that obs opened the session with. */
function asItBegan(interval: string): readonly string[] {
  return [
    'reset session authorization',
    'reset all',
    `set client_connection_check_interval to ${quoteLiteral(interval)}`,
  ]
}

/** How often the server looks whether obs is still there, as it was when the session began. */
export async function checkInterval(session: Session): Promise<string> {
  const known = checkIntervals.get(session)
  if (known !== undefined) return known
  const [row] = await session<{ interval: string }[]>`
    select current_setting('client_connection_check_interval') as interval`
  const interval = row?.interval ?? '0'
  checkIntervals.set(session, interval)
  return interval
}

const checkIntervals = new WeakMap<Session, string>()
