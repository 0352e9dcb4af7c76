import type { RunContext } from '../context.js'
import type { Database } from '../database/connect.js'
import type { FaultManifest, PlantedFault } from '../fault-manifest.js'
import type { Check, CheckContext, Suite } from './check.js'
import type { CheckResult, Status } from './result.js'
import { binder } from './rows.js'
import { inSnapshot, runSuites, type ValidateOptions } from './validate.js'

/** How well the checks found what was planted; the JSON form of the report, word for word. */
export interface Score {
  readonly run_id: string
  /** Precision, recall and the share of noticed mixes have to reach it. */
  readonly threshold: number
  readonly passed: boolean
  readonly rows: {
    readonly planted: number
    readonly found: number
    /** Found of planted, null when nothing was planted row by row. */
    readonly recall: number | null
    /** Rows that checks complained of. */
    readonly flagged: number
    /** Planted of flagged, null when nothing was flagged. */
    readonly precision: number | null
  }
  readonly mixes: { readonly planted: number; readonly noticed: number }
  readonly faults: readonly FaultScore[]
  readonly checks: readonly CheckScore[]
  /** Checks that complain although no planted fault accounts for it. */
  readonly unexpected: readonly string[]
  readonly impossible: FaultManifest['impossible']
}

export interface FaultScore {
  readonly name: string
  readonly summary: string
  readonly seen_in: PlantedFault['seen_in']
  readonly planted: number
  /** Rows that at least one of its checks names; null for a mix. */
  readonly found: number | null
  /** Found of planted; of a mix 1 when a check complains and 0 when none does. Null when nothing was planted. */
  readonly recall: number | null
  readonly checks: readonly { readonly id: string; readonly status: Status | 'not run' }[]
}

export interface CheckScore {
  readonly id: string
  /** Rows it complains of. */
  readonly flagged: number
  /** Those that have a planted fault. */
  readonly planted: number
  readonly precision: number | null
}

/** Runs the checks of `suites` and compares what they name with what was planted, on one snapshot. */
export function scoreChecks<Facts>(
  database: Database,
  suites: readonly Suite<Facts>[],
  manifest: FaultManifest,
  options: ValidateOptions<Facts> & { readonly threshold: number },
  run: RunContext,
): Promise<Score> {
  return inSnapshot(database, options, async (context) => {
    const results = await runSuites(context, suites, run)
    run.progress.step('comparing what was found with what was planted')
    const matches: Match[] = []
    for (const check of suites.flatMap(({ checks }) => checks)) {
      const result = results.find(({ id }) => id === check.id)
      if (result && complains(result) && namesRows(check, manifest)) matches.push(await match(check, manifest, context))
    }
    return score(manifest, results, matches, options.threshold)
  })
}

/** A check that only looks on from another side names something else than the rows that were planted. */
function namesRows<Facts>({ id, failing }: Check<Facts>, { faults }: FaultManifest): boolean {
  return failing !== undefined && (faults.some(({ checks }) => checks.includes(id)) || !isExpected(faults, id))
}

/** What a check named, by the fault that accounts for it; the key '' stands for rows that none does. */
interface Match {
  readonly id: string
  readonly keys: ReadonlyMap<string, ReadonlySet<string>>
  readonly flagged: number
}

const nobody = ''

async function match<Facts>(
  check: Check<Facts>,
  { faults }: FaultManifest,
  context: CheckContext<Facts>,
): Promise<Match> {
  const values: string[] = []
  const bind = binder(values)
  const failing = await check.failing?.(context, bind)
  const known = faults.flatMap(({ name, keys }) => keys.map((key) => ({ key, fault: name })))
  const rows = await context.session.unsafe<{ fault: string; keys: string[] | null; rows: number }[]>(
    `with known as materialized (
       select key, fault from jsonb_to_recordset(${bind(JSON.stringify(known))}::text::jsonb) as k (key text, fault text)
     )
     select coalesce(k.fault, '') as fault, count(*) as rows, array_agg(distinct f.key) filter (where k.fault is not null) as keys
     from (${failing}) f left join known k on k.key = f.key
     group by 1`,
    values,
  )
  return {
    id: check.id,
    keys: new Map(rows.map(({ fault, keys }) => [fault, new Set(keys ?? [])])),
    flagged: rows.reduce((sum, row) => sum + Number(row.rows), 0),
  }
}

function score(
  manifest: FaultManifest,
  results: readonly CheckResult[],
  matches: readonly Match[],
  threshold: number,
): Score {
  const faults = manifest.faults.map((fault) => scoreFault(fault, results, matches))
  const checks = matches.map((one) => scoreCheck(one, manifest))
  const byRow = faults.filter(({ seen_in }) => seen_in === 'rows')
  const mixes = faults.filter(({ seen_in, planted }) => seen_in === 'mix' && planted > 0)
  const planted = sum(byRow.map((fault) => fault.planted))
  const found = sum(byRow.map((fault) => fault.found ?? 0))
  const flagged = sum(checks.map((check) => check.flagged))
  const accounted = sum(checks.map((check) => check.planted))
  const rows = { planted, found, recall: share(found, planted), flagged, precision: share(accounted, flagged) }
  const noticed = mixes.filter(({ recall }) => recall === 1).length
  const shares = [rows.recall, rows.precision, share(noticed, mixes.length)]
  const unexpected = unexpectedOf(manifest, results)
  return {
    run_id: manifest.run_id,
    threshold,
    passed: shares.every((one) => one === null || one >= threshold) && unexpected.length === 0,
    rows,
    mixes: { planted: mixes.length, noticed },
    faults,
    checks,
    unexpected,
    impossible: manifest.impossible,
  }
}

function scoreFault(fault: PlantedFault, results: readonly CheckResult[], matches: readonly Match[]): FaultScore {
  const { name, summary, seen_in, planted } = fault
  const checks = fault.checks.map((id): FaultScore['checks'][number] => {
    return { id, status: results.find((result) => result.id === id)?.status ?? 'not run' }
  })
  const found = new Set(
    matches.filter(({ id }) => fault.checks.includes(id)).flatMap(({ keys }) => [...(keys.get(name) ?? [])]),
  ).size
  const isNoticed = results.some((result) => fault.checks.includes(result.id) && complains(result))
  const recall = seen_in === 'rows' ? share(found, planted) : planted === 0 ? null : Number(isNoticed)
  return { name, summary, seen_in, planted, found: seen_in === 'rows' ? found : null, recall, checks }
}

/** Rows of a mix are not listed, so a check that looks for one is right as a whole. */
function scoreCheck({ id, keys, flagged }: Match, { faults }: FaultManifest): CheckScore {
  const isOfMix = faults.some((fault) => fault.seen_in === 'mix' && fault.planted > 0 && accounts(fault, id))
  const strangers = flagged - sum([...keys].filter(([fault]) => fault !== nobody).map(([, members]) => members.size))
  const planted = isOfMix ? flagged : flagged - Math.max(0, strangers)
  return { id, flagged, planted, precision: share(planted, flagged) }
}

function unexpectedOf({ faults }: FaultManifest, results: readonly CheckResult[]): readonly string[] {
  return results.filter((result) => complains(result) && !isExpected(faults, result.id)).map(({ id }) => id)
}

function isExpected(faults: readonly PlantedFault[], id: string): boolean {
  return faults.some((fault) => fault.planted > 0 && accounts(fault, id))
}

function accounts({ checks, also_seen_by }: PlantedFault, id: string): boolean {
  return checks.includes(id) || also_seen_by.includes(id)
}

function complains({ status }: CheckResult): boolean {
  return status === 'failed' || status === 'warned'
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
