import postgres from 'postgres'
import type { RunContext } from '../context.js'
import { type Database, type Session, throwIfAborted, withSession, withTransaction } from '../database/connect.js'
import type { Check, CheckContext, Observation, Probe, Severity, Suite } from './check.js'
import type { CheckResult, Status, ValidationResult } from './result.js'
import { fuse } from './rows.js'

export interface ValidateOptions<Facts> {
  /** The schema that the pack's tables live in. */
  readonly schema: string
  /** What the suites know of the pack's data: prices, profiles and the like. */
  readonly facts: Facts
  /** Milliseconds after which the server gives up on one statement; 10 minutes when absent. */
  readonly statementTimeout?: number
}

/**
 * Runs every check of `suites` and says what each of them saw.
 *
 * All checks read the same snapshot, in one read-only transaction, so that they agree
 * with each other while the application goes on writing. A check that cannot be
 * carried out (a missing table, a time-out) is `failed` with the reason; a check that
 * finds nothing to look at is `skipped`. Neither ever counts as passed.
 *
 * @throws ObsError when the run was interrupted or the connection was lost.
 */
export async function validate<Facts>(
  database: Database,
  suites: readonly Suite<Facts>[],
  options: ValidateOptions<Facts>,
  context: RunContext,
): Promise<ValidationResult> {
  const started = performance.now()
  const checks = await inSnapshot(database, options, (snapshot) => runSuites(snapshot, suites, context))
  return { summary: summarize(checks, performance.now() - started), checks }
}

/** Runs `work` on one read-only snapshot of the database. */
export function inSnapshot<Facts, T>(
  database: Database,
  options: ValidateOptions<Facts>,
  work: (snapshot: CheckContext<Facts>) => Promise<T>,
): Promise<T> {
  return withSession(database.sql, (session) =>
    withTransaction(
      session,
      async () => work(await openContext(session, database, options)),
      'begin isolation level repeatable read read only',
    ),
  )
}

/** Runs every check of `suites` in a snapshot. */
export async function runSuites<Facts>(
  context: CheckContext<Facts>,
  suites: readonly Suite<Facts>[],
  run: RunContext,
): Promise<readonly CheckResult[]> {
  const fused = new Map(fuse(suites.flatMap(({ checks }) => checks)).map((check) => [check.id, check]))
  const results: CheckResult[] = []
  for (const { name, checks } of suites) {
    run.progress.step(`checking ${name}`)
    for (const [index, check] of checks.entries()) {
      throwIfAborted(run.signal)
      results.push(await carryOut(name, fused.get(check.id) ?? check, context, run.signal))
      run.progress.advance(index + 1, checks.length, 'checks')
    }
  }
  return results
}

/**
 * How the queries of checks are planned.
 *
 * They aggregate whole tables over dozens of conditions, hashes and JSON lookups, which
 * the planner takes for cheap: told what they cost, it aggregates in parallel. Compiling
 * them takes longer than it saves.
 */
const plannerSettings = {
  jit: 'off',
  work_mem: '64MB',
  cpu_operator_cost: '0.02',
  parallel_tuple_cost: '0.01',
  timezone: 'UTC',
} as const

async function openContext<Facts>(
  session: Session,
  { platform }: Database,
  { schema, facts, statementTimeout = 600_000 }: ValidateOptions<Facts>,
): Promise<CheckContext<Facts>> {
  const settings = Object.entries({ ...plannerSettings, statement_timeout: String(statementTimeout) })
  const [row] = await session<{ now: Date }[]>`
    select now(), set_config('search_path', quote_ident(${schema}), true),
           (select count(set_config(name, value, true)) from unnest(${settings.map(([name]) => name)}::text[],
                                                                   ${settings.map(([, value]) => value)}::text[]) as setting (name, value))`
  const kept = new Map<unknown, Promise<unknown>>()
  const context: CheckContext<Facts> = {
    session,
    schema,
    platform,
    facts,
    now: row?.now ?? new Date(),
    once: <T>(probe: Probe<Facts, T>) => {
      const result = kept.get(probe) ?? withSavepoint(session, () => probe(context))
      kept.set(probe, result)
      return result as Promise<T>
    },
  }
  return context
}

/** Runs `work` so that a failing statement spoils its own result and not the transaction. */
async function withSavepoint<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session`savepoint obs_check`
  try {
    const result = await work()
    await session`release savepoint obs_check`
    return result
  } catch (error) {
    if (!endsTheRun(error)) {
      await session`rollback to savepoint obs_check`
      await session`release savepoint obs_check`
    }
    throw error
  }
}

async function carryOut<Facts>(
  suite: string,
  check: Check<Facts>,
  context: CheckContext<Facts>,
  signal: AbortSignal,
): Promise<CheckResult> {
  const started = performance.now()
  const verdict = await withSavepoint(context.session, () => check.run(context)).then(
    (observation) => judge(observation, check.severity),
    (error: unknown) => couldNotRun(error, signal),
  )
  const { id, severity, expected } = check
  return { id, suite, severity, expected, ...verdict, duration_ms: Math.round(performance.now() - started) }
}

type Verdict = Pick<CheckResult, 'status' | 'reason' | 'observed' | 'rows_failing' | 'sample'>

function judge(observation: Observation, severity: Severity): Verdict {
  switch (observation.outcome) {
    case 'passed':
      return { status: 'passed', reason: null, observed: observation.observed, rows_failing: 0, sample: [] }
    case 'skipped':
      return { status: 'skipped', reason: observation.reason, observed: null, rows_failing: null, sample: [] }
    case 'violated':
      return {
        status: severity === 'error' ? 'failed' : 'warned',
        reason: null,
        observed: observation.observed,
        rows_failing: observation.rowsFailing ?? null,
        sample: observation.sample ?? [],
      }
  }
}

function couldNotRun(error: unknown, signal: AbortSignal): Verdict {
  throwIfAborted(signal)
  if (endsTheRun(error)) throw error
  const reason = `could not be carried out: ${error instanceof Error ? error.message : String(error)}`
  return { status: 'failed', reason, observed: null, rows_failing: null, sample: [] }
}

/** Connection trouble is not a finding about the data: SQLSTATE classes 08 and 57P, and the driver's own errors. */
function endsTheRun(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return /^(08|57P)/.test(error.code)
  return error instanceof Error && 'code' in error && /^(CONNECTION_|ECONN|EPIPE|ETIMEDOUT)/.test(String(error.code))
}

/** Counts the outcomes. */
export function summarize(checks: readonly CheckResult[], duration: number): ValidationResult['summary'] {
  const count = (status: Status) => checks.filter((check) => check.status === status).length
  return {
    passed: count('passed'),
    failed: count('failed'),
    warned: count('warned'),
    skipped: count('skipped'),
    duration_ms: Math.round(duration),
  }
}
