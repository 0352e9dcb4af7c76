import type { RunContext } from '../context.js'
import { type Database, type Session, withSession, withTransaction } from '../database/connect.js'
import type { Platform } from '../database/platform.js'
import { quoteQualified } from '../database/quote.js'
import { setvalStatement } from './built-in.js'
import { checkRestored } from './check-restored.js'
import { loadTables } from './copy-in.js'
import type { DdlStatement } from './ddl.js'
import { loadLargeObjects } from './large-objects.js'
import type { ManifestTable } from './manifest.js'
import type { RestorePlan } from './restore-plan.js'
import { runAtOnce, runInOrder, type Task } from './run-statements.js'
import { withSessions } from './sessions.js'
import { applyCopySettings } from './snapshot.js'

type BuiltInPlan = Extract<RestorePlan, { engine: 'built-in' }>

/**
 * Definitions, rows, sequences, then indexes and constraints, and checks them.
 *
 * One session does it in one transaction, so that all of it happens or nothing. Several are faster, and
 * what they leave when something fails is no whole database: only for one that is dropped then.
 */
export async function fillBuiltIn(plan: BuiltInPlan, { sql, platform }: Database, context: RunContext): Promise<void> {
  if (plan.jobs > 1) return withSessions(sql, plan.jobs, (sessions) => fill(plan, sessions, platform, context))
  return withSession(sql, (session) => withTransaction(session, () => fill(plan, [session], platform, context)))
}

async function fill(
  plan: BuiltInPlan,
  sessions: readonly Session[],
  platform: Platform,
  context: RunContext,
): Promise<void> {
  const { archive, manifest } = plan
  const [first] = sessions as [Session]
  const known = ({ setting }: DdlStatement) => setting !== 'transaction_timeout' || platform.serverVersion >= 170_000
  context.progress.step('restoring definitions')
  await Promise.all(sessions.map(prepareToBuild))
  await runInOrder(first, [...plan.preData.filter(known), ...plan.largeObjects], context)
  context.progress.step('restoring rows')
  await Promise.all(sessions.map((session) => applyCopySettings(session, 'session')))
  await loadTables(sessions, archive, manifest.files, plan.tables, context)
  await inTransaction(sessions, first, () => loadLargeObjects(first, archive, manifest))
  await runInOrder(
    first,
    plan.sequences.map((sequence) => ({ sql: setvalStatement(sequence) })),
    context,
  )
  context.progress.step('restoring indexes and constraints')
  await finishTables(sessions, plan.postData.filter(known), plan.tables, context)
  await Promise.all(sessions.map((session) => applyCopySettings(session, 'session')))
  await check(sessions, plan, platform, context)
}

/** Of several sessions one brings the statistics up to date while the others compare: each leaves a processor idle. */
async function check(
  sessions: readonly Session[],
  plan: BuiltInPlan,
  platform: Platform,
  context: RunContext,
): Promise<void> {
  const [first, ...others] = sessions as [Session, ...Session[]]
  if (others.length === 0) return checkRestored(sessions, plan, platform, context)
  const work = [first.unsafe('analyze').then(() => undefined), checkRestored(others, plan, platform, context)]
  await Promise.allSettled(work)
  await Promise.all(work)
}

/** Of several sessions each commits by itself; the one session of a restore is in a transaction already. */
function inTransaction(sessions: readonly Session[], session: Session, work: () => Promise<void>): Promise<void> {
  return sessions.length === 1 ? work() : withTransaction(session, work)
}

/**
 * More memory for sorting what goes into an index, if the server gives it less; and commits that do not
 * wait for the disk, because a database that is not whole yet is dropped after a crash. The last
 * commit of a restore, which gives it its name, waits.
 */
async function prepareToBuild(session: Session): Promise<void> {
  await session`
    select set_config('synchronous_commit', 'off', false),
           set_config('maintenance_work_mem', greatest(setting::bigint, 262144) || 'kB', false)
    from pg_settings where name = 'maintenance_work_mem'`
}

/** Indexes and keys at once, then foreign keys at once, which need the keys; everything else in its order. */
async function finishTables(
  sessions: readonly Session[],
  statements: readonly DdlStatement[],
  tables: readonly ManifestTable[],
  context: RunContext,
): Promise<void> {
  const [first] = sessions as [Session]
  const { settings, others } = split(statements)
  for (const session of sessions) await runInOrder(session, settings, context)
  const isBuild = ({ builds }: DdlStatement) => builds === 'index' || builds === 'key'
  const isForeign = ({ builds }: DdlStatement) => builds === 'foreign key'
  const rest = others.filter((statement) => !isBuild(statement))
  const foreignAt = rest.findIndex(isForeign)
  const before = foreignAt === -1 ? rest : rest.slice(0, foreignAt)
  const after = foreignAt === -1 ? [] : rest.slice(foreignAt)
  await runAtOnce(sessions, largestFirst(tasksOf(others, isBuild), tables), context)
  await runInOrder(first, before, context)
  await runAtOnce(sessions, largestFirst(tasksOf(others, isForeign), tables), context)
  await runInOrder(
    first,
    after.filter((statement) => !isForeign(statement)),
    context,
  )
}

/** The settings that a dump begins with hold for all of it, and so in every session. */
function split(statements: readonly DdlStatement[]): { settings: DdlStatement[]; others: DdlStatement[] } {
  const end = statements.findIndex(({ kind }) => kind !== 'VariableSetStmt' && kind !== 'SelectStmt')
  return end === -1
    ? { settings: [...statements], others: [] }
    : { settings: statements.slice(0, end), others: statements.slice(end) }
}

/** The statements that are `wanted`, each with the settings (a tablespace, say) that stand before it. */
function tasksOf(statements: readonly DdlStatement[], wanted: (statement: DdlStatement) => boolean): Task[] {
  const settings = new Map<string, string>()
  const tasks: Task[] = []
  for (const statement of statements) {
    if (statement.setting !== undefined) settings.set(statement.setting, statement.sql)
    if (!wanted(statement)) continue
    tasks.push({
      sql: [...settings.values(), statement.sql].join(';\n'),
      tables: statement.tables,
      alone: statement.builds !== 'index',
    })
  }
  return tasks
}

/** What takes longest begins first, so that no session is alone with it at the end; otherwise in their order. */
export function largestFirst(tasks: readonly Task[], tables: readonly ManifestTable[]): Task[] {
  const sizes = new Map(tables.map(({ schema, name, bytes }) => [quoteQualified(schema, name), bytes]))
  const sizeOf = ({ tables: [table = ''] }: Task) => sizes.get(table) ?? 0
  return [...tasks].sort((a, b) => sizeOf(b) - sizeOf(a))
}
