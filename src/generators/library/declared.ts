import type { Session } from '../../database/connect.js'
import type { RunSettings } from '../pack.js'
import { ledgerExists } from '../run-ledger.js'
import { planFor, runOf } from './describe.js'
import type { TableDescription } from './plan.js'
import { preparePlan, tablePlans } from './prepare.js'
import type { SeedSpec } from './spec.js'

/** A recorded run of a plan: the rows it left, and what it declares of them. */
export interface DeclaredRun {
  readonly run_id: string
  /** By table. */
  readonly rows: Readonly<Record<string, number>>
  readonly tables: readonly TableDescription[]
}

interface Recorded extends Pick<RunSettings, 'seed' | 'days' | 'profile' | 'scale'> {
  readonly run_id: string
  readonly as_of: Date
  readonly rows: Readonly<Record<string, number>>
  readonly first: Readonly<Record<string, number>> | null
  readonly starts: Readonly<Record<string, number>> | null
}

/** What every recorded run of a pack declares of its rows, by the plan as it is now; oldest first. */
export async function declaredRuns(
  session: Session,
  schema: string,
  pack: string,
  spec: SeedSpec,
): Promise<readonly DeclaredRun[]> {
  if (!(await ledgerExists(session))) return []
  const runs = await session<Recorded[]>`
    select run_id, seed, days, as_of, profile, rows, coalesce((settings ->> 'scale')::float8, 1) as scale,
           settings #> '{library,first}' as first, settings #> '{library,starts}' as starts
    from obs.seed_runs where pack = ${pack} order by ordinal, run_id`
  const declared: DeclaredRun[] = []
  for (const { run_id, rows, first, starts, as_of: asOf, ...settings } of runs) {
    const run = runOf({ ...settings, asOf }, spec, first ?? {})
    const prepared = await preparePlan(session, schema, planFor(spec, settings.profile), run, starts ?? undefined)
    declared.push({ run_id, rows, tables: tablePlans(prepared).map(({ plan }) => plan) })
  }
  return declared
}
